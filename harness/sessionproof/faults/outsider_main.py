"""The program of the outsider: a process of its own, on the standard library alone.

One request a line, as JSON with the key ``do``; one answer a line: ``{"ok": …}``, ``{"error": …}``.
It is a process of its own because closing any descriptor of a file drops the locks that this
process has on it, also those of the store under test.
"""

from __future__ import annotations

import io
import json
import os
import select
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from typing import Any

_MAGIC = b"SQLite format 3\0"
_WAIT_S = 0.3  # a store that keeps its file locked does so for longer
_TRIGGER = "sessionproof_fault"
_VIRTUAL = "CREATE VIRTUAL"
_BEGIN = {
    "write": ("BEGIN IMMEDIATE",),
    "writing": ("BEGIN IMMEDIATE", "PRAGMA user_version = 7"),
    "read": ("BEGIN", "SELECT COUNT(*) FROM sqlite_schema"),
}
_held: list[sqlite3.Connection] = []


def databases(root: str) -> list[dict[str, Any]]:
    """Every SQLite file below the directory: its path, and whether it has a write-ahead log."""
    found = []
    for folder, _, names in os.walk(root):
        for name in sorted(names):
            path = os.path.join(folder, name)  # noqa: PTH118 - imports nothing more
            if os.path.islink(path) or not os.path.isfile(path):  # noqa: PTH113, PTH114
                continue
            with open(path, "rb") as file:  # noqa: PTH123
                head = file.read(20)
            if head.startswith(_MAGIC) and len(head) == 20:
                found.append({"path": path, "wal": head[18] == 2})
    return found


def holders(path: str, token: str) -> list[str]:
    """The tables with a row that holds the token in any column, as text or as bytes."""
    with closing(sqlite3.connect(path, timeout=_WAIT_S)) as db:
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type='table'")]
        return [name for name in names if _holds(db, name, token)]


def _holds(db: sqlite3.Connection, table: str, token: str) -> bool:
    try:
        where = _anywhere(db, table, "t")
        query = f"SELECT 1 FROM {_quoted(table)} AS t WHERE {where} LIMIT 1"
        return db.execute(query, {"token": token}).fetchone() is not None
    except sqlite3.Error:  # a virtual table whose module is not here
        return False


def poison(path: str, token: str, text: str, manner: str) -> list[str]:
    """Let no row with ``text`` into the tables that hold the token; answers the SQL that does it.

    ``manner`` is ABORT, FAIL or ROLLBACK: how SQLite undoes the statement.
    """
    tables = holders(path, token)
    made = []
    with closing(sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)) as db:
        for number, table in enumerate(tables):
            where = _anywhere(db, table, "NEW").replace(":token", "'" + text + "'")
            for event in ("INSERT", "UPDATE"):
                name = f"{_TRIGGER}_{manner}_{number}_{event}".lower()
                sql = (
                    f"CREATE TRIGGER {name} BEFORE {event} ON {_quoted(table)} WHEN {where} "
                    f"BEGIN SELECT RAISE({manner}, 'refused by sessionproof'); END"
                )
                try:
                    db.execute(sql)
                except sqlite3.OperationalError as error:
                    if "locked" in str(error):
                        raise
                    break  # virtual and shadow tables take no triggers
                made.append(sql)
    return made


def refuse_beside(path: str, token: str) -> list[list[str]]:
    """The SQL that lets no new row into a table, for each table that has rows and no such token.

    Nothing is done yet: ``run`` does it. Virtual tables and what lies behind them are left alone.
    """
    holding = {*holders(path, token)}
    with closing(sqlite3.connect(path, timeout=_WAIT_S)) as db:
        found = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table'").fetchall()
        virtual = tuple(f"{name}_" for name, sql in found if sql and sql.startswith(_VIRTUAL))
        names = [
            name
            for name, sql in found
            if name not in holding
            and not (sql or "").startswith(_VIRTUAL)
            and not name.startswith(("sqlite_", *virtual))
            and db.execute(f"SELECT 1 FROM {_quoted(name)} LIMIT 1").fetchone()
        ]
    return [
        [
            f"CREATE TRIGGER {_TRIGGER}_{number} BEFORE INSERT ON {_quoted(name)} "
            "BEGIN SELECT RAISE(ABORT, 'refused by sessionproof'); END"
        ]
        for number, name in enumerate(names)
    ]


def run(path: str, statements: list[str]) -> int:
    """Carry these out; answers how many they are."""
    with closing(sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)) as db:
        for sql in statements:
            db.execute(sql)
    return len(statements)


def mend(path: str) -> int:
    """Take all triggers of ``poison`` away."""
    with closing(sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)) as db:
        query = "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name GLOB ?"
        names = [row[0] for row in db.execute(query, (f"{_TRIGGER}*",))]
        for name in names:
            db.execute(f"DROP TRIGGER {_quoted(name)}")
    return len(names)


def hold(paths: list[str], how: str) -> int:
    """Take a lock on each of these files; answers on how many."""
    for path in paths:
        db = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)
        try:
            for statement in _BEGIN[how]:
                db.execute(statement).fetchall()
        except sqlite3.Error:
            db.close()
        else:
            _held.append(db)
    return len(_held)


def release() -> bool:
    """Let all locks go; answers whether there were any."""
    held = bool(_held)
    while _held:
        _held.pop().close()
    return held


def _anywhere(db: sqlite3.Connection, table: str, row: str) -> str:
    columns = db.execute(f"PRAGMA table_info({_quoted(table)})").fetchall()
    parts = [
        f"instr(CAST({row}.{_quoted(column[1])} AS BLOB), CAST(:token AS BLOB))"
        for column in columns
    ]
    return "(" + " OR ".join(f"coalesce({part}, 0)" for part in parts) + ")"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


_DOES: dict[str, Callable[..., Any]] = {
    "databases": databases, "poison": poison, "refuse_beside": refuse_beside, "run": run,
    "mend": mend, "hold": hold, "release": release,
}  # fmt: skip


def serve() -> None:
    """Answer requests until the input ends. After ``hold`` with ``for_s``, let go by itself."""
    lines = io.FileIO(sys.stdin.fileno(), closefd=False)  # nothing read ahead, for select
    rest = b""
    for_s: float | None = None
    while True:
        ready, _, _ = select.select([lines], [], [], for_s)
        if not ready:
            release()
            for_s = None
            continue
        data = lines.read(65_536)
        if not data:
            return
        rest += data
        while b"\n" in rest:
            line, _, rest = rest.partition(b"\n")
            request = json.loads(line)
            for_s = request.pop("for_s", None)
            try:
                answer: dict[str, Any] = {"ok": _DOES[request.pop("do")](**request)}
            except (sqlite3.Error, OSError) as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    serve()
