"""Adding messages: one statement for a whole batch, which gets the next numbers.

On PostgreSQL that statement also sees to the auth session and locks the conversation, so an append
asks the server once. Locks are taken in one order everywhere: user, auth sessions, conversation,
messages; so no two wait for each other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from sessionproof.contract.errors import Conflict, Expired, NotFound, Refused, TooLarge
from sessionproof.contract.message import Json
from sessionproof.portal import values
from sessionproof.portal.auth import why_not
from sessionproof.portal.database import changed
from sessionproof.portal.models import CONTENT_MOST, ROLES, AuthSession, Conversation

Row: TypeAlias = tuple[str, str, int | None, int, str | None]
"""Role, content, tokens, time, metadata as JSON text."""

_TEXTS = ("request_id", "source", "model")

# As ``auth.going_on`` and ``auth.later`` have it.
_ACTIVITY = """
    UPDATE auth_sessions SET last_activity_us = CASE
        WHEN last_activity_us BETWEEN :now_us AND :now_us + 60000000 THEN last_activity_us
        ELSE :now_us END
    WHERE id = :auth_session_id AND ended_at_us IS NULL
      AND (expires_at_us IS NULL OR expires_at_us > :now_us)
      AND user_id = (SELECT user_id FROM conversations WHERE id = :id)
      AND EXISTS (
          SELECT 1 FROM users WHERE id = auth_sessions.user_id AND deactivated_at_us IS NULL)
"""
_TOUCH = text(_ACTIVITY)
_COLUMNS = "conversation_id, seq, role, content, tokens, created_at_us, metadata"

# CROSS JOIN: the conversation first, then the messages in their order.
_SQLITE = text(f"""
    INSERT INTO messages ({_COLUMNS})
    SELECT c.id, c.next_seq + e.key, json_extract(e.value, '$[0]'), json_extract(e.value, '$[1]'),
        json_extract(e.value, '$[2]'), json_extract(e.value, '$[3]'), json_extract(e.value, '$[4]')
    FROM conversations AS c CROSS JOIN json_each(:batch) AS e
    WHERE c.id = :id AND c.status = 'active'
    RETURNING seq
""")

_BATCH = """
    unnest(
        CAST(:roles AS text[]), CAST(:contents AS text[]), CAST(:tokens AS bigint[]),
        CAST(:times AS bigint[]), CAST(:details AS text[])
    ) WITH ORDINALITY AS b (role, content, tokens, created_at_us, metadata, place)
"""
_INSERT = f"""
    INSERT INTO messages ({_COLUMNS})
    SELECT c.id, c.next_seq + b.place - 1, b.role, b.content, b.tokens, b.created_at_us,
        CAST(b.metadata AS json)
    FROM c, {_BATCH} ORDER BY b.place
    RETURNING seq
"""
_LOCKED = "SELECT id, next_seq FROM conversations WHERE id = :id AND status = 'active'"
_POSTGRES = text(f"WITH c AS MATERIALIZED ({_LOCKED} FOR UPDATE) {_INSERT}")
# The auth session is left alone where the conversation takes no message.
_POSTGRES_IN = text(f"""
    WITH a AS ({_ACTIVITY} AND EXISTS ({_LOCKED}) RETURNING id),
    c AS MATERIALIZED ({_LOCKED} AND EXISTS (SELECT 1 FROM a) FOR UPDATE)
    {_INSERT}
""")


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message that is to be added; without a time it gets the portal's.

    Of the details some keys have a meaning: ``request_id``, ``source`` and ``model`` are texts,
    ``latency_us`` is a whole number, ``sources`` a list. Others are free.
    """

    role: str
    content: str
    tokens: int | None = None
    details: Mapping[str, Json] | None = None
    created_at_us: int | None = None


def rows_of(messages: Sequence[NewMessage], now_us: int) -> list[Row]:
    """The messages as rows; raises ``Refused`` and its kinds before anything is written."""
    return [_row(one, now_us) for one in messages]


def append(session: Session, conversation_id: str, rows: Sequence[Row]) -> tuple[int, ...]:
    """Within a transaction: add the rows, and answer their numbers.

    Raises ``NotFound``, or ``Expired`` where the conversation is archived.
    """
    seqs = _inserted(session, conversation_id, rows)
    if not seqs:
        raise _why(session, conversation_id)
    return seqs


def append_in(
    session: Session, conversation_id: str, rows: Sequence[Row], auth_session_id: str, now_us: int
) -> tuple[int, ...]:
    """The same as activity of an auth session; ``Expired`` where that has ended.

    A conversation of another user's is ``NotFound``, as one that there is not.
    """
    given = {"id": conversation_id, "auth_session_id": auth_session_id, "now_us": now_us}
    if _dialect(session) == "sqlite":
        if not changed(session, _TOUCH, given):
            raise _why_in(session, conversation_id, auth_session_id, now_us)
        return append(session, conversation_id, rows)
    values_of = _arrays(conversation_id, rows) | given
    seqs = tuple(session.execute(_POSTGRES_IN, values_of).scalars())
    if not seqs:
        raise _why_in(session, conversation_id, auth_session_id, now_us)
    return seqs


def checked_details(details: object) -> dict[str, Json] | None:
    """A message's metadata, its known keys of their types; raises ``Refused``."""
    checked = values.json_object(details, "details")
    for name, value in (checked or {}).items():
        if name in _TEXTS and type(value) is not str:
            raise Refused(f"{name} must be a text")
        if name == "latency_us":
            values.whole(value, name)
        if name == "sources" and type(value) not in (list, tuple):
            raise Refused("sources must be a list")
    return checked


def checked_content(content: object) -> str:
    """A message's text, which has at most ``CONTENT_MOST`` bytes of UTF-8."""
    checked = values.text(content, "content", CONTENT_MOST)
    if not checked.isascii() and len(checked.encode()) > CONTENT_MOST:
        raise TooLarge(f"content has more than {CONTENT_MOST} bytes of UTF-8")
    return checked


def _row(message: NewMessage, now_us: int) -> Row:
    details = checked_details(message.details)
    return (
        values.one_of(message.role, "role", ROLES),
        checked_content(message.content),
        values.whole_or_none(message.tokens, "tokens"),
        now_us
        if message.created_at_us is None
        else values.whole(message.created_at_us, "created_at_us"),
        None if details is None else json.dumps(details, ensure_ascii=False, allow_nan=False),
    )


def _inserted(session: Session, conversation_id: str, rows: Sequence[Row]) -> tuple[int, ...]:
    if _dialect(session) == "sqlite":
        given = {"id": conversation_id, "batch": json.dumps(rows, ensure_ascii=False)}
        return tuple(session.execute(_SQLITE, given).scalars())
    return tuple(session.execute(_POSTGRES, _arrays(conversation_id, rows)).scalars())


def _arrays(conversation_id: str, rows: Sequence[Row]) -> dict[str, Any]:
    names = ("roles", "contents", "tokens", "times", "details")
    columns = [list(column) for column in zip(*rows, strict=True)]
    return {"id": conversation_id, **dict(zip(names, columns, strict=True))}


def _why(session: Session, conversation_id: str, otherwise: Refused | None = None) -> Refused:
    """The error for a conversation that takes no message."""
    query = select(Conversation.status).where(Conversation.id == conversation_id)
    status = session.scalars(query).one_or_none()
    if status is None:
        return values.absent("conversation", conversation_id)
    if status != "active":
        return Expired(f"the conversation is {status}, and takes no messages")
    return otherwise or Conflict("the conversation was changed meanwhile: try again")


def _why_in(session: Session, conversation_id: str, auth_session_id: str, now_us: int) -> Refused:
    """The error for an append as activity of an auth session; whose it is not learns nothing."""
    ended = why_not(session, AuthSession.id == auth_session_id, now_us)
    if not isinstance(ended, Expired | NotFound):
        own = select(AuthSession.id).join(Conversation, Conversation.user_id == AuthSession.user_id)
        where = (AuthSession.id == auth_session_id, Conversation.id == conversation_id)
        if session.scalars(own.where(*where)).first() is None:
            return values.absent("conversation", conversation_id)
    return _why(session, conversation_id, ended)


def _dialect(session: Session) -> str:
    return session.get_bind().dialect.name
