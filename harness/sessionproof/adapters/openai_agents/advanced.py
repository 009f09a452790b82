"""OpenAI Agents SDK: ``AdvancedSQLiteSession`` on a file, which also keeps turns and branches."""

from __future__ import annotations

import importlib.metadata

from sessionproof.adapters.openai_agents import items, sessions
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import MissingExtra

try:
    from agents.extensions.memory import AdvancedSQLiteSession
except ImportError as error:
    raise MissingExtra(
        "openai-agents-advanced", "openai-agents-advanced", "openai-agents"
    ) from error

GUIDE = f"{sessions.SITE}/sessions/advanced_sqlite_session/"
SOURCE = f"{sessions.SITE}/ref/extensions/memory/advanced_sqlite_session/"


class Store:
    """One SQLite file, and an ``AdvancedSQLiteSession`` for each session in use."""

    version = importlib.metadata.version("openai-agents")
    claims = sessions.claimed(GUIDE, SOURCE)
    encode = staticmethod(items.encode)
    decode = staticmethod(items.decode)

    append, read, read_last = sessions.append, sessions.read, sessions.read_last
    clear, pop_last, tables = sessions.clear, sessions.pop_last, sessions.tables

    def __init__(self, location: Location) -> None:
        self.path = location.path("chat.db")
        self.opened = sessions.Sessions(
            lambda session: AdvancedSQLiteSession(
                session_id=session, db_path=self.path, create_tables=True
            )
        )

    async def count(self, session_id: str) -> int:
        """The ``message_count`` of ``list_branches``; a session without messages has no branch."""
        async with self.opened.use(session_id) as session:
            branches = await session.list_branches()
        return sum(branch["message_count"] for branch in branches if branch["is_current"])

    async def close(self) -> None:
        """Close the connections of every session."""
        await self.opened.close()
