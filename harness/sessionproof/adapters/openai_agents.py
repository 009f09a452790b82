"""OpenAI Agents SDK: ``SQLiteSession`` on a file."""

from __future__ import annotations

import importlib.metadata
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sessionproof.adapters.codec import exact, no_place
from sessionproof.contract.claims import Claims
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import MissingExtra
from sessionproof.contract.message import Message
from sessionproof.contract.store import SqliteTables

try:
    from agents import SQLiteSession
except ImportError as error:
    raise MissingExtra("openai-agents", "openai-agents", "openai-agents") from error

KEPT = 32  # idle sessions that stay open: each holds connections, and a run has thousands
ROLES = ("user", "assistant", "system", "developer")
GUIDE = (
    "https://github.com/openai/openai-agents-python/blob/"
    "034abae1aa2b748d1b6d7fb193197bba0b2a01e9/docs/sessions/index.md"
)
REFERENCE = "https://openai.github.io/openai-agents-python/ref/memory/sqlite_session/"


def encode(message: Message) -> dict[str, Any]:
    """The message as an input item of the Responses API; raises NotRepresentable."""
    match message:
        case Message(kind="text", role=role, content=str(text)) if role in ROLES:
            item = {"role": role, "content": text}
        case Message(kind="tool_call", name=str(name), call_id=str(call)):
            item = {"type": "function_call", "call_id": call, "name": name}
            item["arguments"] = json.dumps(message.arguments)
        case Message(kind="tool_result", content=str(text), call_id=str(call)):
            item = {"type": "function_call_output", "call_id": call, "output": text}
        case _:
            raise no_place(message)
    return exact(message, item, decode)


def decode(item: dict[str, Any]) -> Message:
    """The inverse of ``encode``; the role of tool items is implied by their type."""
    call = item.get("call_id")
    match item.get("type", "message"):
        case "function_call":
            arguments = json.loads(item["arguments"])
            return Message(
                "assistant", None, kind="tool_call", name=item["name"], call_id=call,
                arguments=arguments,
            )  # fmt: skip
        case "function_call_output":
            return Message("tool", item["output"], kind="tool_result", call_id=call)
        case kind:
            shown = "text" if kind == "message" else kind
            return Message(item.get("role"), item.get("content"), kind=shown)


class Store:
    """One SQLite file, and a ``SQLiteSession`` for each session in use."""

    version = importlib.metadata.version("openai-agents")
    claims = Claims(
        keeps={"role", "content", "kind", "name", "call_id", "arguments"},
        roles={*ROLES, "tool"},
        kinds={"text", "tool_call", "tool_result"},
        atomic_batches=True,
        handles="processes",
        consistency="session",
        durability="process",
        sources={
            "keeps": GUIDE, "kinds": GUIDE, "consistency": GUIDE, "durability": GUIDE,
            "atomic_batches": REFERENCE, "handles": REFERENCE, "order": REFERENCE,
        },
    )  # fmt: skip
    encode = staticmethod(encode)
    decode = staticmethod(decode)

    def __init__(self, location: Location) -> None:
        self._path = location.path("chat.db")
        self._open: dict[str, Any] = {}  # the longest unused first
        self._users: Counter[str] = Counter()

    @contextmanager
    def _session(self, session_id: str) -> Iterator[Any]:
        session = self._open.pop(session_id, None) or SQLiteSession(session_id, self._path)
        self._open[session_id] = session
        self._users[session_id] += 1
        try:
            yield session
        finally:
            self._users[session_id] -= 1
            idle = [key for key in self._open if not self._users[key]]
            for key in idle[:-KEPT]:
                del self._users[key]
                self._open.pop(key).close()

    async def append(self, session_id: str, messages: Sequence[Message]) -> None:
        """``add_items``: one transaction for the batch."""
        items = [encode(message) for message in messages]
        with self._session(session_id) as session:
            await session.add_items(items)

    async def read(self, session_id: str) -> list[Message]:
        """``get_items``; an unknown session is empty."""
        with self._session(session_id) as session:
            return [decode(item) for item in await session.get_items()]

    async def read_last(self, session_id: str, n: int) -> list[Message]:
        """``get_items(limit=n)``."""
        with self._session(session_id) as session:
            return [decode(item) for item in await session.get_items(limit=n)]

    async def clear(self, session_id: str) -> None:
        """``clear_session``."""
        with self._session(session_id) as session:
            await session.clear_session()

    async def pop_last(self, session_id: str) -> Message | None:
        """``pop_item``."""
        with self._session(session_id) as session:
            item = await session.pop_item()
            return None if item is None else decode(item)

    def tables(self) -> SqliteTables:
        """The two tables of the session."""
        return SqliteTables(
            str(self._path), "agent_messages", "session_id",
            sessions="agent_sessions", session_key="session_id",
        )  # fmt: skip

    def close(self) -> None:
        """Close the connections of every session."""
        while self._open:
            self._open.popitem()[1].close()
