"""Asking a store's file, read-only, for plans, for numbers of rows, and for its indexes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import TypeVar

from sessionproof.audit.tables import opened, quoted
from sessionproof.checks.plans import Line, Rows, Suspect, machine_suspects, suspects
from sessionproof.trials.single import Trial
from sessionproof.trials.watching import unwatched

T = TypeVar("T")

_COLUMNS = "SELECT lower(name) FROM pragma_table_info(?)"
_FIRST = (
    "SELECT lower(i.name) FROM pragma_index_list(?) AS l, pragma_index_info(l.name) AS i "
    "WHERE i.seqno = 0 AND i.name IS NOT NULL"
)


def looked(trial: Trial, file: str, ask: Callable[[sqlite3.Connection], T]) -> T:
    """What a read-only connection to the file answers; raises ``sqlite3.Error``.

    A store that keeps its file locked while it is open is closed for it.
    """
    if not file:
        raise sqlite3.OperationalError("its database is in memory, which only the store can see")
    try:
        return _asked(file, ask)
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise
        trial.store.close()
        return _asked(file, ask)


def _asked(file: str, ask: Callable[[sqlite3.Connection], T]) -> T:
    with unwatched(), closing(opened(file)) as connection:
        # EXPLAIN shows BLOBs of a statement as they are
        connection.text_factory = lambda text: text.decode("utf-8", "replace")
        return ask(connection)


def plan_of(
    connection: sqlite3.Connection, text: str
) -> tuple[tuple[Line, ...], tuple[Suspect, ...]]:
    """The plan of a statement, and what is suspect in it and in its triggers."""
    pages = connection.execute("SELECT rootpage, lower(tbl_name) FROM sqlite_master")
    tables = dict(pages.fetchall())
    asked = connection.execute(f"EXPLAIN QUERY PLAN {text}").fetchall()
    plan = tuple(Line(number, parent, words) for number, parent, _, words in asked)
    explained = connection.execute(f"EXPLAIN {text}").fetchall()
    machine = [(row[1], row[2], row[3], str(row[5] or "")) for row in explained]
    return plan, (*suspects(plan), *machine_suspects(machine, tables))


def rows_in(connection: sqlite3.Connection) -> Rows:
    """How many rows each table of the file has, by its name in small letters."""
    names = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0"
    ).fetchall()
    return {
        name.lower(): connection.execute(f"SELECT count(*) FROM {quoted(name)}").fetchone()[0]
        for (name,) in names
    }


def indexes_in(
    connection: sqlite3.Connection,
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The columns of each table, and the first columns of its indexes, all in small letters."""
    tables = rows_in(connection)
    columns = {name: [row[0] for row in connection.execute(_COLUMNS, (name,))] for name in tables}
    first = {name: [row[0] for row in connection.execute(_FIRST, (name,))] for name in tables}
    return columns, first
