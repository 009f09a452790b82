"""Conversations: made, changed, archived, hidden, opened, given to others, removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, case, delete, insert, select, update
from sqlalchemy.orm import Session

from sessionproof.contract.clock import Clock
from sessionproof.contract.message import Json
from sessionproof.portal import values
from sessionproof.portal.appending import NewMessage, append, rows_of
from sessionproof.portal.database import Database, changed
from sessionproof.portal.models import NAME_MOST, TITLE_MOST, Conversation
from sessionproof.portal.values import SAME, Same


class Conversations:
    """The conversations of a portal. Counts and times of their messages are the database's."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def create(
        self,
        user_id: str,
        *,
        title: str | None = None,
        model: str | None = None,
        details: Mapping[str, Json] | None = None,
        messages: Sequence[NewMessage] = (),
    ) -> Conversation:
        """Make a conversation with its first messages: all of it or nothing.

        Raises ``NotFound`` for an unknown user.
        """
        now_us = self._clock.now_us()
        row = new_row(values.identity(user_id, "user_id"), now_us)
        row |= _facts(title, model, details)
        rows = rows_of(messages, now_us)

        def work(session: Session) -> Conversation:
            session.execute(insert(Conversation).values(**row))
            if rows:
                append(session, row["id"], rows)
            return session.get_one(Conversation, row["id"])

        return self._database.write(work)

    def get(self, conversation_id: str, *, user_id: str | None = None) -> Conversation:
        """The conversation; raises ``NotFound``, also where it is not this user's."""
        query = select(Conversation).where(Conversation.id == _key(conversation_id))
        if user_id is not None:
            query = query.where(Conversation.user_id == values.identity(user_id, "user_id"))
        found = self._database.read(lambda session: session.scalars(query).one_or_none())
        if found is None:
            raise values.absent("conversation", conversation_id)
        return found

    def change(
        self,
        conversation_id: str,
        *,
        title: str | Same | None = SAME,
        model: str | Same | None = SAME,
        details: Mapping[str, Json] | Same | None = SAME,
    ) -> None:
        """Set what is given; the rest stays. Raises ``NotFound``."""
        changes = _facts(title, model, details)
        if changes:
            self._change(conversation_id, changes)
        else:
            self.get(conversation_id)

    def archive(self, conversation_id: str) -> None:
        """Close it: it can be read, and takes no messages. Again does nothing."""
        self._change(conversation_id, {"status": "archived"}, Conversation.status == "active")

    def reopen(self, conversation_id: str) -> None:
        """Let an archived one take messages again; one that does stays as it is."""
        self._change(conversation_id, {"status": "active"}, Conversation.status == "archived")

    def hide(self, conversation_id: str) -> None:
        """Leave it out of lists; it goes on otherwise. One that is hidden stays as it is."""
        changes = {"hidden_at_us": self._clock.now_us()}
        self._change(conversation_id, changes, Conversation.hidden_at_us.is_(None))

    def unhide(self, conversation_id: str) -> None:
        """Show it in lists again; one that is shown stays as it is."""
        changes = {"hidden_at_us": None}
        self._change(conversation_id, changes, Conversation.hidden_at_us.is_not(None))

    def opened(self, conversation_id: str) -> None:
        """Remember that somebody looks at it now, which changes nothing of it."""
        key, now_us = _key(conversation_id), self._clock.now_us()
        change = update(Conversation).where(Conversation.id == key)

        def work(session: Session) -> None:
            if not changed(session, change.values(last_opened_us=now_us)):
                raise values.absent("conversation", conversation_id)

        self._database.write_once(work)

    def give_to(self, conversation_id: str, user_id: str) -> None:
        """Let it be another user's; raises ``NotFound`` where either is unknown."""
        self._change(conversation_id, {"user_id": values.identity(user_id, "user_id")})

    def delete(self, conversation_id: str) -> None:
        """Remove it with its messages; raises ``NotFound``."""
        key = _key(conversation_id)

        def work(session: Session) -> None:
            if not changed(session, delete(Conversation).where(Conversation.id == key)):
                raise values.absent("conversation", conversation_id)

        self._database.write_once(work)

    def _change(
        self,
        conversation_id: str,
        changes: Mapping[str, Any],
        where: ColumnElement[bool] | None = None,
    ) -> None:
        """Change it where it is so, and tell the time; raises ``NotFound``."""
        key, now_us = _key(conversation_id), self._clock.now_us()
        change = update(Conversation).where(Conversation.id == key)
        if where is not None:
            change = change.where(where)
        change = change.values(**changes, updated_at_us=risen(now_us))

        def work(session: Session) -> None:
            if not changed(session, change) and session.get(Conversation, key) is None:
                raise values.absent("conversation", conversation_id)

        self._database.write_once(work)


def new_row(user_id: str, now_us: int) -> dict[str, Any]:
    """The columns of a conversation that begins now."""
    return {
        "id": values.new_id(),
        "user_id": user_id,
        "created_at_us": now_us,
        "updated_at_us": now_us,
    }


def risen(now_us: int) -> ColumnElement[int]:
    """When a conversation was changed: now, and never a time that was told before."""
    last = Conversation.updated_at_us
    return case((last < now_us, now_us), else_=last + 1)


def _facts(title: Any, model: Any, details: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if not isinstance(title, Same):
        facts["title"] = values.text_or_none(title, "title", TITLE_MOST)
    if not isinstance(model, Same):
        facts["model"] = values.text_or_none(model, "model", NAME_MOST)
    if not isinstance(details, Same):
        facts["details"] = values.json_object(details, "details")
    return facts


def _key(conversation_id: object) -> str:
    return values.identity(conversation_id, "conversation_id")
