"""Cases of two connections of which one is in the other's way: what SQLite makes of each."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Do = Callable[[sqlite3.Connection], Any]


def does(*statements: str) -> Do:
    """Carry these out, and fetch nothing."""

    def act(db: sqlite3.Connection) -> None:
        for text in statements:
            if text in ("commit", "rollback"):
                getattr(db, text)()
            else:
                db.execute(text)

    return act


def all_of(text: str) -> Do:
    """Carry it out and fetch all that it answers."""
    return lambda db: db.execute(text).fetchall()


def half_read(db: sqlite3.Connection) -> Any:
    """Leave a cursor in the middle."""
    cursor = db.execute("SELECT x FROM t")
    cursor.fetchone()
    return cursor


NOTHING, ROLLBACK = does(), does("rollback")


@dataclass(frozen=True)
class Case:
    """``holds`` takes a lock by one connection, ``lets_go`` lets go; ``acts`` comes in between.

    ``first`` is what the second connection did before.
    """

    name: str
    holds: Do
    acts: Do
    lets_go: Do = ROLLBACK
    first: Do = NOTHING
    journal: str = "delete"
    level: str | None = None
    timeout: float = 60.0
    expected: str = "waits"


WRITE = "INSERT INTO t VALUES (9)"
READ = "SELECT count(*) FROM t"


def script(text: str) -> Do:
    """A script."""
    return lambda db: db.executescript(text)


def many(db: sqlite3.Connection) -> Any:
    """Several rows by one call."""
    return db.executemany("INSERT INTO t VALUES (?)", iter([(7,), (8,)]))


CASES = [
    Case("write against a writer", does("BEGIN IMMEDIATE"), does(WRITE)),
    Case("write against a writer, wal", does("BEGIN IMMEDIATE"), does(WRITE), journal="wal"),
    Case("begin immediate", does("BEGIN IMMEDIATE"), does("BEGIN IMMEDIATE")),
    Case("begin exclusive", does("BEGIN IMMEDIATE"), does("BEGIN EXCLUSIVE")),
    Case("begin", does("BEGIN EXCLUSIVE"), does("BEGIN"), expected="goes on"),
    Case("write in a new transaction", does("BEGIN IMMEDIATE"), does("BEGIN", WRITE)),
    Case("read against a writer", does("BEGIN IMMEDIATE", WRITE), all_of(READ), expected="goes on"),
    Case("read against an exclusive one", does("BEGIN EXCLUSIVE"), all_of(READ)),
    Case("read in a new transaction", does("BEGIN EXCLUSIVE"), does("BEGIN", READ)),
    Case(
        "read against an exclusive one, wal", does("BEGIN EXCLUSIVE"), all_of(READ),
        journal="wal", expected="goes on",
    ),
    Case(
        "a read becomes a write", does("BEGIN IMMEDIATE"), does(WRITE), first=does("BEGIN", READ),
        expected="is refused",
    ),
    Case(
        "a read becomes a write, wal", does("BEGIN IMMEDIATE"), does(WRITE), journal="wal",
        first=does("BEGIN", READ), expected="is refused",
    ),
    Case(
        "the newest was not read", does("BEGIN IMMEDIATE", WRITE, "commit"), does(WRITE),
        journal="wal", first=does("BEGIN", READ), expected="is refused",
    ),
    Case("commit against a reader", does("BEGIN", READ), does("commit"),
         first=does("BEGIN", WRITE)),
    Case(
        "commit against a reader, wal", does("BEGIN", READ), does("commit"), journal="wal",
        first=does("BEGIN", WRITE), expected="goes on",
    ),
    Case("a statement's own commit", does("BEGIN", READ), does(WRITE)),
    Case("a read after a commit waits", does("BEGIN", READ), does("COMMIT"),
         first=does("BEGIN", WRITE)),
    Case("no timeout", does("BEGIN IMMEDIATE"), does(WRITE), timeout=0, expected="is refused"),
    Case("a timeout of the pragma", does("BEGIN IMMEDIATE"), does(WRITE), timeout=0,
         first=does("PRAGMA busy_timeout = 60000")),
    Case("a timeout taken back", does("BEGIN IMMEDIATE"), does(WRITE),
         first=does("PRAGMA busy_timeout(0)"), expected="is refused"),
    Case("python's own begin", does("BEGIN IMMEDIATE"), does(WRITE, "commit"), level=""),
    Case("python's own begin immediate", does("BEGIN IMMEDIATE"), does(WRITE), level="IMMEDIATE"),
    Case("python's own begin exclusive", does("BEGIN IMMEDIATE"), does(WRITE), level="EXCLUSIVE"),
    Case("python's begin with a read before", does("BEGIN IMMEDIATE"), does(WRITE), level="",
         first=does(READ)),
    Case("many rows", does("BEGIN IMMEDIATE"), many),
    Case("many rows, python's own begin", does("BEGIN IMMEDIATE"), many, level=""),
    Case("a script", does("BEGIN IMMEDIATE"), script(f"SELECT 1; {WRITE}; {WRITE};")),
    Case("a script with a transaction", does("BEGIN", READ),
         script(f"BEGIN; {WRITE}; COMMIT; {READ}")),
    Case("a script that read before", does("BEGIN IMMEDIATE"),
         script(f"BEGIN; {READ}; {WRITE}; COMMIT;"), expected="is refused"),
    Case("what returns rows", does("BEGIN", READ), all_of(f"{WRITE} RETURNING x")),
    Case("a savepoint, then a write", does("BEGIN IMMEDIATE"), does("SAVEPOINT a", WRITE)),
    Case("the end of a savepoint", does("BEGIN", READ), does("RELEASE a"),
         first=does("SAVEPOINT a", WRITE)),
    Case("another journal, against a writer", does("BEGIN EXCLUSIVE"),
         does("PRAGMA journal_mode = wal")),
    Case("a vacuum", does("BEGIN", READ), does("VACUUM")),
    Case("another journal, against a reader", does("BEGIN", READ),
         does("PRAGMA journal_mode = wal")),
    Case("a version of its own", does("BEGIN IMMEDIATE"), does("PRAGMA user_version = 3")),
    Case("a table is made", does("BEGIN IMMEDIATE"), does("CREATE TABLE u (x)")),
    Case("a list is read, then a write", does("BEGIN IMMEDIATE"), does(WRITE),
         first=does("BEGIN", "SELECT value FROM json_each('[1]')"), expected="is refused"),
    Case("something of its own is written, then a write", does("BEGIN IMMEDIATE"), does(WRITE),
         first=does("CREATE TEMP TABLE k (x)", "BEGIN", "INSERT INTO temp.k VALUES (1)")),
    Case("a constant is named, then a write", does("BEGIN IMMEDIATE"), does(WRITE),
         first=does("BEGIN", "WITH a AS (SELECT 1) SELECT * FROM a")),
    Case("a constant is selected, then a write", does("BEGIN IMMEDIATE"), does(WRITE),
         first=does("BEGIN", "SELECT x FROM (SELECT 1 AS x)")),
    Case("a read that touches nothing, then a write", does("BEGIN IMMEDIATE"), does(WRITE),
         first=does("BEGIN", "SELECT 1")),
]  # fmt: skip

GAPS = [
    Case("an open cursor, then a write", does("BEGIN IMMEDIATE"), does(WRITE), first=half_read),
    Case("a pragma that reads, then a write", does("BEGIN IMMEDIATE"), does(WRITE),
         first=does("BEGIN", "PRAGMA user_version")),
]  # fmt: skip
