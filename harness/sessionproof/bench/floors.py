"""Floors: raw SQLite that does the least that each operation needs, beside which a store is timed.

A floor checks nothing, counts nothing and converts nothing. Two tables, a key each, one statement
an operation, and each of them a look-up. A third table is what a session manager keeps.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, Literal, TypeAlias

from sessionproof.contract.clock import monotonic_s

Synchronous: TypeAlias = Literal["FULL", "NORMAL"]

_BUSY_S = 30.0  # many clients wait for each other, and none of them is to fail
SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, title TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages (
    session TEXT NOT NULL, number INTEGER NOT NULL, role TEXT NOT NULL, content TEXT NOT NULL,
    PRIMARY KEY (session, number)
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS deleted BEFORE DELETE ON sessions
BEGIN DELETE FROM messages WHERE session = OLD.id; END;
CREATE TABLE IF NOT EXISTS managed (
    id TEXT PRIMARY KEY, accessed INTEGER NOT NULL, first TEXT, parent TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS managed_by_access ON managed (accessed);
"""
APPEND = (
    "INSERT INTO messages SELECT ?1, 1 + coalesce(max(number), 0), 'user', ?2 "
    "FROM messages WHERE session = ?1"
)
NEWEST = "SELECT number, role, content FROM messages WHERE session = ? ORDER BY number DESC LIMIT ?"
AFTER = (
    "SELECT number, role, content FROM messages WHERE session = ? AND number > ? "
    "ORDER BY number LIMIT ?"
)
COUNT = "SELECT count(*) FROM messages WHERE session = ?"
GET = "SELECT id, title FROM sessions WHERE id = ?"
CREATE = "INSERT INTO sessions VALUES (?, NULL)"
UPDATE = "UPDATE sessions SET title = ? WHERE id = ?"
DELETE = "DELETE FROM sessions WHERE id = ?"
MANAGE = "INSERT INTO managed VALUES (?, ?, ?, NULL)"
MANAGED = "SELECT id, accessed, first, parent FROM managed WHERE id = ? AND accessed > ?"
SET_PARENT = "UPDATE managed SET parent = ?, accessed = ? WHERE id = ?"
UNMANAGE = "DELETE FROM managed WHERE id = ?"
CLEAN_UP = "DELETE FROM managed WHERE accessed <= ?"


class Floor:
    """One connection to a file of its own; several may be open on the same file.

    Sessions and contents are plain texts, messages come back as (number, role, content) with
    numbers from 1 on. Any thread may use it, one at a time. Raises ``sqlite3.Error``.
    """

    def __init__(self, path: Path, *, synchronous: Synchronous) -> None:
        self.words = f"raw SQLite, synchronous={synchronous}"
        self._connection = _connected(path, synchronous)
        self._execute = self._connection.execute
        _kept_in_a_log(self._connection)
        self._connection.executescript(SCHEMA)

    def append(self, session: str, content: str) -> None:
        """Add one message in a transaction of its own; the session need not exist."""
        self._execute(APPEND, (session, content))

    def append_many(self, session: str, contents: Iterable[str]) -> None:
        """Add all of them in one transaction: for loading."""
        self._execute("BEGIN IMMEDIATE")
        self._connection.executemany(APPEND, ((session, content) for content in contents))
        self._execute("COMMIT")

    def read_last(self, session: str, n: int) -> list[tuple[int, str, str]]:
        """The newest ``n`` messages, oldest first."""
        return self._execute(NEWEST, (session, n)).fetchall()[::-1]

    def page(self, session: str, after: int, limit: int) -> list[tuple[int, str, str]]:
        """At most ``limit`` messages with numbers above ``after``, oldest first."""
        return self._execute(AFTER, (session, after, limit)).fetchall()

    def count(self, session: str) -> int:
        """How many messages the session has, by counting them."""
        rows = self._execute(COUNT, (session,))
        return int(rows.fetchone()[0])

    def get(self, session: str) -> tuple[str, str | None] | None:
        """Id and title; None when the session is unknown."""
        rows: list[Any] = self._execute(GET, (session,)).fetchall()
        return rows[0] if rows else None

    def create(self, session: str) -> None:
        """Make a session without messages."""
        self._execute(CREATE, (session,))

    def update(self, session: str, title: str) -> None:
        """Change one value of a session."""
        self._execute(UPDATE, (title, session))

    def delete(self, session: str) -> None:
        """Remove a session that was created, with its messages."""
        self._execute(DELETE, (session,))

    def manage(self, session: str, now: int, first: str) -> None:
        """Make a managed session that was accessed now."""
        self._execute(MANAGE, (session, now, first))

    def managed(self, session: str, after: int) -> list[tuple[Any, ...]]:
        """The managed session if it was accessed later than that; nothing is written."""
        return self._execute(MANAGED, (session, after)).fetchall()

    def set_parent(self, session: str, parent: str, now: int) -> None:
        """Set a managed session's parent, which is an access."""
        self._execute(SET_PARENT, (parent, now, session))

    def unmanage(self, session: str) -> None:
        """Remove a managed session."""
        self._execute(UNMANAGE, (session,))

    def clean_up(self, until: int) -> None:
        """Remove managed sessions that were last accessed then or before."""
        self._execute(CLEAN_UP, (until,))

    def close(self) -> None:
        """Close the connection; the file stays."""
        self._connection.close()


def open_and_close(path: Path, session: str = "", *, synchronous: Synchronous = "NORMAL") -> None:
    """The floor of opening: connect to a file that a Floor made, read a message, close."""
    with closing(_connected(path, synchronous)) as connection:
        connection.execute(NEWEST, (session, 1)).fetchall()


def synchronous_for(durability: str) -> Synchronous:
    """What SQLite needs for a claim of durability."""
    return "FULL" if durability.startswith("power") else "NORMAL"


def _kept_in_a_log(connection: sqlite3.Connection) -> None:
    """Turn the log on; SQLite does not wait for others who do the same at this moment."""
    until = monotonic_s() + _BUSY_S
    while not _turned_on(connection):
        if monotonic_s() > until:
            raise sqlite3.OperationalError("others keep the database locked")
        time.sleep(0.01)


def _turned_on(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
    except sqlite3.OperationalError:
        return False
    return True


def _connected(path: Path, synchronous: Synchronous) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
    )
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    return connection
