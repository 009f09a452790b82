"""Agno: ``SqliteDb``, the sessions and runs of its agents in an SQLite file."""

from __future__ import annotations

import importlib.metadata

from sessionproof.contract.claims import Claims
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import MissingExtra

try:
    from agno.db.sqlite import SqliteDb
except ImportError as error:
    raise MissingExtra("agno", "agno", "agno") from error

from sessionproof.adapters.agno import messages, runs

GUIDE = "https://docs.agno.com/sessions/persisting-sessions"
SQLITE = f"{runs.SOURCE}/sqlite/sqlite.py"


class Store:
    """One database, which all clients of a handle share."""

    version = importlib.metadata.version("agno")
    claims = Claims(
        keeps={"role", "content", "kind", "name", "call_id", "arguments"},
        roles={"user", "assistant", "tool"},
        kinds={"text", "tool_call", "tool_result"},
        atomic_batches=True,
        handles="processes",
        shared_handle=True,
        durability="process",
        sources={
            "keeps": GUIDE, "roles": GUIDE, "kinds": GUIDE, "durability": GUIDE,
            "atomic_batches": SQLITE, "order": SQLITE,
            "handles": f"{runs.SOURCE}/utils.py", "shared_handle": f"{runs.SOURCE}/base.py",
        },
    )  # fmt: skip
    encode = staticmethod(messages.encode)
    decode = staticmethod(messages.decode)

    append, read, list, delete = runs.append, runs.read, runs.sessions, runs.delete

    def __init__(self, location: Location) -> None:
        self.db = SqliteDb(db_file=str(location.path("agno.db")))

    def close(self) -> None:
        """Close the connections of the engine."""
        self.db.db_engine.dispose()
