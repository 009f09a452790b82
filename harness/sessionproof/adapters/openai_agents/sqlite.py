"""OpenAI Agents SDK: ``SQLiteSession`` on a file."""

from __future__ import annotations

import importlib.metadata

from sessionproof.adapters.openai_agents import items, sessions
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import MissingExtra

try:
    from agents import SQLiteSession
except ImportError as error:
    raise MissingExtra("openai-agents", "openai-agents", "openai-agents") from error


class Store:
    """One SQLite file, and a ``SQLiteSession`` for each session in use."""

    version = importlib.metadata.version("openai-agents")
    claims = sessions.claimed(sessions.GUIDE, f"{sessions.SITE}/ref/memory/sqlite_session/")
    encode = staticmethod(items.encode)
    decode = staticmethod(items.decode)

    append, read, read_last = sessions.append, sessions.read, sessions.read_last
    clear, pop_last, tables = sessions.clear, sessions.pop_last, sessions.tables

    def __init__(self, location: Location) -> None:
        self.path = location.path("chat.db")
        self.opened = sessions.Sessions(lambda session: SQLiteSession(session, self.path))

    async def close(self) -> None:
        """Close the connections of every session."""
        await self.opened.close()
