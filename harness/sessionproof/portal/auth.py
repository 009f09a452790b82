"""Auth sessions: signing in, the tokens that stand for it, and how they end.

A session ends by its limits, by signing out, or by being revoked. ``expires_at_us`` is computed by
the database from the last activity and the limits, and judged against the portal's clock alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, insert, or_, select, update
from sqlalchemy.orm import Session

from sessionproof.contract.clock import Clock
from sessionproof.contract.errors import Expired, NotFound, Refused
from sessionproof.portal import values
from sessionproof.portal.database import Database, changed
from sessionproof.portal.models import AuthSession, User
from sessionproof.portal.passwords import Passwords
from sessionproof.portal.tokens import digest_of, new_token

_WRONG = "the e-mail or the password is wrong"
_BATCH = 500  # most that one statement of a sweep ends
_LATE_US = 60_000_000
_PROOFS = 2  # another sign-in may have made the hash anew, as this one was about to
_NOT_REVOKED = AuthSession.ended_by.is_distinct_from("revoked")


@dataclass(frozen=True, slots=True)
class Limits:
    """How long an auth session lives without activity, and at all; None: for ever."""

    idle_us: int | None = 24 * 3_600_000_000
    hard_us: int | None = 30 * 24 * 3_600_000_000


class Auth:
    """Who is who: passwords become tokens, and tokens stand for users until they end."""

    def __init__(
        self, database: Database, clock: Clock, passwords: Passwords, limits: Limits
    ) -> None:
        self._database = database
        self._clock = clock
        self._passwords = passwords
        self._limits = limits

    def sign_in(
        self, email: str, password: str, *, idle_us: int | None = None, hard_us: int | None = None
    ) -> str:
        """A new token. Without limits it has the portal's own.

        ``Refused`` in the same words, and after the same time, whether the address or the password
        is wrong; and for a user who is not active.
        """
        token = new_token()
        for _ in range(_PROOFS):
            user = self._proved(email, password)
            changes: dict[str, Any] = {"last_login_us": self._clock.now_us()}
            if self._passwords.is_old(str(user.password_hash)):
                changes["password_hash"] = self._passwords.hashed(password)
            row = self._row(user.id, token, idle_us, hard_us)
            if self._database.write(partial(_signed_in, user=user, changes=changes, row=row)):
                return token
        raise Refused("the user was changed meanwhile: try again")

    def begin(self, user_id: str, *, idle_us: int | None = None, hard_us: int | None = None) -> str:
        """A token for a user who has proved elsewhere who he is. Raises ``NotFound``."""
        token = new_token()
        row = self._row(values.identity(user_id, "user_id"), token, idle_us, hard_us)
        begun = insert(AuthSession).values(**row)
        self._database.write_once(lambda session: changed(session, begun))
        return token

    def resume(self, token: str) -> AuthSession:
        """The auth session of the token, whose activity this is.

        ``Expired`` when it has ended, ``NotFound`` when there is none, ``Refused`` while its user
        is not active.
        """
        found = AuthSession.token_digest == _digest(token)
        return self._database.write_once(lambda session: acted(session, found, self._clock))

    def touch(self, auth_session_id: str) -> AuthSession:
        """The same by the session's id."""
        found = AuthSession.id == values.identity(auth_session_id, "auth_session_id")
        return self._database.write_once(lambda session: acted(session, found, self._clock))

    def get(self, auth_session_id: str) -> AuthSession:
        """The auth session as it is, ended ones too; no activity. Raises ``NotFound``."""
        key = values.identity(auth_session_id, "auth_session_id")
        found = self._database.read(lambda session: session.get(AuthSession, key))
        if found is None:
            raise values.absent("auth session", auth_session_id)
        return found

    def sign_out(self, token: str) -> None:
        """End this token alone, for good; again does nothing. Raises ``NotFound``."""
        self._revoke(AuthSession.token_digest == _digest(token))

    def revoke(self, auth_session_id: str) -> None:
        """End the auth session for good; again does nothing. Raises ``NotFound``."""
        self._revoke(AuthSession.id == values.identity(auth_session_id, "auth_session_id"))

    def revoke_all(self, user_id: str) -> int:
        """End all auth sessions of the user for good; answers how many were not revoked before."""
        key, now_us = values.identity(user_id, "user_id"), self._clock.now_us()
        return self._database.write_once(lambda session: end_sessions(session, key, now_us))

    def set_limits(
        self, auth_session_id: str, *, idle_us: int | None = None, hard_us: int | None = None
    ) -> None:
        """Let it end ``idle_us`` after its last activity, or ``hard_us`` after now; None: never.

        This is activity. One that has ended stays ended. Raises ``NotFound``.
        """
        key = values.identity(auth_session_id, "auth_session_id")
        now_us = self._clock.now_us()
        deadlines = _deadlines(idle_us, hard_us, now_us)
        over = and_(AuthSession.ended_at_us.is_(None), AuthSession.expires_at_us <= now_us)
        change = (
            update(AuthSession)
            .where(AuthSession.id == key)
            .values(
                last_activity_us=later(now_us),
                ended_at_us=case((over, now_us), else_=AuthSession.ended_at_us),
                ended_by=case((over, "expired"), else_=AuthSession.ended_by),
                **deadlines,
            )
        )

        def work(session: Session) -> None:
            if not changed(session, change):
                raise values.absent("auth session", auth_session_id)

        self._database.write_once(work)

    def reopen(self, auth_session_id: str) -> None:
        """Let one that has expired go on, which is activity; one that goes on does.

        ``Expired`` past its hard limit, and for one that was revoked; raises ``NotFound``.
        """
        key = values.identity(auth_session_id, "auth_session_id")
        now_us = self._clock.now_us()
        reopenable = update(AuthSession).where(
            AuthSession.id == key,
            _NOT_REVOKED,
            or_(AuthSession.hard_deadline_us.is_(None), AuthSession.hard_deadline_us > now_us),
        )

        def work(session: Session) -> None:
            anew = {"last_activity_us": later(now_us), "ended_at_us": None, "ended_by": None}
            if changed(session, reopenable.values(**anew)):
                return
            if session.get(AuthSession, key) is None:
                raise values.absent("auth session", auth_session_id)
            raise Expired("the auth session was revoked, or is past its hard limit")

        self._database.write_once(work)

    def sweep(self) -> tuple[str, ...]:
        """Write down the end of all that have run out; answers their ids.

        Each is told once, to one of all callers.
        """
        now_us = self._clock.now_us()
        due = (
            select(AuthSession.id)
            .where(AuthSession.ended_at_us.is_(None), AuthSession.expires_at_us <= now_us)
            .order_by(AuthSession.expires_at_us)
            .limit(_BATCH)
            .with_for_update(skip_locked=True)
        )
        some = (
            update(AuthSession)
            .where(AuthSession.id.in_(due.scalar_subquery()), AuthSession.ended_at_us.is_(None))
            .values(ended_at_us=now_us, ended_by="expired")
            .returning(AuthSession.id)
        )
        ended: list[str] = []
        while True:
            found = self._database.write_once(lambda session: session.scalars(some).all())
            ended += found
            if len(found) < _BATCH:
                return tuple(ended)

    def _proved(self, email: str, password: str) -> User:
        """The active user whose address and password these are."""
        query = select(User).where(User.email == email)
        user = None
        if values.is_storable(email):
            user = self._database.read(lambda session: session.scalars(query).one_or_none())
        if not self._passwords.fits(None if user is None else user.password_hash, password):
            raise Refused(_WRONG)
        assert user is not None
        if not user.is_active:
            raise Refused("the user is not active")
        return user

    def _row(
        self, user_id: str, token: str, idle_us: int | None, hard_us: int | None
    ) -> dict[str, Any]:
        now_us = self._clock.now_us()
        if idle_us is None and hard_us is None:
            idle_us, hard_us = self._limits.idle_us, self._limits.hard_us
        return new_row(user_id, token, now_us, idle_us, hard_us)

    def _revoke(self, found: ColumnElement[bool]) -> None:
        now_us = self._clock.now_us()
        going_on = update(AuthSession).where(found, _NOT_REVOKED)

        def work(session: Session) -> None:
            done = changed(session, going_on.values(ended_at_us=now_us, ended_by="revoked"))
            if not done and session.scalars(select(AuthSession.id).where(found)).first() is None:
                raise NotFound("there is no such auth session")

        self._database.write_once(work)


def _signed_in(
    session: Session, *, user: User, changes: Mapping[str, Any], row: Mapping[str, Any]
) -> bool:
    """Begin the auth session of a user who is what was proved; whether he still is."""
    unchanged = update(User).where(
        User.id == user.id,
        User.password_hash == user.password_hash,
        User.deactivated_at_us.is_(None),
    )
    if not changed(session, unchanged.values(**changes)):
        return False
    session.execute(insert(AuthSession).values(**row))
    return True


def new_row(
    user_id: str, token: str, now_us: int, idle_us: int | None, hard_us: int | None
) -> dict[str, Any]:
    """The columns of an auth session that begins now."""
    return {
        "id": values.new_id(),
        "user_id": user_id,
        "token_digest": digest_of(token),
        "created_at_us": now_us,
        "last_activity_us": now_us,
        **_deadlines(idle_us, hard_us, now_us),
    }


def acted(session: Session, found: ColumnElement[bool], clock: Clock) -> AuthSession:
    """The auth session that was found, after its activity at this time.

    Raises ``Expired``, ``NotFound``, or ``Refused`` for a user who is not active; then nothing was
    changed.
    """
    now_us = clock.now_us()
    activity = (
        update(AuthSession)
        .where(found, going_on(now_us))
        .values(last_activity_us=later(now_us))
        .returning(AuthSession)
        .execution_options(synchronize_session=False)
    )
    one = session.scalars(activity).one_or_none()
    if one is None:
        raise why_not(session, found, now_us)
    return one


def going_on(now_us: int) -> ColumnElement[bool]:
    """Whether an auth session has not ended, and its user is active."""
    return and_(
        AuthSession.ended_at_us.is_(None),
        or_(AuthSession.expires_at_us.is_(None), AuthSession.expires_at_us > now_us),
        exists().where(User.id == AuthSession.user_id, User.deactivated_at_us.is_(None)),
    )


def why_not(session: Session, found: ColumnElement[bool], now_us: int) -> Refused:
    """The error for an auth session that does not go on."""
    query = select(AuthSession, User.deactivated_at_us).join(User, User.id == AuthSession.user_id)
    row = session.execute(query.where(found)).one_or_none()
    if row is None:
        return NotFound("there is no such auth session")
    one, deactivated_at_us = row
    if one.ended_by is not None:
        return Expired(f"the auth session has ended: it was {one.ended_by}")
    if one.expires_at_us is not None and one.expires_at_us <= now_us:
        return Expired("the auth session has expired")
    if deactivated_at_us is not None:
        return Refused("the user is not active")
    return Refused("the auth session was changed meanwhile: try again")


def end_sessions(session: Session, user_id: str, now_us: int) -> int:
    """Revoke all auth sessions of a user, those that have run out too; answers how many."""
    going = update(AuthSession).where(AuthSession.user_id == user_id, _NOT_REVOKED)
    return changed(session, going.values(ended_at_us=now_us, ended_by="revoked"))


def later(now_us: int) -> ColumnElement[int]:
    """The last activity after one at this time.

    What comes a little early was late in its queue, and moves nothing back; what comes much
    earlier was written by a clock that was set back, which counts from then on.
    """
    last = AuthSession.last_activity_us
    return case((and_(last >= now_us, last <= now_us + _LATE_US), last), else_=now_us)


def _deadlines(idle_us: int | None, hard_us: int | None, now_us: int) -> dict[str, Any]:
    idle = values.whole_or_none(idle_us, "idle_us", least=1)
    hard = values.whole_or_none(hard_us, "hard_us", least=1)
    most = values.MOST_NUMBER - 1
    return {
        "idle_us": None if idle is None else min(idle, most // 2),
        "hard_deadline_us": None if hard is None else min(now_us + hard, most // 2),
    }


def _digest(token: object) -> str:
    if type(token) is not str:
        raise Refused("a token must be a text")
    return digest_of(token)
