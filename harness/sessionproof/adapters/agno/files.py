"""Agno: ``JsonDb``, the sessions and runs of its agents in JSON files."""

from __future__ import annotations

import importlib.metadata

from sessionproof.contract.claims import Claims
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import MissingExtra

try:
    from agno.db.json import JsonDb
except ImportError as error:
    raise MissingExtra("agno-json", "agno-json", "agno") from error

from sessionproof.adapters.agno import messages, runs

GUIDE = "https://docs.agno.com/database/providers/json/overview"
SOURCE = f"{runs.SOURCE}/json/json_db.py"


class Store:
    """One folder: a file with all sessions, and one with all runs of all sessions."""

    version = importlib.metadata.version("agno")
    claims = Claims(
        keeps={"role", "content", "kind", "name", "call_id", "arguments"},
        roles={"user", "assistant", "tool"},
        kinds={"text", "tool_call", "tool_result"},
        atomic_batches=True,
        durability="process",
        sources={
            "keeps": GUIDE, "roles": GUIDE, "kinds": GUIDE, "durability": GUIDE, "handles": GUIDE,
            "atomic_batches": SOURCE, "order": SOURCE,
        },
    )  # fmt: skip
    encode = staticmethod(messages.encode)
    decode = staticmethod(messages.decode)

    append, read, list, delete = runs.append, runs.read, runs.sessions, runs.delete

    def __init__(self, location: Location) -> None:
        self.db = JsonDb(db_path=str(location.path("agno")))

    def close(self) -> None:
        """Nothing is open between calls."""
