"""What the stores of the SDK share: open sessions, the calls that each has, and what they claim.

The SDK has an object for each session, and one protocol for all kinds of it: ``add_items``,
``get_items``, ``pop_item``, ``clear_session``. A store differs in how it opens an object.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from sessionproof.adapters.openai_agents.items import ROLES, decode, encode
from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message
from sessionproof.contract.store import SqliteTables

KEPT = 32  # idle sessions that stay open: each holds connections, and a run has thousands
GUIDE = (
    "https://github.com/openai/openai-agents-python/blob/"
    "034abae1aa2b748d1b6d7fb193197bba0b2a01e9/docs/sessions/index.md"
)
SITE = "https://openai.github.io/openai-agents-python"


def claimed(page: str, source: str, *, erases: bool = True) -> Claims:
    """What each kind of session claims: ``page`` tells of it, ``source`` shows its code."""
    names = ("keeps", "kinds", "roles", "consistency", *(["erases"] if erases else []))
    shared = dict.fromkeys(names, GUIDE)
    return Claims(
        keeps={"role", "content", "kind", "name", "call_id", "arguments"},
        roles={*ROLES, "tool"},
        kinds={"text", "tool_call", "tool_result"},
        atomic_batches=True,
        handles="processes",
        consistency="session",
        durability="process",
        erases=erases,
        sources={
            **shared, "durability": page,
            "atomic_batches": source, "handles": source, "order": source,
        },
    )  # fmt: skip


class Sessions:
    """The sessions of a store, each made when it is needed; of idle ones ``KEPT`` stay open."""

    def __init__(self, make: Callable[[str], Any]) -> None:
        self._make = make
        self._open: dict[str, Any] = {}  # the longest unused first
        self._users: Counter[str] = Counter()

    @asynccontextmanager
    async def use(self, session_id: str) -> AsyncIterator[Any]:
        """The session's object, which stays open as long as somebody uses it."""
        session = self._open.pop(session_id, None) or self._make(session_id)
        self._open[session_id] = session
        self._users[session_id] += 1
        try:
            yield session
        finally:
            self._users[session_id] -= 1
            idle = [key for key in self._open if not self._users[key]][:-KEPT]
            ended = [self._open.pop(key) for key in idle]  # before anybody can ask for them
            for key in idle:
                del self._users[key]
            for session in ended:
                await _end(session)

    async def close(self) -> None:
        """Close every session."""
        while self._open:
            await _end(self._open.popitem()[1])


async def _end(session: Any) -> None:
    """``close``, where the kind of session has it: SQLAlchemy's connections are its engine's."""
    if hasattr(session, "close"):
        ended = session.close()
        if inspect.isawaitable(ended):
            await ended


class OnFile(Protocol):
    """A store whose sessions lie in one SQLite file."""

    path: Path
    opened: Sessions


async def append(store: OnFile, session_id: str, messages: Sequence[Message]) -> None:
    """``add_items``: one transaction for the batch."""
    items = [encode(message) for message in messages]
    async with store.opened.use(session_id) as session:
        await session.add_items(items)


async def read(store: OnFile, session_id: str) -> list[Message]:
    """``get_items``; an unknown session is empty."""
    async with store.opened.use(session_id) as session:
        return [decode(item) for item in await session.get_items()]


async def read_last(store: OnFile, session_id: str, n: int) -> list[Message]:
    """``get_items(limit=n)``."""
    async with store.opened.use(session_id) as session:
        return [decode(item) for item in await session.get_items(limit=n)]


async def clear(store: OnFile, session_id: str) -> None:
    """``clear_session``."""
    async with store.opened.use(session_id) as session:
        await session.clear_session()


async def pop_last(store: OnFile, session_id: str) -> Message | None:
    """``pop_item``."""
    async with store.opened.use(session_id) as session:
        item = await session.pop_item()
        return None if item is None else decode(item)


def tables(store: OnFile) -> SqliteTables:
    """The two tables that every kind of session has."""
    return SqliteTables(
        str(store.path), "agent_messages", "session_id",
        sessions="agent_sessions", session_key="session_id",
    )  # fmt: skip
