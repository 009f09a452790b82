"""The tables of a portal, as typed models: users, auth sessions, conversations, messages.

Times are integer microseconds since 1970-01-01 UTC. Ids are random and are never made of what
somebody wrote. The columns that end with the words below are kept by triggers of the database
(``migrations/``), for every writer: ``next_seq``, ``message_count``, ``total_tokens``,
``updated_at_us``, ``last_message_at_us``.

What a migration makes and what stands here is the same; a test holds both together.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Computed,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Text,
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from sessionproof.contract.message import Json

ROLES = ("user", "assistant", "system", "developer", "tool")
"""Who speaks in a message."""

STATUSES = ("active", "archived")
"""What a conversation can be; an archived one takes no messages."""

ENDS = ("expired", "revoked")
"""Why an auth session was ended."""

EMAIL_MOST = 320
NAME_MOST = 255
TITLE_MOST = 500
CONTENT_MOST = 16_777_216
"""Most characters of a text; a message has as many bytes of UTF-8 at most."""

_IDENTITY = 36


class JsonObject(JSON):
    """A JSON object: JSON on PostgreSQL, TEXT that is checked to be one on SQLite."""

    def __init__(self) -> None:
        super().__init__(none_as_null=True)


@compiles(JsonObject, "sqlite")
def _as_text(_type: JsonObject, _compiler: Any, **_: Any) -> str:
    return "TEXT"  # a strict table of SQLite knows no JSON


class Base(DeclarativeBase):
    """What the models share: names of constraints, and one type for each kind of value."""

    metadata = MetaData(
        naming_convention={
            "ix": "%(table_name)s_by_%(column_0_N_name)s",
            "uq": "%(table_name)s_have_one_%(column_0_N_name)s",
            "ck": "%(table_name)s_%(constraint_name)s",
            "fk": "%(table_name)s_to_%(referred_table_name)s",
            "pk": "%(table_name)s_key",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy asks for it here
        int: BigInteger().with_variant(Integer(), "sqlite"),
        str: Text(),
        dict[str, Json]: JsonObject(),
    }


def _one_of(column: str, words: tuple[str, ...], name: str) -> CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=name)


def _length(column: str, most: int, least: int = 0) -> CheckConstraint:
    return CheckConstraint(f"length({column}) BETWEEN {least} AND {most}", name=f"{column}_length")


def _objects() -> tuple[CheckConstraint, CheckConstraint]:
    """What the column ``metadata`` may hold, in each database's words.

    The second form keeps out what PostgreSQL cannot look into: U+0000 and lone surrogates.
    """
    return (
        CheckConstraint(
            "metadata IS NULL OR (json_valid(metadata) AND json_type(metadata) = 'object')",
            name="metadata_object",
        ).ddl_if(dialect="sqlite"),
        CheckConstraint(
            "metadata IS NULL OR jsonb_typeof(metadata::jsonb) = 'object'",
            name="metadata_object",
        ).ddl_if(dialect="postgresql"),
    )


_STRICT = {"sqlite_strict": True}


class User(Base):
    """A person. The id stays, whatever the address becomes."""

    __tablename__ = "users"
    __table_args__ = (
        _length("id", _IDENTITY, 1),
        _length("email", EMAIL_MOST, 1),
        _length("display_name", NAME_MOST),
        *_objects(),
        _STRICT,
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str | None]
    """Argon2's; None: nobody can sign in as this user."""
    created_at_us: Mapped[int]
    display_name: Mapped[str | None]
    deactivated_at_us: Mapped[int | None]
    last_login_us: Mapped[int | None]
    details: Mapped[dict[str, Json] | None] = mapped_column("metadata")

    @property
    def is_active(self) -> bool:
        """Whether he may sign in, and his tokens count."""
        return self.deactivated_at_us is None

    def __repr__(self) -> str:
        return f"User({self.id!r}, {self.email!r})"


class AuthSession(Base):
    """A user who has signed in; the token itself is nowhere, only its digest.

    It is over from ``expires_at_us`` on, which the database computes, or once it was ended.
    """

    __tablename__ = "auth_sessions"
    __table_args__ = (
        _length("id", _IDENTITY, 1),
        _length("token_digest", 64, 64),
        CheckConstraint("idle_us >= 1", name="idle_us_from_one"),
        _one_of("ended_by", ENDS, "ended_by_known"),
        CheckConstraint("(ended_at_us IS NULL) = (ended_by IS NULL)", name="ended_by_something"),
        Index(
            "auth_sessions_by_expires_at_us",
            "expires_at_us",
            sqlite_where=text("ended_at_us IS NULL AND expires_at_us IS NOT NULL"),
            postgresql_where=text("ended_at_us IS NULL AND expires_at_us IS NOT NULL"),
        ),
        _STRICT,
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), index=True)
    token_digest: Mapped[str] = mapped_column(unique=True)
    created_at_us: Mapped[int]
    last_activity_us: Mapped[int]
    idle_us: Mapped[int | None]
    """It ends so long after the last activity; None: never for that reason."""
    hard_deadline_us: Mapped[int | None]
    """It ends then, however busy it is."""
    expires_at_us: Mapped[int | None] = mapped_column(
        Computed(
            "CASE WHEN idle_us IS NULL THEN hard_deadline_us "
            "WHEN hard_deadline_us IS NULL OR last_activity_us + idle_us < hard_deadline_us "
            "THEN last_activity_us + idle_us ELSE hard_deadline_us END",
            persisted=True,
        )
    )
    """The earlier of both; computed, so it is never out of step."""
    ended_at_us: Mapped[int | None]
    ended_by: Mapped[str | None]

    def __repr__(self) -> str:
        return f"AuthSession({self.id!r}, user_id={self.user_id!r})"


class Conversation(Base):
    """What a user and a model said to each other, with counts and times kept by the database."""

    __tablename__ = "conversations"
    __table_args__ = (
        _length("id", _IDENTITY, 1),
        _length("title", TITLE_MOST),
        _length("model", NAME_MOST),
        _one_of("status", STATUSES, "status_known"),
        CheckConstraint("message_count >= 0 AND message_count < next_seq", name="count_in_bounds"),
        CheckConstraint("total_tokens >= 0", name="total_tokens_from_zero"),
        *_objects(),
        _STRICT,
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), index=True)
    status: Mapped[str] = mapped_column(server_default="active")
    next_seq: Mapped[int] = mapped_column(server_default=text("1"))
    message_count: Mapped[int] = mapped_column(server_default=text("0"))
    total_tokens: Mapped[int] = mapped_column(server_default=text("0"))
    created_at_us: Mapped[int]
    updated_at_us: Mapped[int]
    """It rises with every change, also where the clock stands or steps back."""
    last_message_at_us: Mapped[int | None]
    last_opened_us: Mapped[int | None]
    hidden_at_us: Mapped[int | None]
    """None: it is shown in lists."""
    title: Mapped[str | None]
    model: Mapped[str | None]
    details: Mapped[dict[str, Json] | None] = mapped_column("metadata")

    def __repr__(self) -> str:
        return f"Conversation({self.id!r}, message_count={self.message_count!r})"


class Message(Base):
    """One message; its number in the conversation is never given again.

    Of the metadata some keys have a meaning: ``request_id``, ``source``, ``model``,
    ``latency_us``, ``sources``.
    """

    __tablename__ = "messages"
    __table_args__ = (
        _one_of("role", ROLES, "role_known"),
        CheckConstraint("seq >= 1", name="seq_from_one"),
        CheckConstraint("tokens >= 0", name="tokens_from_zero"),
        _length("content", CONTENT_MOST),
        *_objects(),
        _STRICT,
    )

    conversation_id: Mapped[str] = mapped_column(
        ForeignKey(Conversation.id, ondelete="CASCADE"), primary_key=True
    )
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    role: Mapped[str]
    content: Mapped[str]
    tokens: Mapped[int | None]
    """None: unknown, which totals count as 0."""
    created_at_us: Mapped[int]
    details: Mapped[dict[str, Json] | None] = mapped_column("metadata")

    @property
    def id(self) -> str:
        """By what the message is known: its conversation's id is random, its number its own."""
        return f"{self.conversation_id}.{self.seq}"

    def __repr__(self) -> str:
        return f"Message({self.id!r}, {self.role!r})"
