"""Rollback journals that a crash leaves: SQLite plays them back when the file is opened next."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

_IN_PLACE = b"\x01\x01"  # versions in the header of a file without a write-ahead log
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
_ROWS = (
    "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 60) "
    "INSERT INTO spilled SELECT zeroblob(9000) FROM n"
)


def journaled(image: Path) -> Path | None:
    """The SQLite file in a directory that is written in place; None where there is none."""
    for file in sorted(image.rglob("*")):
        if file.is_file():
            with file.open("rb") as opened:
                head = opened.read(20)
            if head[:16] == b"SQLite format 3\0" and head[18:20] == _IN_PLACE:
                return file
    return None


def with_hot_journal(image: Path, there: Path) -> Path:
    """Copy a directory in the middle of a transaction of a plain connection to its file.

    It has removed all rows, and used their pages: the journal would take that back. Answers the
    file there. Raises ValueError for a directory without such a file.
    """
    file = journaled(image)
    if file is None:
        raise ValueError(f"{image} has no SQLite file that is written in place")
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("PRAGMA cache_size = 1")
        db.execute("BEGIN IMMEDIATE")
        for (name,) in db.execute(_TABLES).fetchall():
            with suppress(sqlite3.Error):  # a trigger may refuse it
                db.execute(f'DELETE FROM "{name}"')
        db.execute("CREATE TABLE spilled (x)")
        db.execute(_ROWS)
        shutil.copytree(image, there, dirs_exist_ok=True)
        db.execute("ROLLBACK")
    return there / file.relative_to(image)


LINES = (
    "names = [one for one in image.rglob('*') if one.is_file()]",
    "main = next(one for one in names if one.read_bytes()[:6] == b'SQLite')",
    "db = sqlite3.connect(main, isolation_level=None)",
    "db.execute('PRAGMA cache_size = 1')",
    "db.execute('BEGIN IMMEDIATE')",
    f"for name in db.execute({_TABLES!r}).fetchall():",
    "    with suppress(sqlite3.Error):",
    "        db.execute('DELETE FROM \"{}\"'.format(*name))",
    "db.execute('CREATE TABLE spilled (x)')",
    "db.executemany('INSERT INTO spilled VALUES (?)', [(bytes(9000),)] * 60)",
    "crashed = Path(tempfile.mkdtemp(), 'chats')",
    "shutil.copytree(image, crashed)",
    "db.execute('ROLLBACK')",
    "db.close()",
    "image = crashed",
)
"""The same in a script: ``image`` is the copy afterwards."""
