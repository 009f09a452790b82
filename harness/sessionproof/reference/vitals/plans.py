"""Whether the statements that every user waits for still find their rows by an index."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping

from sessionproof.reference import lifetime, statements
from sessionproof.reference.vitals.report import Number, Vital

HOT: Mapping[str, str] = {
    "append": statements.INSERT_ONE,
    "read": statements.READ_ALL,
    "read_last": statements.READ_LAST,
    "page": statements.READ_PAGE,
    "count": statements.COUNT,
    "get": statements.GET,
    "get_state": statements.GET_STATE,
    "clear": statements.CLEAR,
    "delete": statements.DELETE,
    "sweep": lifetime.SWEEP,
    "whether a sweep is due": lifetime.DUE,
}
_WALK = re.compile(r"SCAN (?!CONSTANT|\d|.*VIRTUAL)")  # a number is a subquery's


def walks(db: sqlite3.Connection, sql: str) -> list[str]:
    """The lines of the plan that walk through a table, in SQLite's words."""
    rows = db.execute(f"EXPLAIN QUERY PLAN {sql}", (None,) * marks_in(sql)).fetchall()
    return [str(row[3]) for row in rows if _WALK.match(str(row[3]))]


def marks_in(sql: str) -> int:
    """How many values a statement of ours takes: marks are ``?``, or numbered as ``?1``."""
    number = 0
    for mark in re.findall(r"\?(\d*)", sql):
        number = max(number, int(mark)) if mark else number + 1
    return number


def plans(db: sqlite3.Connection, hot: Mapping[str, str] = HOT) -> Vital:
    """A warning as soon as one of the hot statements walks through a table."""
    db.execute("PRAGMA trusted_schema = ON").close()  # nothing is run, also no trigger
    found = {name: lines for name, sql in hot.items() if (lines := walks(db, sql))}
    some = "; ".join(f"{name}: {lines[0]}" for name, lines in found.items())
    return Vital(
        "plans",
        "warning" if found else "ok",
        some or f"{len(hot)} statements find their rows by an index",
        (Number("plans_that_scan", len(found)),),
    )
