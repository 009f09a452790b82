"""Queries by name. Each is one statement, which filters, sorts and cuts in the database.

Who or what is unknown has nothing: a query answers an empty list, 0 or None, and no error.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Numeric, case, cast, func, select

from sessionproof.contract.clock import Clock
from sessionproof.portal.auth import going_on
from sessionproof.portal.database import Database
from sessionproof.portal.models import (
    EMAIL_MOST,
    STATUSES,
    AuthSession,
    Conversation,
    Message,
    User,
)
from sessionproof.portal.values import one_of, text, whole

SEARCH_MOST = 1_000
"""Most characters of a text to search for: SQLite has a limit for patterns."""

LARGEST_BY = {"messages": Conversation.message_count, "tokens": Conversation.total_tokens}
"""What makes a conversation large."""

_Query: TypeAlias = Any
"""A ``Select``: releases of SQLAlchemy differ in what they say about its rows."""

_LATENCY = "latency_us"
_ID_MOST = 255


class Queries:
    """What is asked of a portal's database. Models that are answered are what was read."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def count_users(self, *, active: bool | None = None) -> int:
        """How many users there are; with ``active``, only those who are, or are not."""
        count = select(func.count()).select_from(User)
        if active is not None:
            count = count.where(User.deactivated_at_us.is_(None) == active)
        return self._one(count)

    def user_by_email(self, email: str) -> User | None:
        """Who signs in with this address, letter by letter."""
        query = select(User).where(User.email == text(email, "email", EMAIL_MOST))
        return next(iter(self._all(query)), None)

    def conversations_of(
        self,
        user_id: str,
        *,
        status: str | None = None,
        hidden: bool = False,
        limit: int = 100,
    ) -> list[Conversation]:
        """A user's conversations, the one with the newest message first; hidden ones if asked."""
        query = select(Conversation).where(
            Conversation.user_id == text(user_id, "user_id", _ID_MOST)
        )
        if status is not None:
            query = query.where(Conversation.status == one_of(status, "status", STATUSES))
        if not hidden:
            query = query.where(Conversation.hidden_at_us.is_(None))
        return self._all(_newest_first(query).limit(whole(limit, "limit", least=1)))

    def hidden_conversations(self, user_id: str, *, limit: int = 100) -> list[Conversation]:
        """Those of a user that are hidden, the one that was hidden last first."""
        query = select(Conversation).where(
            Conversation.user_id == text(user_id, "user_id", _ID_MOST),
            Conversation.hidden_at_us.is_not(None),
        )
        order = (Conversation.hidden_at_us.desc(), Conversation.id)
        return self._all(query.order_by(*order).limit(whole(limit, "limit", least=1)))

    def largest_conversations(
        self, *, by: str = "messages", user_id: str | None = None, limit: int = 10
    ) -> list[Conversation]:
        """Those with the most messages or tokens, of all users or of one, hidden or not."""
        size = LARGEST_BY[one_of(by, "by", tuple(LARGEST_BY))]
        query = select(Conversation).order_by(size.desc(), Conversation.id)
        return self._all(_of_user(query, user_id).limit(whole(limit, "limit", least=1)))

    def messages_of(
        self, conversation_id: str, *, after_seq: int = 0, limit: int | None = None
    ) -> list[Message]:
        """A conversation's messages in their order: all, or so many after a number."""
        query = select(Message).where(
            Message.conversation_id == text(conversation_id, "conversation_id", _ID_MOST),
            Message.seq > whole(after_seq, "after_seq"),
        )
        query = query.order_by(Message.seq)
        return self._all(query if limit is None else query.limit(whole(limit, "limit", least=1)))

    def count_by_role(
        self, *, conversation_id: str | None = None, user_id: str | None = None
    ) -> dict[str, int]:
        """How many messages each role has: of all, of a conversation, or of a user's."""
        query = select(Message.role, func.count()).group_by(Message.role)
        if conversation_id is not None:
            query = query.where(
                Message.conversation_id == text(conversation_id, "conversation_id", _ID_MOST)
            )
        if user_id is not None:
            query = _of_user(query.join(Conversation), user_id)
        return dict(self._database.read(lambda session: session.execute(query).all()))

    def tokens(self, *, conversation_id: str | None = None, user_id: str | None = None) -> int:
        """The tokens of all conversations, of one, or of a user's; unknown ones count as 0."""
        query = _of_user(select(func.coalesce(func.sum(Conversation.total_tokens), 0)), user_id)
        if conversation_id is not None:
            query = query.where(
                Conversation.id == text(conversation_id, "conversation_id", _ID_MOST)
            )
        return self._one(query)

    def active_auth_sessions(
        self, user_id: str | None = None, *, limit: int = 1_000
    ) -> list[AuthSession]:
        """Those whose token counts now, the last one used first: of all users, or of one."""
        query = select(AuthSession).where(going_on(self._clock.now_us()))
        if user_id is not None:
            query = query.where(AuthSession.user_id == text(user_id, "user_id", _ID_MOST))
        order = (AuthSession.last_activity_us.desc(), AuthSession.id)
        return self._all(query.order_by(*order).limit(whole(limit, "limit", least=1)))

    def search(self, words: str, *, user_id: str | None = None, limit: int = 50) -> list[Message]:
        r"""Messages whose content has these words in it as they stand, the newest first.

        ``%``, ``_`` and ``\`` are themselves. Upper and lower case are
        the same in the letters that the database knows: SQLite's are those of ASCII, PostgreSQL's
        those of the database's locale. Every message is looked at, or every one of the user.
        """
        wanted = text(words, "words", SEARCH_MOST, least=1)
        query = select(Message).where(Message.content.icontains(wanted, autoescape=True))
        if user_id is not None:
            query = _of_user(query.join(Conversation), user_id)
        order = (Message.created_at_us.desc(), Message.conversation_id, Message.seq.desc())
        return self._all(query.order_by(*order).limit(whole(limit, "limit", least=1)))

    def slow_responses(
        self, least_us: int, *, user_id: str | None = None, limit: int = 50
    ) -> list[Message]:
        """Messages whose metadata has a ``latency_us`` of at least so much, the slowest first.

        A latency that is no number is none.
        """
        latency = _latency(self._database.dialect)
        query = select(Message).where(latency >= whole(least_us, "least_us", least=1))
        if user_id is not None:
            query = _of_user(query.join(Conversation), user_id)
        order = (latency.desc(), Message.conversation_id, Message.seq)
        return self._all(query.order_by(*order).limit(whole(limit, "limit", least=1)))

    def _all(self, query: _Query) -> list[Any]:
        return self._database.read(lambda session: [*session.scalars(query)])

    def _one(self, query: _Query) -> int:
        return int(self._database.read(lambda session: session.scalars(query).one()))


def _of_user(query: _Query, user_id: str | None) -> _Query:
    if user_id is None:
        return query
    return query.where(Conversation.user_id == text(user_id, "user_id", _ID_MOST))


def _newest_first(query: _Query) -> _Query:
    newest = func.coalesce(Conversation.last_message_at_us, Conversation.created_at_us)
    return query.order_by(newest.desc(), Conversation.id)


def _latency(dialect: str) -> ColumnElement[Any]:
    """The number in the metadata, NULL where there is none; a text is never made a number."""
    value: ColumnElement[Any] = Message.details[_LATENCY]
    kind = (
        func.json_type(Message.details, f'$."{_LATENCY}"')
        if dialect == "sqlite"
        else func.json_typeof(value)
    )
    numbers = ("integer", "real", "number")
    return case((kind.in_(numbers), cast(value.as_string(), Numeric)), else_=None)
