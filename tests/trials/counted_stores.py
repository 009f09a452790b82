"""Stores whose calls are counted by tests: opened by their names in processes of their own."""

import asyncio
import os
import sqlite3
import sys
import threading
import time

from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message
from sessionproof.oracle.memory import MemoryStore

CLAIMS = Claims(roles={"user"})


class Plain:
    """One table in one file; nothing is synced."""

    claims = CLAIMS

    def __init__(self, location):
        self.path = location.path("a.db")
        self.db = self.connect()
        self.db.execute("CREATE TABLE IF NOT EXISTS m (id INTEGER PRIMARY KEY, s TEXT, body TEXT)")
        self.db.execute("CREATE INDEX IF NOT EXISTS by_session ON m (s)")

    def connect(self):
        """A connection in autocommit."""
        db = sqlite3.connect(self.path, isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = OFF")
        return db

    def append(self, session_id, messages):
        """A row for each message."""
        for one in messages:
            self.db.execute("INSERT INTO m (s, body) VALUES (?, ?)", (session_id, one.content))

    def read(self, session_id):
        """The rows of a session."""
        rows = self.db.execute("SELECT body FROM m WHERE s = ? ORDER BY id", (session_id,))
        return [Message("user", body) for (body,) in rows]

    def close(self):
        """Close the file."""
        self.db.close()


class Recounts(Plain):
    """Counts all messages of the session at each append, in a function of its own."""

    def append(self, session_id, messages):
        """A row, and a count."""
        super().append(session_id, messages)
        self.recount(session_id)

    def recount(self, session_id):
        """How many there are."""
        sql = "SELECT count(*) FROM m WHERE s = ?"
        return self.db.execute(sql, (session_id,)).fetchone()[0]


class Reconnects(Plain):
    """Opens a connection for each append."""

    def append(self, session_id, messages):
        """Open, append, close."""
        kept, self.db = self.db, self.connect()
        super().append(session_id, messages)
        self.db.close()
        self.db = kept


class Syncs(Plain):
    """Syncs a file of its own at each append, and writes ten thousand bytes to it."""

    def append(self, session_id, messages):
        """A row, and a file."""
        super().append(session_id, messages)
        with self.path.with_suffix(".more").open("ab", buffering=0) as more:
            more.write(b"x" * 10_000)
            os.fsync(more.fileno())


class Thinks(Plain):
    """Works long in Python before it appends."""

    def append(self, session_id, messages):
        """Think, then a row."""
        think()
        super().append(session_id, messages)


def think():
    """Some milliseconds of Python."""
    return sum(number * number for number in range(20_000))


class Awaited(Plain):
    """The same behind ``async def``."""

    async def append(self, session_id, messages):
        """A row, a turn later."""
        await asyncio.sleep(0)
        super().append(session_id, messages)

    async def read(self, session_id):
        """The rows, a turn later."""
        await asyncio.sleep(0)
        return super().read(session_id)


class Watches(Plain):
    """Has a trace callback of its own on its connection, of which there can be only one."""

    def connect(self):
        """A connection with a callback."""
        db = super().connect()
        db.set_trace_callback(lambda _text: None)
        return db


class Patient(Plain):
    """Has a progress handler of its own, of which there can be only one."""

    def connect(self):
        """A connection with a handler."""
        db = super().connect()
        db.set_progress_handler(lambda: None, 1_000_000)
        return db


class InMemory(MemoryStore):
    """Writes nothing and knows no SQL."""

    claims = CLAIMS


class Unopened(Plain):
    """Cannot be opened."""

    def __init__(self, location):
        raise RuntimeError("the moon is in the wrong quarter")


class Ends(MemoryStore):
    """Ends its process at the fourth append that it is asked for."""

    claims = CLAIMS
    asked = 0

    def append(self, session_id, messages):
        """Append, or end."""
        self.asked += 1
        if self.asked > 3:
            print("out of ink", file=sys.stderr, flush=True)  # noqa: T201 - as a library may
            os._exit(7)
        super().append(session_id, messages)


class Refuses(Plain):
    """Cannot be opened a second time, and appends all the same."""

    def __init__(self, location):
        if location.root.parent.name == "opened":
            raise RuntimeError("one is enough")
        super().__init__(location)


class Slow(Plain):
    """Takes a while for each append."""

    def append(self, session_id, messages):
        """A row, after a while."""
        time.sleep(0.05)
        super().append(session_id, messages)


class Hangs(Plain):
    """Does not answer an append."""

    def append(self, session_id, messages):
        """Wait for ever."""
        threading.Event().wait()
