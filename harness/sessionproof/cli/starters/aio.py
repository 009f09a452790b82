"""An adapter for sessionproof: it runs as it is. Replace what is marked, a method at a time."""

import asyncio
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from tempfile import TemporaryDirectory

from sessionproof import Claims, Location, Message

SCHEMA = """
    CREATE TABLE IF NOT EXISTS messages
        (number INTEGER PRIMARY KEY, session TEXT, role TEXT, content TEXT);
    CREATE INDEX IF NOT EXISTS by_session ON messages (session, number);
"""


class Store:
    """Chat sessions in one SQLite file. A handle lives on one event loop."""

    # Replace: the version of your store. The report shows what was tested.
    version = "0.1"

    # Replace: what your store promises beyond append and read, no more than its documents say.
    # Each claim is judged; what is not claimed cannot be broken.
    claims = Claims(
        keeps={"role", "content"},  # fields that come back equal
        roles={"user", "assistant", "system"},
        atomic_batches=True,  # an append lands whole or not at all
        durability="process",  # all is there after close and reopen, also in another process
    )

    def __init__(self, location: Location) -> None:
        # Replace: open your store. The location is a private directory, and everything that the
        # store writes must lie below it. The same location opened again is the same data.
        # When opening must be awaited, name a function `async def make_store(location)` instead.
        path = location.path("chat.db")
        if not path.exists():  # what is there is never taken for new, not even an empty file
            with TemporaryDirectory(dir=path.parent) as beside:
                made = f"{beside}/chat.db"
                with closing(sqlite3.connect(made)) as new:
                    new.executescript(SCHEMA)
                with suppress(FileExistsError):  # another process was first: its file counts
                    os.link(made, path)
        self._db = sqlite3.connect(path, timeout=20, check_same_thread=False)
        self._lock = asyncio.Lock()

    async def append(self, session_id: str, messages: Sequence[Message]) -> None:
        """Replace: store the batch, or raise. Never swallow an error of your store."""
        rows = [(session_id, message.role, message.content) for message in messages]
        async with self._lock:
            await asyncio.to_thread(self._insert, rows)

    def _insert(self, rows: Sequence[tuple[object, ...]]) -> None:
        with self._db:
            self._db.executemany(
                "INSERT INTO messages (session, role, content) VALUES (?, ?, ?)", rows
            )

    async def read(self, session_id: str) -> list[Message]:
        """Replace: all messages of the session, the oldest first; none when it is unknown."""
        return await self._messages(
            "SELECT role, content FROM messages WHERE session = ? ORDER BY number", session_id
        )

    async def read_last(self, session_id: str, n: int) -> list[Message]:
        """Replace, or delete: optional, as are list, delete, count and others.

        A method that is there is judged. Offer only what your store does itself.
        """
        newest = await self._messages(
            "SELECT role, content FROM messages WHERE session = ? ORDER BY number DESC LIMIT ?",
            session_id, n,
        )  # fmt: skip
        return newest[::-1]

    async def _messages(self, query: str, *values: object) -> list[Message]:
        async with self._lock:
            rows = await asyncio.to_thread(lambda: self._db.execute(query, values).fetchall())
        return [Message(role, content) for role, content in rows]

    async def close(self) -> None:
        """Replace: give back what was opened."""
        self._db.close()
