"""Sequence numbers as a store's tables hold them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from sessionproof.contract.store import SqliteTables

_LOCKED_S = 0.4  # a store that keeps its file locked does so for longer


def sequence_problems(tables: SqliteTables, *, start: int) -> list[str]:
    """Every session whose numbers do not run from ``start`` without gap or repeat, a sentence each.

    For sessions from which nothing was deleted. Opens the file read-only; raises
    ``sqlite3.Error`` when it cannot be read.
    """
    if tables.message_seq is None:
        return []
    # With the table's name before it, an unknown column is an error and not a text.
    seq, session = f"m.{_quoted(tables.message_seq)}", f"m.{_quoted(tables.message_session)}"
    query = (
        f"SELECT {session}, COUNT(*), COUNT(DISTINCT {seq}), MIN({seq}), MAX({seq}), "
        f"SUM(typeof({seq}) != 'integer') FROM {_quoted(tables.messages)} AS m GROUP BY {session}"
    )
    problems = []
    for name, count, distinct, lowest, highest, odd in _rows(tables, query):
        if odd:
            problems.append(f"session {name}: {odd} numbers are no integers")
        elif distinct != count:
            problems.append(f"session {name}: {count - distinct} numbers are repeated")
        elif (lowest, highest) != (start, start + count - 1):
            problems.append(f"session {name}: {count} messages numbered {lowest} to {highest}")
    return problems


def numbers_in(tables: SqliteTables) -> int:
    """How many numbers the table of messages holds; raises ``sqlite3.Error``."""
    if tables.message_seq is None:
        return 0
    column = f"m.{_quoted(tables.message_seq)}"
    return int(_rows(tables, f"SELECT COUNT({column}) FROM {_quoted(tables.messages)} AS m")[0][0])


def _rows(tables: SqliteTables, query: str) -> list[Any]:
    address = Path(tables.path).absolute().as_uri() + "?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=_LOCKED_S)) as connection:
        return connection.execute(query).fetchall()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
