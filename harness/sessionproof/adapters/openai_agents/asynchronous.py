"""OpenAI Agents SDK: ``AsyncSQLiteSession`` on a file, by way of aiosqlite."""

from __future__ import annotations

import importlib.metadata

from sessionproof.adapters.openai_agents import items, sessions
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import MissingExtra

try:
    from agents.extensions.memory import AsyncSQLiteSession
except ImportError as error:
    raise MissingExtra("openai-agents-async", "openai-agents-async", "openai-agents") from error

SOURCE = f"{sessions.SITE}/ref/extensions/memory/async_sqlite_session/"


class Store:
    """One SQLite file, and an ``AsyncSQLiteSession`` for each session in use."""

    version = importlib.metadata.version("openai-agents")
    claims = sessions.claimed(sessions.GUIDE, SOURCE)
    encode = staticmethod(items.encode)
    decode = staticmethod(items.decode)

    append, read, read_last = sessions.append, sessions.read, sessions.read_last
    clear, pop_last, tables = sessions.clear, sessions.pop_last, sessions.tables

    def __init__(self, location: Location) -> None:
        self.path = location.path("chat.db")
        self.opened = sessions.Sessions(lambda session: AsyncSQLiteSession(session, self.path))

    async def close(self) -> None:
        """Close the connection of every session."""
        await self.opened.close()
