"""Sequence numbers as a store's tables hold them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sessionproof.contract.store import SqliteTables


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
    address = Path(tables.path).absolute().as_uri() + "?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as connection:
        rows = connection.execute(query).fetchall()
    problems = []
    for name, count, distinct, lowest, highest, odd in rows:
        if odd:
            problems.append(f"session {name}: {odd} numbers are no integers")
        elif distinct != count:
            problems.append(f"session {name}: {count - distinct} numbers are repeated")
        elif (lowest, highest) != (start, start + count - 1):
            problems.append(f"session {name}: {count} messages numbered {lowest} to {highest}")
    return problems


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
