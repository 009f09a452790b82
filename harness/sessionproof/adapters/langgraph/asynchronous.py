"""LangGraph: the messages of a graph's state, kept by ``AsyncSqliteSaver``."""

from __future__ import annotations

import asyncio
import importlib.metadata
from collections.abc import Sequence
from typing import Any

from sessionproof.contract.claims import Claims
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import MissingExtra
from sessionproof.contract.message import Message

try:
    import aiosqlite
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    from sessionproof.adapters.langgraph import graph
except ImportError as error:
    raise MissingExtra(
        "langgraph-async", "langgraph-async", "langgraph-checkpoint-sqlite"
    ) from error

SAVER = f"{graph.REFERENCE}/aio/AsyncSqliteSaver"


class Store:
    """A graph of one node; its saver is made at the first call, as it wants a running loop."""

    version = importlib.metadata.version("langgraph-checkpoint-sqlite")
    claims = Claims(
        keeps=graph.KEPT,
        roles=graph.ROLES,
        kinds=graph.KINDS,
        atomic_batches=True,
        handles="tasks",
        shared_handle=True,
        durability="process",
        sources={
            **dict.fromkeys(
                ("keeps", "roles", "kinds", "durability", "atomic_batches"), graph.GUIDE
            ),
            **dict.fromkeys(("handles", "shared_handle"), SAVER),
        },
    )
    encode = staticmethod(graph.encode)
    decode = staticmethod(graph.decode)

    def __init__(self, location: Location) -> None:
        self._path = location.path("chat.db")
        self._opening = asyncio.Lock()
        self._graph: Any = None

    async def _opened(self) -> Any:
        async with self._opening:
            if self._graph is None:
                saver = AsyncSqliteSaver(await aiosqlite.connect(self._path))
                self._graph = graph.kept_by(saver)
        return self._graph

    async def append(self, session_id: str, messages: Sequence[Message]) -> None:
        """``aupdate_state``: the messages are added to those of the newest checkpoint."""
        added, opened = graph.update(messages), await self._opened()
        await opened.aupdate_state(graph.thread(session_id), added, as_node=graph.NODE)

    async def read(self, session_id: str) -> list[Message]:
        """The messages of ``aget_state``; an unknown thread is empty."""
        return graph.said(await (await self._opened()).aget_state(graph.thread(session_id)))

    async def delete(self, session_id: str) -> None:
        """``adelete_thread``."""
        await (await self._opened()).checkpointer.adelete_thread(session_id)

    async def close(self) -> None:
        """Close the connection."""
        if self._graph is not None:
            await self._graph.checkpointer.conn.close()
