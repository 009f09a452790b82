"""Rows of a store's tables damaged by plain SQL: what contradicts what, written past all triggers.

Each class is SQL that picks its rows itself, by how many messages the sessions have, so that the
same text does the same elsewhere. The session with most messages is damaged, or the one with
fewest is taken away.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

from sessionproof.audit.tables import quoted
from sessionproof.contract.store import SqliteTables

About = Literal["counter", "orphans", "gone", "value", "repeated", "index"]
"""What a damage means for messages: only their count is wrong, the session of some is gone, one of
them is gone, has a wrong value, has the number of the one before it, or is in an index alone."""

UNKNOWN_ROLE = "robot-8c2f"
_DEAD = "dead-8c2f"


@dataclass(frozen=True, slots=True)
class RowDamage:
    """A damage, its words that go on after "rows damaged by SQL:", and the statements that do it.

    ``place`` is the message of the largest session that is damaged, from 0.
    """

    words: str
    about: About
    statements: tuple[str, ...]
    place: int | None = None


def row_damages(
    connection: sqlite3.Connection, tables: SqliteTables, *, place: int, roles: bool
) -> list[RowDamage]:
    """All classes that these tables may have. ``place`` is at least 1 and not the last message.

    ``roles``: the store keeps to known roles, so that another one is damage.
    """
    return [
        *_counters(connection, tables),
        *_orphans(connection, tables),
        *_of_messages(connection, tables, place, roles=roles),
        *_search_rows(connection),
    ]


def done(path: str, damage: RowDamage) -> bool:
    """Do it in one transaction; False where the tables do not let it, and then nothing changed."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON").close()
        connection.execute("BEGIN IMMEDIATE")
        try:
            triggers = _triggers(connection)
            for name, _ in triggers:
                connection.execute(f"DROP TRIGGER {quoted(name)}")
            numbers = [connection.execute(one).rowcount for one in damage.statements]
            for _, sql in triggers:
                connection.execute(sql)
            if all(number > 0 for number in numbers):
                connection.execute("COMMIT")
                return True
        except sqlite3.Error:
            pass  # a rule of the tables that SQL cannot pass by
        connection.execute("ROLLBACK")
        return False


def _triggers(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    return connection.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY rowid"
    ).fetchall()


def _counters(connection: sqlite3.Connection, tables: SqliteTables) -> Iterator[RowDamage]:
    if tables.sessions is None or tables.session_key is None:
        return
    kept = (
        (tables.session_count, True, "- 1"),
        (tables.session_tokens, tables.message_tokens is not None, "+ 7"),
        (tables.session_duration, tables.message_duration is not None, "+ 7"),
    )
    where = f"WHERE {quoted(tables.session_key)} = {_extreme(tables, 'DESC')}"
    change = f"UPDATE {quoted(tables.sessions)} SET"
    for column, counted, by in kept:
        if column is not None and counted:
            one = quoted(column)
            words = f"{column} of a session is not that of its messages"
            yield RowDamage(words, "counter", (f"{change} {one} = {one} {by} {where}",))
    column = tables.session_count
    if column is not None and _can_be_null(connection, tables.sessions, column):
        words = f"{column} of a session is NULL"
        yield RowDamage(words, "counter", (f"{change} {quoted(column)} = NULL {where}",))


def _orphans(connection: sqlite3.Connection, tables: SqliteTables) -> Iterator[RowDamage]:
    if tables.sessions is None or tables.session_key is None:
        return
    table, key = quoted(tables.sessions), tables.session_key
    gone = f"DELETE FROM {table} WHERE {quoted(key)} = {_extreme(tables, 'ASC')}"
    yield RowDamage("a session is gone, its messages are not", "orphans", (gone,))
    if not _can_be_null(connection, tables.sessions, key):
        return
    counters = {tables.session_count, tables.session_tokens, tables.session_duration}
    columns = _columns(connection, tables.sessions)
    values = [
        "NULL" if name == key else "0" if name in counters else quoted(name) for name in columns
    ]
    nameless = (
        f"INSERT INTO {table} ({', '.join(map(quoted, columns))}) "
        f"SELECT {', '.join(values)} FROM {table} LIMIT 1"
    )
    words = f"a session is gone, its messages are not, and the {key} of another session is NULL"
    yield RowDamage(words, "orphans", (gone, nameless))


def _of_messages(
    connection: sqlite3.Connection, tables: SqliteTables, place: int, *, roles: bool
) -> Iterator[RowDamage]:
    table = quoted(tables.messages)
    where = f"WHERE rowid = {_row(tables, place)}"
    if tables.session_count is not None:
        gone = (f"DELETE FROM {table} {where}",)
        yield RowDamage("a message is gone, and still counted", "gone", gone, place)
    if roles and "role" in _columns(connection, tables.messages):
        wrong = (f"UPDATE {table} SET role = '{UNKNOWN_ROLE}' {where}",)
        yield RowDamage("a message has a role that nobody knows", "value", wrong, place)
    if tables.message_seq is not None:
        number = quoted(tables.message_seq)
        before = f"(SELECT {number} FROM {table} WHERE rowid = {_row(tables, place - 1)})"
        twice = (f"UPDATE {table} SET {number} = {before} {where}",)
        yield RowDamage("two messages have the same number", "repeated", twice, place)


def _search_rows(connection: sqlite3.Connection) -> Iterator[RowDamage]:
    rows = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' "
        "AND sql LIKE 'CREATE VIRTUAL TABLE%' AND sql LIKE '%fts%'"
    ).fetchall()
    for (name,) in rows:
        columns = _columns(connection, name)
        values = [
            f"'{_DEAD}'" if one.lower().endswith("id") else f"coalesce({quoted(one)}, '{_DEAD}')"
            for one in columns
        ]
        dead = (
            f"INSERT INTO {quoted(name)} (rowid, {', '.join(map(quoted, columns))}) "
            f"SELECT max(rowid) + 1000, {', '.join(values)} FROM {quoted(name)} "
            "HAVING max(rowid) > 0"
        )
        yield RowDamage(f"{name} has a row of a message that is not there", "index", (dead,))


def _extreme(tables: SqliteTables, order: str) -> str:
    """The session with most messages (DESC), or with fewest."""
    session = quoted(tables.message_session)
    return (
        f"(SELECT {session} FROM {quoted(tables.messages)} GROUP BY {session} "
        f"ORDER BY COUNT(*) {order} LIMIT 1)"
    )


def _row(tables: SqliteTables, place: int) -> str:
    """The row of a message of the largest session."""
    order = quoted(tables.message_seq) if tables.message_seq else "rowid"
    return (
        f"(SELECT rowid FROM {quoted(tables.messages)} "
        f"WHERE {quoted(tables.message_session)} = {_extreme(tables, 'DESC')} "
        f"ORDER BY {order} LIMIT 1 OFFSET {place})"
    )


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    rows = connection.execute("SELECT name FROM pragma_table_info(?)", (table,)).fetchall()
    return [str(name) for (name,) in rows]


def _can_be_null(connection: sqlite3.Connection, table: str, column: str) -> bool:
    """Whether a row may lack this; the own number of a row is given where it lacks."""
    found = connection.execute(
        "SELECT \"notnull\" OR (pk AND upper(type) = 'INTEGER') FROM pragma_table_info(?) "
        "WHERE lower(name) = lower(?)",
        (table, column),
    ).fetchone()
    return bool(found == (0,))
