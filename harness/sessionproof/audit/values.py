"""Every value of every table of a SQLite file, counted: for questions about what is stored."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

from sessionproof.audit.tables import opened, quoted

_MAGIC = b"SQLite format 3\0"


def is_database(path: Path) -> bool:
    """Whether the file begins as a SQLite database does; raises OSError."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def values_of(path: Path) -> Counter[str]:
    """How often each value stands in the file, bytes in hexadecimal; raises sqlite3.Error.

    Tables of extensions that are not here are left out.
    """
    found: Counter[str] = Counter()
    with closing(opened(str(path))) as connection:
        names = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        ]
        for name in names:
            try:
                rows = connection.execute(f"SELECT * FROM {quoted(name)}").fetchall()
            except sqlite3.OperationalError as error:
                if "no such module" in str(error):
                    continue
                raise
            for row in rows:
                found.update(one.hex() if isinstance(one, bytes) else str(one) for one in row)
    return found
