"""What both stores do and claim: one provider, and a file for each session that it makes itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from sessionproof.adapters.agent_framework.messages import ROLES, decode, encode
from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message

SOURCE = (
    "https://github.com/microsoft/agent-framework/blob/main/"
    "python/packages/core/agent_framework/_sessions.py"
)
CLAIMS = Claims(
    keeps={"role", "content", "kind", "name", "call_id", "arguments", "id", "metadata"},
    roles={*ROLES, "tool"},
    kinds={"text", "tool_call", "tool_result"},
    handles="threads",
    durability="process",
    sources=dict.fromkeys(("keeps", "roles", "kinds", "order", "handles", "durability"), SOURCE),
)


class InFiles(Protocol):
    """A store of which ``provider`` is a history provider."""

    provider: Any


async def append(store: InFiles, session_id: str, messages: Sequence[Message]) -> None:
    """``save_messages``."""
    items = [encode(message) for message in messages]
    await store.provider.save_messages(session_id, items)


async def read(store: InFiles, session_id: str) -> list[Message]:
    """``get_messages``; an unknown session is empty."""
    return [decode(item) for item in await store.provider.get_messages(session_id)]


def close(_: InFiles) -> None:
    """Nothing is open between calls."""
