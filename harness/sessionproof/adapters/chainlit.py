"""Chainlit: ``SQLAlchemyDataLayer`` on an SQLite file."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence

from sessionproof.adapters.surroundings import elsewhere
from sessionproof.contract.claims import Claims
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import MissingExtra
from sessionproof.contract.message import Message, Receipt
from sessionproof.contract.store import SqliteTables

try:
    import aiosqlite  # noqa: F401  # the engine finds out too late that it is absent
    import sqlalchemy.ext.asyncio  # noqa: F401

    with elsewhere("CHAINLIT_APP_ROOT"):
        from chainlit.context import init_http_context
        from chainlit.data.sql_alchemy import SQLAlchemyDataLayer
except ImportError as error:
    raise MissingExtra("chainlit", "chainlit", "chainlit") from error

from sessionproof.adapters.chainlit_messages import SOURCES, TYPES, decode, encode, step_of
from sessionproof.adapters.chainlit_schema import make_tables


class Store:
    """A thread for each session, and a step for each message."""

    version = importlib.metadata.version("chainlit")
    claims = Claims(
        keeps={"role", "content", "name"},
        roles=TYPES.keys(),
        missing_session="creates",
        session_ids="store",
        order="timestamp",
        handles="processes",
        durability="process",
        sources=SOURCES,
    )
    encode = staticmethod(encode)
    decode = staticmethod(decode)

    def __init__(self, location: Location) -> None:
        self._path = location.path("chat.db")
        make_tables(self._path)
        self._layer = SQLAlchemyDataLayer(f"sqlite+aiosqlite:///{self._path}")

    async def create(
        self, session_id: str | None = None, *, messages: Sequence[Message] = ()
    ) -> str:
        """``update_thread`` with an id that Chainlit made, then the messages one by one."""
        items = [encode(message) for message in messages]
        thread: str = init_http_context(thread_id=session_id).session.thread_id
        await self._layer.update_thread(thread)
        await self._send(thread, items)
        return thread

    async def append(self, session_id: str, messages: Sequence[Message]) -> Receipt:
        """``create_step`` for each message, with what ``Message.send`` gives it."""
        return Receipt(ids=await self._send(session_id, [encode(one) for one in messages]))

    async def _send(self, thread: str, items: Sequence[dict[str, str]]) -> list[str]:
        init_http_context(thread_id=thread)
        ids = []
        for item in items:
            step = step_of(item, thread)
            ids.append(step["id"])
            await self._layer.create_step(step)
        return ids

    async def read(self, session_id: str) -> list[Message]:
        """``get_thread``; an unknown session is empty."""
        thread = await self._layer.get_thread(session_id)
        return [] if thread is None else [decode(step) for step in thread["steps"]]

    async def delete(self, session_id: str) -> None:
        """``delete_thread``."""
        await self._layer.delete_thread(session_id)

    async def delete_message(self, session_id: str, message_id: str) -> None:
        """``delete_step``."""
        init_http_context(thread_id=session_id)
        await self._layer.delete_step(message_id)

    def tables(self) -> SqliteTables:
        """The tables of the documented schema."""
        return SqliteTables(
            str(self._path), "steps", "threadId", sessions="threads", session_key="id",
            children={"elements": "threadId", "feedbacks": "threadId"},
        )  # fmt: skip

    async def close(self) -> None:
        """Give the connections of the engine back."""
        await self._layer.engine.dispose()
