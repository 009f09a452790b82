"""Users: made, found, shut out, renamed, removed with all that is theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from sessionproof.contract.clock import Clock
from sessionproof.contract.message import Json
from sessionproof.portal import values
from sessionproof.portal.auth import end_sessions
from sessionproof.portal.database import Database, changed
from sessionproof.portal.models import EMAIL_MOST, NAME_MOST, User
from sessionproof.portal.passwords import Passwords
from sessionproof.portal.values import SAME, Same


class Users:
    """The users of a portal. What a call answers is what was stored at that moment."""

    def __init__(self, database: Database, clock: Clock, passwords: Passwords) -> None:
        self._database = database
        self._clock = clock
        self._passwords = passwords

    def add(
        self,
        email: str,
        password: str | None = None,
        *,
        display_name: str | None = None,
        details: Mapping[str, Json] | None = None,
    ) -> User:
        """Make a user; ``Conflict`` where the address is taken.

        Addresses are told apart by every character. Without a password nobody can sign in as him.
        """
        user = {
            "id": values.new_id(),
            "email": values.text(email, "email", EMAIL_MOST, least=1),
            "password_hash": None if password is None else self._passwords.hashed(password),
            "created_at_us": self._clock.now_us(),
            "display_name": values.text_or_none(display_name, "display_name", NAME_MOST),
            "details": values.json_object(details, "details"),
        }

        made = insert(User).values(**user).returning(User)
        return self._database.write_once(lambda session: session.scalars(made).one())

    def get(self, user_id: str) -> User:
        """The user; raises ``NotFound``."""
        key = values.identity(user_id, "user_id")
        found = self._database.read(lambda session: session.get(User, key))
        if found is None:
            raise values.absent("user", user_id)
        return found

    def by_email(self, email: str) -> User | None:
        """The user with this address, if there is one."""
        if not values.is_storable(email):
            return None
        query = select(User).where(User.email == email)
        return self._database.read(lambda session: session.scalars(query).one_or_none())

    def change_email(self, user_id: str, email: str) -> None:
        """The new address signs in, the old one does not; whatever is his stays his.

        ``Conflict`` where it is taken.
        """
        self._change(user_id, {"email": values.text(email, "email", EMAIL_MOST, least=1)})

    def change(
        self,
        user_id: str,
        *,
        display_name: str | Same | None = SAME,
        details: Mapping[str, Json] | Same | None = SAME,
    ) -> None:
        """Set what is given; the rest stays. Raises ``NotFound``."""
        changes: dict[str, Any] = {}
        if not isinstance(display_name, Same):
            name = values.text_or_none(display_name, "display_name", NAME_MOST)
            changes["display_name"] = name
        if not isinstance(details, Same):
            changes["details"] = values.json_object(details, "details")
        if changes:
            self._change(user_id, changes)
        else:
            self.get(user_id)

    def set_password(self, user_id: str, password: str) -> None:
        """Another password; every token of before is revoked. Raises ``NotFound``."""
        key, hashed = values.identity(user_id, "user_id"), self._passwords.hashed(password)
        now_us = self._clock.now_us()

        def work(session: Session) -> None:
            _set(session, key, {"password_hash": hashed})
            end_sessions(session, key, now_us)

        self._database.write(work)

    def deactivate(self, user_id: str) -> None:
        """Shut him out: he cannot sign in, and his tokens do not count. Again does nothing."""
        key, now_us = values.identity(user_id, "user_id"), self._clock.now_us()

        def work(session: Session) -> None:
            active = update(User).where(User.id == key, User.deactivated_at_us.is_(None))
            done = changed(session, active.values(deactivated_at_us=now_us))
            if not done and session.get(User, key) is None:
                raise values.absent("user", user_id)

        self._database.write_once(work)

    def activate(self, user_id: str) -> None:
        """Let him in again; tokens that have not run out meanwhile count again."""
        self._change(user_id, {"deactivated_at_us": None})

    def delete(self, user_id: str) -> None:
        """Remove the user with his auth sessions, conversations and their messages.

        Raises ``NotFound``.
        """
        key = values.identity(user_id, "user_id")

        def work(session: Session) -> None:
            if not changed(session, delete(User).where(User.id == key)):
                raise values.absent("user", user_id)

        self._database.write_once(work)

    def _change(self, user_id: str, changes: Mapping[str, Any]) -> None:
        key = values.identity(user_id, "user_id")
        self._database.write_once(lambda session: _set(session, key, changes))


def _set(session: Session, key: str, changes: Mapping[str, Any]) -> None:
    if not changed(session, update(User).where(User.id == key).values(**changes)):
        raise values.absent("user", key)
