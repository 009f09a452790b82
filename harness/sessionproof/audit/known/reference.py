"""The schema of the reference store. Its SQL is the store's own, a file for each version.

Types, JSON and least values are held by the tables themselves (STRICT, CHECK); they stand here as
well so that what breaks them has a name.
"""

from __future__ import annotations

from importlib.resources import files

from sessionproof.audit.schemas import Known, Reference, Sessions, Table

APPLICATION_ID = 0x53505246  # "SPRF"

_SESSIONS = Table(
    label=("session_id",),
    columns=("id", "session_id", "tag", "status", "next_seq", "message_count"),
    required=("id", "session_id", "tag", "status"),
    unique=(("session_id",),),
    words={"status": frozenset({"active", "idle", "paused", "archived", "expired"})},
    integers={
        "next_seq": 1, "created_at_us": -(2**63), "last_activity_us": -(2**63),
        "idle_timeout_us": 1, "hard_deadline_us": -(2**63), "warn_us": 0,
    },
    json={"metadata": ()},
)  # fmt: skip
_MESSAGES = Table(
    label=("sid", "seq"),
    columns=("id", "sid", "seq", "role", "kind", "tokens", "duration_us", "content"),
    required=("sid", "seq"),
    unique=(("sid", "seq"), ("sid", "message_id")),
    words={"role": frozenset({"user", "assistant", "tool", "system", "developer"})},
    integers={
        "seq": 1, "tokens": 0, "duration_us": 0, "created_at_us": 0, "appended_at_us": -(2**63),
    },
    json={"content_json": (), "arguments": (), "metadata": ()},
)  # fmt: skip
_STATE = Table(
    label=("sid", "key"),
    columns=("sid", "key", "value"),
    required=("sid", "key", "value"),
    unique=(("sid", "key"),),
    json={"value": ()},
)
_SNAPSHOTS = Table(
    label=("snapshot_id",),
    columns=("id", "snapshot_id", "session_id", "kind", "taken_at_us", "digest", "body"),
    required=("snapshot_id", "session_id", "kind", "body"),
    unique=(("snapshot_id",),),
    words={
        "kind": frozenset({"checkpoint", "warning", "expiry", "archive", "delete", "restore"}),
    },
    integers={"taken_at_us": -(2**63), "message_count": 0},
)
_SNAPSHOTS_SINCE = 5
"""The step that makes the table."""


def _steps() -> tuple[str, ...]:
    """The files of the schema by number, as paths below the package."""
    folder = files("sessionproof") / "reference" / "schema"
    names = sorted(one.name for one in folder.iterdir() if one.name.endswith(".sql"))
    return tuple(f"reference/schema/{name}" for name in names)


KNOWN = tuple(
    Known(
        name="reference",
        version=str(version),
        marks={"sessions": ("tag", "next_seq"), "messages": ("sid", "appended_at_us")},
        tables={
            "sessions": _SESSIONS,
            "messages": _MESSAGES,
            "state": _STATE,
            **({"snapshots": _SNAPSHOTS} if version >= _SNAPSHOTS_SINCE else {}),
        },
        references=(
            Reference("messages", ("sid",), "sessions", ("id",)),
            Reference("state", ("sid",), "sessions", ("id",)),
            Reference("sessions", ("llm_model",), "llm_models", ("name",)),
        ),
        sessions=Sessions(
            table="sessions",
            key="id",
            messages="messages",
            message_key="sid",
            counters={
                "message_count": None,
                "total_tokens": "tokens",
                "total_duration_us": "duration_us",
            },
            count="message_count",
            number="seq",
            next="next_seq",
        ),
        sql=_steps()[:version],
        strict=True,
        application_id=APPLICATION_ID,
    )
    for version in range(1, len(_steps()) + 1)
)
