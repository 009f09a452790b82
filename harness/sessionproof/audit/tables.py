"""Audits of a store's own tables, by the names that the store gives: orphans, counters, remains.

Each function opens the file read-only and raises ``sqlite3.Error`` when it cannot be read.
Orphans are looked for by ``NOT EXISTS``: ``NOT IN`` finds none as soon as one key is NULL.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from sessionproof.contract.store import SqliteTables

_LOCKED_S = 0.4  # a store that keeps its file locked does so for longer
_MOST = 10  # sentences of one kind

# Counters of a session that a store may keep, by the facts that they answer.
COUNTERS = {
    "message_count": "session_count",
    "total_tokens": "session_tokens",
    "total_duration_us": "session_duration",
}
DURATION_PART = 1e-9  # of the real total: what a kept total of durations may be off


@dataclass(frozen=True, slots=True)
class Reference:
    """Rows of ``table`` refer by ``columns`` to rows of ``parent`` by its ``keys``."""

    table: str
    columns: tuple[str, ...]
    parent: str
    keys: tuple[str, ...]

    @property
    def rows(self) -> str:
        """``FROM … WHERE …`` of the rows that refer to something; the table is called c."""
        given = " AND ".join(f"c.{quoted(column)} IS NOT NULL" for column in self.columns)
        return f"FROM {quoted(self.table)} AS c WHERE {given}"

    def orphans(self, *, parent_exists: bool = True) -> str:
        """``FROM … WHERE …`` of the rows whose parent is gone."""
        if not parent_exists:
            return self.rows
        same = " AND ".join(
            f"p.{quoted(key)} = c.{quoted(column)}"
            for key, column in zip(self.keys, self.columns, strict=True)
        )
        missing = f"NOT EXISTS (SELECT 1 FROM {quoted(self.parent)} AS p WHERE {same})"
        return f"{self.rows} AND {missing}"


def opened(path: str) -> sqlite3.Connection:
    """A connection that can only read; the caller closes it."""
    address = Path(path).absolute().as_uri() + "?mode=ro"
    return sqlite3.connect(address, uri=True, timeout=_LOCKED_S)


def quoted(name: str) -> str:
    """A name of a table or column as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def declared_references(connection: sqlite3.Connection) -> Iterator[Reference]:
    """Every foreign key that the schema declares, enforced or not."""
    for table in _table_names(connection):
        keys = connection.execute(
            'SELECT id, "table", "from", "to" FROM pragma_foreign_key_list(?) ORDER BY id, seq',
            (table,),
        ).fetchall()
        for _, group in groupby(keys, lambda key: key[0]):
            parts = list(group)
            parent = parts[0][1]
            own = _primary_key(connection, parent)
            named = [key for *_, key in parts if key is not None]
            keys_of = named if len(named) == len(parts) else own
            if len(keys_of) == len(parts):
                yield Reference(table, tuple(part[2] for part in parts), parent, tuple(keys_of))


def references_in(connection: sqlite3.Connection, tables: SqliteTables) -> list[Reference]:
    """What refers to what: the messages and children that the store names, and what is declared."""
    named = []
    if tables.sessions is not None and tables.session_key is not None:
        columns = {tables.messages: tables.message_session, **(tables.children or {})}
        named = [
            Reference(table, (column,), tables.sessions, (tables.session_key,))
            for table, column in columns.items()
        ]
    return list(dict.fromkeys([*named, *declared_references(connection)]))


def rows_with_references(tables: SqliteTables) -> int:
    """How many rows refer to something: the evidence of ``orphan_problems``."""
    with closing(opened(tables.path)) as connection:
        return sum(
            int(connection.execute(f"SELECT COUNT(*) {reference.rows}").fetchone()[0])
            for reference in references_in(connection, tables)
        )


def orphan_problems(tables: SqliteTables) -> list[str]:
    """Every table with rows whose parent is gone, a sentence each.

    Looked at are the messages, the children that the store names, and every foreign key that the
    schema declares, enforced or not.
    """
    problems = []
    with closing(opened(tables.path)) as connection:
        there = {name.lower() for name in _table_names(connection)}
        for reference in references_in(connection, tables):
            orphans = reference.orphans(parent_exists=reference.parent.lower() in there)
            (number,) = connection.execute(f"SELECT COUNT(*) {orphans}").fetchone()
            if number:
                columns = ", ".join(f"c.{quoted(column)}" for column in reference.columns)
                some = connection.execute(f"SELECT DISTINCT {columns} {orphans} LIMIT 3").fetchall()
                shown = ", ".join("/".join(map(repr, row)) for row in some)
                problems.append(
                    f"{number} rows of {reference.table} refer by "
                    f"{', '.join(reference.columns)} to rows of {reference.parent} "
                    f"that are not there ({shown})"
                )
    return problems


def unread_problems(tables: SqliteTables, readable: int) -> list[str]:
    """Whether the table of messages has more rows than messages can be read: a sentence, or none.

    ``readable`` is what reads of all sessions of the file answer together.
    """
    with closing(opened(tables.path)) as connection:
        query = f"SELECT COUNT(*) FROM {quoted(tables.messages)}"
        (rows,) = connection.execute(query).fetchone()
    if rows <= readable:
        return []
    return [f"{tables.messages} has {rows} rows, and {readable} messages can be read"]


def kept_counters(tables: SqliteTables, facts: Collection[str]) -> list[str]:
    """Those of these facts for which the store names a column, and what it is counted from."""
    if tables.sessions is None or tables.session_key is None:
        return []
    return [fact for fact in facts if _columns(tables, fact) is not None]


def counter_problems(tables: SqliteTables, facts: Collection[str] = tuple(COUNTERS)) -> list[str]:
    """Every session whose kept count or total is not that of its messages, a sentence each.

    A counter that is NULL or no number is a problem, too. A total of durations may be off by one
    part in 10^9 of the real one, so that of a session without messages must be 0. At most ten
    sentences a counter.
    """
    problems: list[str] = []
    with closing(opened(tables.path)) as connection:
        for fact in kept_counters(tables, facts):
            counter, real = _columns(tables, fact) or ("", "")
            message, kept = f"m.{quoted(tables.message_session)}", f"s.{quoted(counter)}"
            part = DURATION_PART if fact == "total_duration_us" else 0
            # The session's key may be any column; a message refers to it by its own.
            found = connection.execute(
                f"SELECT s.{quoted(str(tables.session_key))}, {kept}, coalesce(r.real, 0) "
                f"FROM {quoted(str(tables.sessions))} AS s LEFT JOIN ("
                f"SELECT {message} AS session, {real} AS real "
                f"FROM {quoted(tables.messages)} AS m GROUP BY {message}) AS r "
                f"ON r.session = s.{quoted(str(tables.session_key))} "
                f"WHERE typeof({kept}) NOT IN ('integer', 'real') "
                f"OR abs({kept} - coalesce(r.real, 0)) > ? * abs(coalesce(r.real, 0)) "
                f"LIMIT {_MOST}",
                (part,),
            ).fetchall()
            problems += [
                f"session {name!r}: {counter} is {seen!r}, its messages give {want!r}"
                for name, seen, want in found
            ]
    return problems


def tables_with(tables: SqliteTables, text: str) -> dict[str, int]:
    """How many rows of each table of the file hold this text in any column; only tables with some.

    What a virtual table keeps its rows in is looked at through that one alone.
    """
    out = {}
    with closing(opened(tables.path)) as connection:
        virtual = _virtual_names(connection)
        for table in _table_names(connection):
            if any(table.startswith(f"{name}_") for name in virtual):
                continue
            try:
                number = _rows_with(connection, table, text)
            except sqlite3.OperationalError:
                if table not in virtual:
                    raise
                continue  # its module is not there
            if number:
                out[table] = number
    return out


def virtual_tables(tables: SqliteTables) -> set[str]:
    """The virtual tables of the file, such as those for searching."""
    with closing(opened(tables.path)) as connection:
        return _virtual_names(connection)


def _rows_with(connection: sqlite3.Connection, table: str, text: str) -> int:
    columns = connection.execute(
        "SELECT name FROM pragma_table_xinfo(?) WHERE hidden <> 1", (table,)
    ).fetchall()
    holds = " OR ".join(f"instr(CAST(c.{quoted(name)} AS BLOB), ?)" for (name,) in columns)
    query = f"SELECT COUNT(*) FROM {quoted(table)} AS c WHERE {holds}"
    return int(connection.execute(query, [text.encode()] * len(columns)).fetchone()[0])


def _columns(tables: SqliteTables, fact: str) -> tuple[str, str] | None:
    """The column that keeps this fact, and the expression over messages that it must equal."""
    sources = {"total_tokens": tables.message_tokens, "total_duration_us": tables.message_duration}
    counter: str | None = getattr(tables, COUNTERS[fact])
    if counter is None:
        return None
    if fact == "message_count":
        return counter, "COUNT(*)"
    source = sources[fact]
    return None if source is None else (counter, f"SUM(coalesce(m.{quoted(source)}, 0))")


def _table_names(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'sqlite_*'"
    )
    return [str(name) for (name,) in rows.fetchall()]


def _virtual_names(connection: sqlite3.Connection) -> set[str]:
    rows = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL %'"
    )
    return {str(name) for (name,) in rows}


def _primary_key(connection: sqlite3.Connection, table: str) -> list[str]:
    found = connection.execute(
        "SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk", (table,)
    ).fetchall()
    return [str(name) for (name,) in found] or ["rowid"]
