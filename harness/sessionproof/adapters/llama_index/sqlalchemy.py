"""LlamaIndex: ``SQLAlchemyChatStore``, the store behind ``Memory``, on an SQLite file."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence

from sessionproof.contract.claims import Claims
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import MissingExtra
from sessionproof.contract.message import Message, Page
from sessionproof.contract.store import SqliteTables

try:
    from llama_index.core.storage.chat_store.sql import SQLAlchemyChatStore
    from sqlalchemy import URL
    from sqlalchemy.ext.asyncio import create_async_engine

    from sessionproof.adapters.llama_index.messages import KEPT, KINDS, ROLES, decode, encode
except ImportError as error:
    raise MissingExtra(
        "llama-index-sqlalchemy", "llama-index-sqlalchemy", "llama-index-core"
    ) from error

SOURCE = (
    "https://developers.llamaindex.ai/python/framework-api-reference/storage/chat_store/async_sql"
)
PROVED = ("keeps", "roles", "kinds", "atomic_batches", "order", "handles", "durability")
TABLE = "messages"


class Store:
    """One store on one SQLite file, with an engine that can be closed."""

    version = importlib.metadata.version("llama-index-core")
    claims = Claims(
        keeps=KEPT,
        roles=ROLES,
        kinds=KINDS,
        atomic_batches=True,
        order="timestamp",
        handles="processes",
        durability="process",
        sources=dict.fromkeys(PROVED, SOURCE),
    )
    encode = staticmethod(encode)
    decode = staticmethod(decode)

    def __init__(self, location: Location) -> None:
        self._path = location.path("chat.db")
        self._engine = create_async_engine(URL.create("sqlite+aiosqlite", database=str(self._path)))
        self._store = SQLAlchemyChatStore(
            TABLE, async_database_uri=str(self._engine.url), async_engine=self._engine
        )

    async def append(self, session_id: str, messages: Sequence[Message]) -> None:
        """``add_messages``: one statement for the batch."""
        await self._store.add_messages(session_id, [encode(message) for message in messages])

    async def read(self, session_id: str) -> list[Message]:
        """``get_messages``; an unknown session is empty."""
        return [decode(item) for item in await self._store.get_messages(session_id)]

    async def page(
        self, session_id: str, *, cursor: str | int | None = None, limit: int = 50
    ) -> Page:
        """``get_messages`` with ``limit`` and ``offset``: the oldest come first."""
        offset = int(cursor or 0)
        items = await self._store.get_messages(session_id, limit=limit, offset=offset)
        following = None if len(items) < limit else offset + limit
        return Page([decode(item) for item in items], following)

    async def count(self, session_id: str) -> int:
        """``count_messages``."""
        return int(await self._store.count_messages(session_id))

    async def list(self) -> list[str]:
        """``get_keys``."""
        return list(await self._store.get_keys())

    async def replace(self, session_id: str, messages: Sequence[Message]) -> None:
        """``set_messages``."""
        await self._store.set_messages(session_id, [encode(message) for message in messages])

    async def delete(self, session_id: str) -> None:
        """``delete_messages``: sessions have no rows of their own."""
        await self._store.delete_messages(session_id)

    def tables(self) -> SqliteTables:
        """The one table."""
        return SqliteTables(str(self._path), TABLE, "key")

    async def close(self) -> None:
        """Close the connections of the engine."""
        await self._engine.dispose()
