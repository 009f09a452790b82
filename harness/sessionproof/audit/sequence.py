"""Sequence numbers as a store's tables hold them."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from sessionproof.audit.tables import opened, quoted
from sessionproof.contract.store import SqliteTables


def sequence_problems(tables: SqliteTables, *, start: int) -> list[str]:
    """Every session whose numbers do not run from ``start`` without gap or repeat, a sentence each.

    For sessions from which nothing was deleted. Opens the file read-only; raises
    ``sqlite3.Error`` when it cannot be read.
    """
    if tables.message_seq is None:
        return []
    # With the table's name before it, an unknown column is an error and not a text.
    seq, session = f"m.{quoted(tables.message_seq)}", f"m.{quoted(tables.message_session)}"
    query = (
        f"SELECT {session}, COUNT(*), COUNT(DISTINCT {seq}), MIN({seq}), MAX({seq}), "
        f"SUM(typeof({seq}) != 'integer') FROM {quoted(tables.messages)} AS m GROUP BY {session}"
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
    column = f"m.{quoted(tables.message_seq)}"
    return int(_rows(tables, f"SELECT COUNT({column}) FROM {quoted(tables.messages)} AS m")[0][0])


def _rows(tables: SqliteTables, query: str) -> list[Any]:
    with closing(opened(tables.path)) as connection:
        return connection.execute(query).fetchall()
