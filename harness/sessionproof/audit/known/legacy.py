"""The four legacy schemas; their SQL is in ``legacy/``."""

from __future__ import annotations

from sessionproof.audit.schemas import Known, Reference, Sessions, Table

# Where a schema leaves the role open, what models take is known.
_ROLES = frozenset({"user", "assistant", "system", "tool", "developer", "function"})
_STATES = frozenset({"active", "idle", "paused", "archived", "expired"})
_OF_SESSION = (("session_id",), "sessions", ("session_id",))


_PLAIN = Known(
    name="plain",
    marks={
        "sessions": ("session_id", "message_count", "total_tokens"),
        "messages": ("message_id", "session_id", "tokens_used", "timestamp"),
    },
    tables={
        "sessions": Table(
            label=("session_id",),
            required=("session_id",),
            unique=(("session_id",),),
            words={"status": _STATES},
            json={"metadata": ()},
            times=("created_at", "updated_at"),
        ),
        "messages": Table(
            label=("message_id",),
            required=("message_id", "session_id"),
            unique=(("message_id",),),
            words={"role": _ROLES},
            integers={"tokens_used": 0},
            json={"metadata": ()},
            times=("timestamp",),
        ),
    },
    references=(Reference("messages", *_OF_SESSION),),
    sessions=Sessions(
        table="sessions",
        key="session_id",
        messages="messages",
        message_key="session_id",
        counters={"message_count": None, "total_tokens": "tokens_used"},
        count="message_count",
    ),
    sql=("legacy/plain.sql",),
)

_ENHANCED = Known(
    name="enhanced",
    marks={
        "sessions": ("session_id", "model_id", "hard_timeout", "total_duration"),
        "messages": ("message_id", "session_id", "sequence_number", "duration_seconds"),
        "session_timeouts": ("idle_timeout_seconds", "warning_sent"),
        "session_snapshots": ("snapshot_type", "snapshot_data"),
    },
    tables={
        "models": Table(
            label=("model_id",),
            required=("model_id",),
            unique=(("model_id",),),
            integers={"context_window": 0},
            times=("created_at",),
        ),
        "sessions": Table(
            label=("session_id",),
            required=("session_id", "status"),
            unique=(("session_id",),),
            words={"status": _STATES},
            integers={"idle_timeout": 0, "hard_timeout": 0},
            json={"metadata": ()},
            times=("created_at", "updated_at", "last_activity", "expires_at"),
        ),
        "messages": Table(
            label=("session_id", "sequence_number"),
            required=("message_id", "session_id", "sequence_number"),
            unique=(("message_id",), ("session_id", "sequence_number")),
            words={"role": frozenset({"user", "assistant", "system"})},
            integers={"sequence_number": 0, "tokens_used": 0},
            reals={"duration_seconds": 0.0},
            json={"metadata": ()},
            times=("timestamp",),
        ),
        "session_timeouts": Table(
            label=("session_id",),
            required=("session_id",),
            unique=(("session_id",),),
            integers={"idle_timeout_seconds": 0, "hard_timeout_seconds": 0},
            times=("last_activity", "expires_at"),
        ),
        "session_snapshots": Table(
            label=("snapshot_id",),
            required=("session_id", "snapshot_data"),
            words={"snapshot_type": frozenset({"manual", "auto", "archive", "pre_delete"})},
            integers={"message_count": 0},
            json={"snapshot_data": ()},
            times=("created_at",),
        ),
        "messages_fts": Table(label=("message_id",)),
    },
    references=(
        Reference("sessions", ("model_id",), "models", ("model_id",)),
        Reference("messages", *_OF_SESSION),
        Reference("session_timeouts", *_OF_SESSION),
        Reference("session_snapshots", *_OF_SESSION),
        Reference("messages_fts", ("message_id",), "messages", ("message_id",)),
    ),
    sessions=Sessions(
        table="sessions",
        key="session_id",
        messages="messages",
        message_key="session_id",
        counters={
            "message_count": None,
            "total_tokens": "tokens_used",
            "total_duration": "duration_seconds",
        },
        count="message_count",
        number="sequence_number",
    ),
    sql=("legacy/enhanced.sql",),
)

_MANAGER = Known(
    name="manager",
    marks={"sessions": ("chat_id", "parent_message_id", "first_user_message")},
    tables={
        "sessions": Table(
            label=("id",),
            required=("id", "chat_id", "first_user_message", "expires_at"),
            unique=(("id",),),
            json={"metadata": ()},
            times=("created_at", "updated_at", "expires_at"),
        ),
    },
    sql=("legacy/manager.sql",),
)

_PORTAL = Known(
    name="portal",
    marks={
        "conversations": ("conversation_id", "user_email", "last_message_at"),
        "messages": ("message_id", "conversation_id"),
        "user_sessions": ("user_email", "token", "is_expired"),
    },
    tables={
        "users": Table(
            label=("email",),
            required=("email",),
            unique=(("email",),),
            times=("created_at", "last_login"),
        ),
        "user_sessions": Table(
            label=("session_id",),
            required=("session_id", "user_email"),
            unique=(("session_id",),),
            times=("created_at", "expires_at"),
        ),
        "conversations": Table(
            label=("conversation_id",),
            required=("conversation_id", "user_email"),
            unique=(("conversation_id",),),
            words={"status": frozenset({"active", "archived", "deleted"})},
            times=("created_at", "updated_at", "last_message_at"),
        ),
        "messages": Table(
            label=("message_id",),
            required=("message_id", "conversation_id"),
            unique=(("message_id",),),
            words={"role": _ROLES},
            integers={"tokens": 0},
            json={"metadata": ()},
            times=("created_at",),
        ),
    },
    references=(
        Reference("user_sessions", ("user_email",), "users", ("email",)),
        Reference("conversations", ("user_email",), "users", ("email",)),
        Reference("messages", ("conversation_id",), "conversations", ("conversation_id",)),
    ),
    sessions=Sessions(
        table="conversations",
        key="conversation_id",
        messages="messages",
        message_key="conversation_id",
        counters={"message_count": None},
        count="message_count",
    ),
    sql=("legacy/portal.sql",),
)

KNOWN = (_PLAIN, _ENHANCED, _MANAGER, _PORTAL)
