"""mem0: ``SQLiteManager``, which keeps the last messages of each scope in an SQLite file."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from typing import Any

from sessionproof.adapters.codec import exact, no_place
from sessionproof.adapters.surroundings import elsewhere
from sessionproof.contract.claims import Claims, Limits
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import MissingExtra
from sessionproof.contract.message import Message
from sessionproof.contract.store import SqliteTables

try:
    with elsewhere("MEM0_DIR", MEM0_TELEMETRY="False"):
        from mem0.memory.storage import SQLiteManager
except ImportError as error:
    raise MissingExtra("mem0", "mem0", "mem0ai") from error

ROLES = frozenset({"user", "assistant", "system"})
REPOSITORY = "https://github.com/mem0ai/mem0/blob/v2.2.1/mem0"
SOURCE = f"{REPOSITORY}/memory/storage.py"
SETTINGS = f"{REPOSITORY}/configs/base.py"


def encode(message: Message) -> dict[str, Any]:
    """The message as mem0 takes it; raises NotRepresentable."""
    match message:
        case Message(kind="text", role=role, content=str(text)) if role in ROLES:
            return exact(message, {"role": role, "content": text, "name": message.name}, decode)
        case _:
            raise no_place(message)


def decode(item: dict[str, Any]) -> Message:
    """The inverse of ``encode``."""
    return Message(item["role"], item["content"], name=item["name"])


class Store:
    """One connection, whose calls take turns by a lock; a session is a scope."""

    version = importlib.metadata.version("mem0ai")
    claims = Claims(
        keeps={"role", "content", "name"},
        roles=ROLES,
        atomic_batches=True,
        handles="processes",
        shared_handle=True,
        durability="process",
        limits=Limits(retention=10),
        sources={
            "keeps": SOURCE, "roles": SOURCE, "atomic_batches": SOURCE, "shared_handle": SOURCE,
            "limits": SOURCE, "handles": SETTINGS, "durability": SETTINGS,
        },
    )  # fmt: skip
    encode = staticmethod(encode)
    decode = staticmethod(decode)

    def __init__(self, location: Location) -> None:
        self._path = location.path("chat.db")
        self._manager = SQLiteManager(str(self._path))

    def append(self, session_id: str, messages: Sequence[Message]) -> None:
        """``save_messages``: one transaction for the batch, and for what falls out of the scope."""
        self._manager.save_messages([encode(message) for message in messages], session_id)

    def read(self, session_id: str) -> list[Message]:
        """``get_last_messages``, which answers as many as are kept."""
        return [decode(item) for item in self._manager.get_last_messages(session_id)]

    def read_last(self, session_id: str, n: int) -> list[Message]:
        """``get_last_messages`` with a limit."""
        return [decode(item) for item in self._manager.get_last_messages(session_id, n)]

    def tables(self) -> SqliteTables:
        """The one table: sessions have no rows of their own."""
        return SqliteTables(str(self._path), "messages", "session_scope")

    def close(self) -> None:
        """Close the connection."""
        self._manager.close()
