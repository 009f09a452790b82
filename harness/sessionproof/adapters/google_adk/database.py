"""Google ADK: ``DatabaseSessionService``, by SQLAlchemy, on an SQLite file."""

from __future__ import annotations

import importlib.metadata
import inspect

from sessionproof.contract.location import Location
from sessionproof.contract.lookup import MissingExtra

try:
    import sqlalchemy.ext.asyncio  # noqa: F401  # the service finds out too late that it is absent
    from google.adk.sessions import DatabaseSessionService, database_session_service
    from sqlalchemy import URL

    from sessionproof.adapters.google_adk import events, sessions
except ImportError as error:
    raise MissingExtra("google-adk", "google-adk", "google-adk") from error

SOURCE = (
    f"{sessions.CODE}/0012809b7dbd9d5d06d6e4f549e649ca111639c5/"
    "src/google/adk/sessions/database_session_service.py"
)
WAITS = hasattr(database_session_service, "create_async_engine")  # older ones have another engine
DRIVER = "sqlite+aiosqlite" if WAITS else "sqlite"


class Store:
    """One service on one SQLite file."""

    version = importlib.metadata.version("google-adk")
    claims = sessions.claimed(SOURCE)
    encode = staticmethod(events.encode)
    decode = staticmethod(events.decode)

    create, append, read = sessions.create, sessions.append, sessions.read
    read_last, list, delete = sessions.read_last, sessions.listed, sessions.delete
    get_state, append_with_state = sessions.get_state, sessions.append_with_state
    tables = sessions.tables

    def __init__(self, location: Location) -> None:
        self.path = location.path("chat.db")
        self.service = DatabaseSessionService(
            URL.create(DRIVER, database=str(self.path)).render_as_string()
        )

    async def close(self) -> None:
        """Dispose of the engine and its connections."""
        disposed = self.service.db_engine.dispose()
        if inspect.isawaitable(disposed):
            await disposed
