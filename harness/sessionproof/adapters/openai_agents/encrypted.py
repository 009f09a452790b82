"""OpenAI Agents SDK: ``EncryptedSession`` around a ``SQLiteSession`` on a file."""

from __future__ import annotations

import importlib.metadata
from base64 import urlsafe_b64encode
from typing import Any

from sessionproof.adapters.openai_agents import items, sessions
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import MissingExtra

try:
    from agents import SQLiteSession
    from agents.extensions.memory import EncryptedSession
except ImportError as error:
    raise MissingExtra(
        "openai-agents-encrypted", "openai-agents-encrypted", "openai-agents"
    ) from error

GUIDE = f"{sessions.SITE}/sessions/encrypted_session/"
SOURCE = f"{sessions.SITE}/ref/memory/sqlite_session/"  # of what it is wrapped around
KEY = urlsafe_b64encode(bytes(range(32))).decode()  # every handle reads what another has written
TTL_S = 24 * 60 * 60  # "Items expire after 1 day" in the guide: longer than any run takes


class Store:
    """One SQLite file of encrypted items, which their reader skips when they are a day old."""

    version = importlib.metadata.version("openai-agents")
    claims = sessions.claimed(GUIDE, SOURCE, erases=False)  # expired items stay in their table
    encode = staticmethod(items.encode)
    decode = staticmethod(items.decode)

    append, read, read_last = sessions.append, sessions.read, sessions.read_last
    clear, pop_last, tables = sessions.clear, sessions.pop_last, sessions.tables

    def __init__(self, location: Location) -> None:
        self.path = location.path("chat.db")
        self.opened = sessions.Sessions(self._open)

    def _open(self, session_id: str) -> Any:
        return EncryptedSession(
            session_id, SQLiteSession(session_id, self.path), encryption_key=KEY, ttl=TTL_S
        )

    async def close(self) -> None:
        """Close the connections of every session; what it wraps has the method."""
        await self.opened.close()
