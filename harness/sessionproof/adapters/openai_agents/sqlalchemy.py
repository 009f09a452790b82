"""OpenAI Agents SDK: ``SQLAlchemySession`` on an SQLite file, by way of aiosqlite."""

from __future__ import annotations

import importlib.metadata

from sessionproof.adapters.openai_agents import items, sessions
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import MissingExtra

try:
    import aiosqlite  # noqa: F401 - SQLAlchemy loads it by its name
    from agents.extensions.memory import SQLAlchemySession
    from sqlalchemy import URL
    from sqlalchemy.ext.asyncio import create_async_engine
except ImportError as error:
    raise MissingExtra(
        "openai-agents-sqlalchemy", "openai-agents-sqlalchemy", "openai-agents"
    ) from error

GUIDE = f"{sessions.SITE}/sessions/sqlalchemy_session/"
SOURCE = f"{sessions.SITE}/ref/extensions/memory/sqlalchemy_session/"


class Store:
    """One engine, as an application has it, and a ``SQLAlchemySession`` for each session in use."""

    version = importlib.metadata.version("openai-agents")
    claims = sessions.claimed(GUIDE, SOURCE)
    encode = staticmethod(items.encode)
    decode = staticmethod(items.decode)

    append, read, read_last = sessions.append, sessions.read, sessions.read_last
    clear, pop_last, tables = sessions.clear, sessions.pop_last, sessions.tables

    def __init__(self, location: Location) -> None:
        self.path = location.path("chat.db")
        self._engine = create_async_engine(URL.create("sqlite+aiosqlite", database=str(self.path)))
        self.opened = sessions.Sessions(
            lambda session: SQLAlchemySession(session, engine=self._engine, create_tables=True)
        )

    async def close(self) -> None:
        """Dispose of the engine; the sessions themselves hold nothing."""
        await self._engine.dispose()
