"""The tables behind a store after a crash, where it shows them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

from sessionproof.audit.tables import counter_problems, opened, orphan_problems
from sessionproof.checks.flaws import Aspect, Flaw
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.store import SqliteTables

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def table_flaws(tables: object) -> tuple[Flaw, ...]:
    """What is wrong in these tables: damage, orphans, counters; none where they cannot be seen."""
    if not isinstance(tables, SqliteTables):
        return ()
    try:
        return tuple(_flaws(tables))
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        damaged = _flaw("tables", Anomaly.UNREADABLE, "the tables can be read", str(error))
        return (damaged,) if code in _DAMAGED else ()


def _flaws(tables: SqliteTables) -> Iterator[Flaw]:
    with closing(opened(tables.path)) as connection:
        (sound,) = connection.execute("PRAGMA integrity_check(3)").fetchone()
    if sound != "ok":
        yield _flaw("tables", Anomaly.UNREADABLE, "SQLite finds the file in order", sound)
    elif orphans := orphan_problems(tables):
        expected = "every row belongs to something that is there"
        yield _flaw("tables", Anomaly.ORPHAN, expected, "; ".join(orphans[:3]))
    if drift := counter_problems(tables):
        expected = "kept counters are those of the rows"
        yield _flaw("counters", Anomaly.COUNTER_DRIFT, expected, "; ".join(drift[:3]))


def _flaw(aspect: Aspect, anomaly: Anomaly, expected: str, seen: str) -> Flaw:
    return Flaw(anomaly=anomaly, aspect=aspect, expected=expected, seen=seen)
