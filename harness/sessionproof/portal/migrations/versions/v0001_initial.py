"""Users, auth sessions, conversations, messages, and the triggers that count and guard."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sessionproof.portal.migrations.running import run_script

revision = "0001"
down_revision = None

_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OBJECT = sa.JSON().with_variant(sa.Text(), "sqlite")
_ID = "length(id) BETWEEN 1 AND 36"


def upgrade() -> None:
    """Make everything."""
    _users()
    _auth_sessions()
    _conversations()
    _messages()
    run_script(op.get_bind(), "v0001")


def _users() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text()),
        sa.Column("created_at_us", _INTEGER, nullable=False),
        sa.Column("display_name", sa.Text()),
        sa.Column("deactivated_at_us", _INTEGER),
        sa.Column("last_login_us", _INTEGER),
        sa.Column("metadata", _OBJECT),
        sa.CheckConstraint(_ID, name="id_length"),
        sa.CheckConstraint("length(email) BETWEEN 1 AND 320", name="email_length"),
        sa.CheckConstraint("length(display_name) BETWEEN 0 AND 255", name="display_name_length"),
        _object(),
        sa.PrimaryKeyConstraint("id", name="users_key"),
        sa.UniqueConstraint("email", name="users_have_one_email"),
        sqlite_strict=True,
    )


def _auth_sessions() -> None:
    op.create_table(
        "auth_sessions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("token_digest", sa.Text(), nullable=False),
        sa.Column("created_at_us", _INTEGER, nullable=False),
        sa.Column("last_activity_us", _INTEGER, nullable=False),
        sa.Column("idle_us", _INTEGER),
        sa.Column("hard_deadline_us", _INTEGER),
        sa.Column(
            "expires_at_us",
            _INTEGER,
            sa.Computed(
                "CASE WHEN idle_us IS NULL THEN hard_deadline_us "
                "WHEN hard_deadline_us IS NULL OR last_activity_us + idle_us < hard_deadline_us "
                "THEN last_activity_us + idle_us ELSE hard_deadline_us END",
                persisted=True,
            ),
        ),
        sa.Column("ended_at_us", _INTEGER),
        sa.Column("ended_by", sa.Text()),
        sa.CheckConstraint(_ID, name="id_length"),
        sa.CheckConstraint("length(token_digest) BETWEEN 64 AND 64", name="token_digest_length"),
        sa.CheckConstraint("idle_us >= 1", name="idle_us_from_one"),
        sa.CheckConstraint("ended_by IN ('expired', 'revoked')", name="ended_by_known"),
        sa.CheckConstraint("(ended_at_us IS NULL) = (ended_by IS NULL)", name="ended_by_something"),
        sa.PrimaryKeyConstraint("id", name="auth_sessions_key"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="auth_sessions_to_users", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("token_digest", name="auth_sessions_have_one_token_digest"),
        sqlite_strict=True,
    )
    op.create_index("auth_sessions_by_user_id", "auth_sessions", ["user_id"])
    living = sa.text("ended_at_us IS NULL AND expires_at_us IS NOT NULL")
    op.create_index(
        "auth_sessions_by_expires_at_us",
        "auth_sessions",
        ["expires_at_us"],
        sqlite_where=living,
        postgresql_where=living,
    )


def _conversations() -> None:
    op.create_table(
        "conversations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="active", nullable=False),
        sa.Column("next_seq", _INTEGER, server_default=sa.text("1"), nullable=False),
        sa.Column("message_count", _INTEGER, server_default=sa.text("0"), nullable=False),
        sa.Column("total_tokens", _INTEGER, server_default=sa.text("0"), nullable=False),
        sa.Column("created_at_us", _INTEGER, nullable=False),
        sa.Column("updated_at_us", _INTEGER, nullable=False),
        sa.Column("last_message_at_us", _INTEGER),
        sa.Column("last_opened_us", _INTEGER),
        sa.Column("hidden_at_us", _INTEGER),
        sa.Column("title", sa.Text()),
        sa.Column("model", sa.Text()),
        sa.Column("metadata", _OBJECT),
        sa.CheckConstraint(_ID, name="id_length"),
        sa.CheckConstraint("length(title) BETWEEN 0 AND 500", name="title_length"),
        sa.CheckConstraint("length(model) BETWEEN 0 AND 255", name="model_length"),
        sa.CheckConstraint("status IN ('active', 'archived')", name="status_known"),
        sa.CheckConstraint(
            "message_count >= 0 AND message_count < next_seq", name="count_in_bounds"
        ),
        sa.CheckConstraint("total_tokens >= 0", name="total_tokens_from_zero"),
        _object(),
        sa.PrimaryKeyConstraint("id", name="conversations_key"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="conversations_to_users", ondelete="CASCADE"
        ),
        sqlite_strict=True,
    )
    op.create_index("conversations_by_user_id", "conversations", ["user_id"])


def _messages() -> None:
    op.create_table(
        "messages",
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("seq", _INTEGER, autoincrement=False, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("tokens", _INTEGER),
        sa.Column("created_at_us", _INTEGER, nullable=False),
        sa.Column("metadata", _OBJECT),
        sa.CheckConstraint(
            "role IN ('user', 'assistant', 'system', 'developer', 'tool')",
            name="role_known",
        ),
        sa.CheckConstraint("seq >= 1", name="seq_from_one"),
        sa.CheckConstraint("tokens >= 0", name="tokens_from_zero"),
        sa.CheckConstraint("length(content) BETWEEN 0 AND 16777216", name="content_length"),
        _object(),
        sa.PrimaryKeyConstraint("conversation_id", "seq", name="messages_key"),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name="messages_to_conversations",
            ondelete="CASCADE",
        ),
        sqlite_strict=True,
    )


def _object() -> sa.CheckConstraint:
    """What the column ``metadata`` may hold."""
    rule = (
        "metadata IS NULL OR (json_valid(metadata) AND json_type(metadata) = 'object')"
        if op.get_bind().dialect.name == "sqlite"
        else "metadata IS NULL OR jsonb_typeof(metadata::jsonb) = 'object'"
    )
    return sa.CheckConstraint(rule, name="metadata_object")
