"""The schemas of third-party libraries, as their releases write them.

Other releases write other SQL, so tables are compared by the columns named here alone.
"""

from __future__ import annotations

from sessionproof.audit.schemas import Known, Reference, Table

_OPENAI_AGENTS = Known(
    name="openai-agents",
    marks={"agent_messages": ("session_id", "message_data"), "agent_sessions": ("session_id",)},
    tables={
        "agent_sessions": Table(
            label=("session_id",),
            columns=("session_id", "created_at", "updated_at"),
            required=("session_id",),
            unique=(("session_id",),),
            times=("created_at", "updated_at"),
        ),
        "agent_messages": Table(
            label=("id",),
            columns=("id", "session_id", "message_data", "created_at"),
            required=("session_id", "message_data"),
            unique=(("id",),),
            json={"message_data": ()},
            times=("created_at",),
        ),
    },
    references=(Reference("agent_messages", ("session_id",), "agent_sessions", ("session_id",)),),
)

_LANGCHAIN = Known(
    name="langchain",
    marks={"message_store": ("session_id", "message")},
    tables={
        "message_store": Table(
            label=("id",),
            columns=("id", "session_id", "message"),
            required=("session_id", "message"),
            unique=(("id",),),
            json={"message": ("type", "data")},
        ),
    },
)

_ADK_KEY = ("app_name", "user_id", "session_id")
_ADK_SESSIONS = Table(
    label=("app_name", "user_id", "id"),
    columns=("app_name", "user_id", "id", "state", "create_time", "update_time"),
    required=("app_name", "user_id", "id"),
    unique=(("app_name", "user_id", "id"),),
    json={"state": ()},
    times=("create_time", "update_time"),
)
_ADK_STATES = {
    "app_states": Table(
        label=("app_name",),
        columns=("app_name", "state", "update_time"),
        required=("app_name",),
        unique=(("app_name",),),
        json={"state": ()},
        times=("update_time",),
    ),
    "user_states": Table(
        label=("app_name", "user_id"),
        columns=("app_name", "user_id", "state", "update_time"),
        required=("app_name", "user_id"),
        unique=(("app_name", "user_id"),),
        json={"state": ()},
        times=("update_time",),
    ),
}


def _adk(version: str, mark: str, json: tuple[str, ...]) -> Known:
    """Google ADK: the versions differ in how an event is kept, which ``mark`` tells."""
    return Known(
        name="google-adk",
        version=version,
        marks={
            "events": (*_ADK_KEY, "invocation_id", mark),
            "sessions": ("app_name", "user_id", "create_time"),
        },
        tables={
            "sessions": _ADK_SESSIONS,
            "events": Table(
                label=(*_ADK_KEY, "id"),
                columns=("id", *_ADK_KEY, "invocation_id", "timestamp", mark),
                required=("id", *_ADK_KEY),
                unique=(("id", *_ADK_KEY),),
                json=dict.fromkeys(json, ()),
                times=("timestamp",),
            ),
            **_ADK_STATES,
        },
        references=(Reference("events", _ADK_KEY, "sessions", ("app_name", "user_id", "id")),),
    )


KNOWN = (
    _OPENAI_AGENTS,
    _LANGCHAIN,
    _adk("1", "event_data", ("event_data",)),
    _adk("0", "actions", ("content", "grounding_metadata", "custom_metadata", "usage_metadata")),
)
