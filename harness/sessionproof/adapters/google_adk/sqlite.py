"""Google ADK: ``SqliteSessionService``, straight on an SQLite file by way of aiosqlite."""

from __future__ import annotations

import importlib.metadata

from sessionproof.contract.location import Location
from sessionproof.contract.lookup import MissingExtra

try:
    from google.adk.sessions.sqlite_session_service import SqliteSessionService

    from sessionproof.adapters.google_adk import events, sessions
except ImportError as error:
    raise MissingExtra("google-adk-sqlite", "google-adk-sqlite", "google-adk") from error

SOURCE = (
    f"{sessions.CODE}/dbb2f20105ffd57e6375601a63a605ec27e39ff3/"
    "src/google/adk/sessions/sqlite_session_service.py"
)


class Store:
    """One service on one SQLite file; each of its calls opens a connection of its own."""

    version = importlib.metadata.version("google-adk")
    claims = sessions.claimed(SOURCE, durability=SOURCE)
    encode = staticmethod(events.encode)
    decode = staticmethod(events.decode)

    create, append, read = sessions.create, sessions.append, sessions.read
    read_last, list, delete = sessions.read_last, sessions.listed, sessions.delete
    get_state, append_with_state = sessions.get_state, sessions.append_with_state
    tables = sessions.tables

    def __init__(self, location: Location) -> None:
        self.path = location.path("chat.db")
        self.service = SqliteSessionService(str(self.path))

    def close(self) -> None:
        """Nothing is open between calls."""
