"""Our messages as Chainlit's steps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from secrets import token_bytes
from typing import Any
from uuid import UUID

from sessionproof.adapters.codec import exact, no_place
from sessionproof.contract.clock import SystemClock
from sessionproof.contract.message import Message

TYPES = {"user": "user_message", "assistant": "assistant_message", "system": "system_message"}
ROLES = {kind: role for role, kind in TYPES.items()}
AUTHORS = {"user": "User", "assistant": "Assistant", "system": "System"}  # where none is named
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

GUIDE = "https://docs.chainlit.io/data-layers/sqlalchemy"
SOURCE = "https://github.com/Chainlit/chainlit/blob/2.12.0/backend/chainlit/data/sql_alchemy.py"
SOURCES = {
    **dict.fromkeys(("keeps", "roles", "session_ids"), GUIDE),
    **dict.fromkeys(("order", "missing_session"), SOURCE),
    "durability": "https://docs.chainlit.io/data-persistence/overview",
    "handles": "https://docs.chainlit.io/deploy/overview",
}


def encode(message: Message) -> dict[str, str]:
    """The message's own part of a step; raises NotRepresentable."""
    match message:
        case Message(kind="text", role=str(role), content=str(text)) if role in TYPES:
            name = message.name or AUTHORS[role]  # Chainlit, too, takes no empty one
            return exact(message, {"type": TYPES[role], "name": name, "output": text}, decode)
        case _:
            raise no_place(message)


def step_of(item: dict[str, str], thread: str) -> dict[str, Any]:
    """The whole step, as Chainlit's ``Message`` makes it: with an id and the time, and no more.

    The time has all six digits of its fraction, so that texts sort.
    """
    at = _EPOCH + timedelta(microseconds=SystemClock().now_us())
    time = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    known = {"id": str(UUID(bytes=token_bytes(16), version=4)), "threadId": thread}
    return {**item, **known, "createdAt": time, "start": time, "end": time, "streaming": False}


def decode(step: dict[str, Any]) -> Message:
    """The inverse of ``encode``; a step that was read has its id, too."""
    role, name = ROLES.get(step["type"], step["type"]), step["name"]
    named = None if name == AUTHORS.get(role) else name
    return Message(role, step["output"], name=named, id=step.get("id"))
