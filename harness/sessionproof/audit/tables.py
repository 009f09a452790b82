"""Audits of a store's own tables, by the names that the store gives: orphans, counters.

Each function opens the file read-only and raises ``sqlite3.Error`` when it cannot be read.
Orphans are looked for by ``NOT EXISTS``: ``NOT IN`` finds none as soon as one key is NULL.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from sessionproof.contract.store import SqliteTables

_LOCKED_S = 0.4  # a store that keeps its file locked does so for longer


def opened(path: str) -> sqlite3.Connection:
    """A connection that can only read; the caller closes it."""
    address = Path(path).absolute().as_uri() + "?mode=ro"
    return sqlite3.connect(address, uri=True, timeout=_LOCKED_S)


def quoted(name: str) -> str:
    """A name of a table or column as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def references(connection: sqlite3.Connection) -> Iterator[tuple[str, str, str, str]]:
    """Every single-column foreign key that the schema declares: table, column, parent, its key."""
    tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    for (table,) in tables:
        keys = connection.execute("SELECT * FROM pragma_foreign_key_list(?)", (table,)).fetchall()
        composite = {key[0] for key in keys if key[1] > 0}
        for number, _, parent, column, to, *_ in keys:
            if number not in composite:
                yield table, column, parent, to or _primary_key(connection, parent)


def rows_with_references(tables: SqliteTables) -> int:
    """How many rows refer to something: the evidence of ``orphan_problems``."""
    with closing(opened(tables.path)) as connection:
        return sum(
            int(connection.execute(f"SELECT COUNT(c.{quoted(column)}) FROM {quoted(table)} AS c")
                .fetchone()[0])
            for table, column, _, _ in _all_references(connection, tables)
        )  # fmt: skip


def orphan_problems(tables: SqliteTables) -> list[str]:
    """Every table with rows whose parent is gone, a sentence each.

    Looked at are the messages, the children that the store names, and every foreign key that the
    schema declares, enforced or not.
    """
    problems = []
    with closing(opened(tables.path)) as connection:
        for table, column, parent, key in _all_references(connection, tables):
            orphans = f"FROM {quoted(table)} AS c WHERE c.{quoted(column)} IS NOT NULL " + (
                f"AND NOT EXISTS (SELECT 1 FROM {quoted(parent)} AS p "
                f"WHERE p.{quoted(key)} = c.{quoted(column)})"
            )
            (number,) = connection.execute(f"SELECT COUNT(*) {orphans}").fetchone()
            if number:
                some = connection.execute(
                    f"SELECT DISTINCT c.{quoted(column)} {orphans} LIMIT 3"
                ).fetchall()
                names = ", ".join(repr(row[0]) for row in some)
                problems.append(
                    f"{number} rows of {table} refer by {column} to rows of {parent} "
                    f"that are not there ({names})"
                )
    return problems


def counter_problems(tables: SqliteTables) -> list[str]:
    """Every session whose kept count or total is not that of its messages, a sentence each.

    A NULL counter is a problem, too. At most ten sentences a counter.
    """
    if tables.sessions is None or tables.session_key is None:
        return []
    problems = []
    message = f"m.{quoted(tables.message_session)}"
    pairs = (
        (tables.session_count, "COUNT(*)"),
        (tables.session_tokens, _sum(tables.message_tokens)),
        (tables.session_duration, _sum(tables.message_duration)),
    )
    with closing(opened(tables.path)) as connection:
        for counter, real in pairs:
            if counter is None or real is None:
                continue
            kept = f"s.{quoted(counter)}"
            found = connection.execute(
                f"SELECT s.{quoted(tables.session_key)}, {kept}, coalesce(r.real, 0) "
                f"FROM {quoted(tables.sessions)} AS s LEFT JOIN (SELECT {message} AS session, "
                f"{real} AS real FROM {quoted(tables.messages)} AS m GROUP BY {message}) AS r "
                f"ON r.session = s.{quoted(tables.session_key)} "
                f"WHERE {kept} IS NOT coalesce(r.real, 0) LIMIT 10"
            ).fetchall()
            problems += [
                f"session {name!r}: {counter} is {seen}, its messages give {want}"
                for name, seen, want in found
            ]
    return problems


def _sum(column: str | None) -> str | None:
    return None if column is None else f"SUM(coalesce(m.{quoted(column)}, 0))"


def _all_references(
    connection: sqlite3.Connection, tables: SqliteTables
) -> list[tuple[str, str, str, str]]:
    found = list(references(connection))
    if tables.sessions is not None and tables.session_key is not None:
        named = {tables.messages: tables.message_session, **(tables.children or {})}
        found += [
            (table, column, tables.sessions, tables.session_key) for table, column in named.items()
        ]
    return list(dict.fromkeys(found))


def _primary_key(connection: sqlite3.Connection, table: str) -> str:
    found = connection.execute(
        "SELECT name FROM pragma_table_info(?) WHERE pk = 1", (table,)
    ).fetchone()
    return str(found[0]) if found else "rowid"
