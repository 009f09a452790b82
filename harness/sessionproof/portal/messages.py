"""Messages: added, read, edited, removed; each has a number that is its own for ever."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, delete, select, update
from sqlalchemy.orm import Session

from sessionproof.contract.clock import Clock
from sessionproof.contract.errors import NotFound
from sessionproof.contract.message import Json
from sessionproof.portal import values
from sessionproof.portal.appending import (
    NewMessage,
    append,
    append_in,
    checked_content,
    checked_details,
    rows_of,
)
from sessionproof.portal.database import Database, changed
from sessionproof.portal.failures import ERRORS, UnreadableError
from sessionproof.portal.models import ROLES, Conversation, Message
from sessionproof.portal.values import SAME, Same

_LOG = logging.getLogger("sessionproof.portal")


class Messages:
    """The messages of a portal's conversations.

    What a damaged file has in the place of one message does not hide the others: it is left out,
    and told as a warning to the log ``sessionproof.portal``.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def append(
        self,
        conversation_id: str,
        messages: Sequence[NewMessage],
        *,
        auth_session_id: str | None = None,
    ) -> tuple[int, ...]:
        """Add messages to the end of a conversation, all or none; answers their numbers.

        With an auth session this is its activity, and refused with ``Expired`` when that has
        ended. ``Expired`` for an archived conversation, too. Raises ``NotFound``, and ``Refused``
        and its kinds for what cannot be stored.
        """
        key = _key(conversation_id)
        rows = rows_of(messages, self._clock.now_us())
        if not rows:
            return ()
        if auth_session_id is None:
            return self._database.write_once(lambda session: append(session, key, rows))
        auth = values.identity(auth_session_id, "auth_session_id")
        return self._database.write_once(
            lambda session: append_in(session, key, rows, auth, self._clock.now_us())
        )

    def read(self, conversation_id: str) -> list[Message]:
        """All messages, oldest first; raises ``NotFound``."""
        return self._selected(conversation_id, _of(conversation_id).order_by(Message.seq))

    def read_last(self, conversation_id: str, n: int) -> list[Message]:
        """The newest ``n`` messages, oldest first; raises ``NotFound``."""
        newest = _of(conversation_id).order_by(Message.seq.desc())
        found = self._selected(conversation_id, newest.limit(values.whole(n, "n")))
        found.reverse()
        return found

    def page(self, conversation_id: str, *, after: int = 0, limit: int = 50) -> list[Message]:
        """At most ``limit`` messages with numbers above ``after``, oldest first.

        The last one's number is where the next page begins. Raises ``NotFound``.
        """
        rest = _of(conversation_id).where(Message.seq > values.whole(after, "after"))
        limited = rest.order_by(Message.seq).limit(values.whole(limit, "limit", least=1))
        return self._selected(conversation_id, limited)

    def edit(
        self,
        conversation_id: str,
        seq: int,
        *,
        role: str | Same = SAME,
        content: str | Same = SAME,
        tokens: int | Same | None = SAME,
        details: Mapping[str, Json] | Same | None = SAME,
        created_at_us: int | Same = SAME,
    ) -> None:
        """Set what is given; the rest stays, and its place does always. Raises ``NotFound``."""
        changes: dict[str, Any] = {}
        if not isinstance(role, Same):
            changes["role"] = values.one_of(role, "role", ROLES)
        if not isinstance(content, Same):
            changes["content"] = checked_content(content)
        if not isinstance(tokens, Same):
            changes["tokens"] = values.whole_or_none(tokens, "tokens")
        if not isinstance(details, Same):
            changes["details"] = checked_details(details)
        if not isinstance(created_at_us, Same):
            changes["created_at_us"] = values.whole(created_at_us, "created_at_us")
        if changes:
            self._changed(conversation_id, seq, update(Message).values(**changes))

    def delete(self, conversation_id: str, seq: int) -> None:
        """Remove a message; its number is never given again. Raises ``NotFound``."""
        self._changed(conversation_id, seq, delete(Message))

    def _changed(self, conversation_id: str, seq: int, statement: Any) -> None:
        """Carry the statement out for one message, and tell the conversation the portal's time."""
        key, number = _key(conversation_id), values.whole(seq, "seq", least=1)
        now_us = self._clock.now_us()
        here = statement.where(Message.conversation_id == key, Message.seq == number)
        lock = select(Conversation.updated_at_us).where(Conversation.id == key).with_for_update()
        its = update(Conversation).where(Conversation.id == key)

        def work(session: Session) -> None:
            told_us = session.scalars(lock).one_or_none()
            if told_us is None or not changed(session, here):
                raise NotFound(f"there is no message {values.short(f'{conversation_id}.{seq}')}")
            changed(session, its.values(updated_at_us=max(now_us, told_us + 1)))

        self._database.write(work)

    def _selected(self, conversation_id: str, query: Select[Message]) -> list[Message]:
        key = _key(conversation_id)

        def work(session: Session) -> list[Message]:
            found = list(session.scalars(query))
            if not found and session.get(Conversation, key) is None:
                raise values.absent("conversation", conversation_id)
            return found

        try:
            return self._database.read(work)
        except UnreadableError:
            return self._database.moment(lambda session: _one_by_one(session, key, query))


def _one_by_one(session: Session, key: str, query: Select[Any]) -> list[Message]:
    """The messages that can be read, where one of them cannot."""
    found = []
    for seq in session.scalars(query.with_only_columns(Message.seq)).all():
        one = select(Message).where(Message.conversation_id == key, Message.seq == seq)
        try:
            found.append(session.scalars(one).one())
        except ERRORS:
            _LOG.warning("message %s.%d cannot be read: the file is damaged there", key, seq)
    return found


def _of(conversation_id: str) -> Select[Message]:
    return select(Message).where(Message.conversation_id == _key(conversation_id))


def _key(conversation_id: object) -> str:
    return values.identity(conversation_id, "conversation_id")
