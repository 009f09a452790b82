"""Checks that need no known schema: SQLite's own, references, keys. Connection in, problems out."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator

from sessionproof.audit.catalog import Catalog
from sessionproof.audit.result import EXAMPLES_MAX, Problem
from sessionproof.audit.schemas import Reference
from sessionproof.audit.sqltext import checks, folded
from sessionproof.audit.tables import quoted

_INDEX = re.compile(r"(row \d+ missing from|wrong # of entries in|non-unique entry in) index (.*)")
_RULE = re.compile(
    r"(?:CHECK constraint failed in|(?:NULL|NUMERIC|TEXT|BLOB|non-\w+) value in) (.*?)(?:\.|$)"
)
_LINES_MAX = 100  # what integrity_check says at most


def integrity_problems(
    connection: sqlite3.Connection, *, most: int = _LINES_MAX
) -> Iterator[Problem]:
    """What ``integrity_check`` says, at most so many lines: only the one row "ok" is good."""
    lines = [
        str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({most})").fetchall()
    ]
    if lines == ["ok"]:
        return
    groups: dict[tuple[str, str | None], list[str]] = {}
    for line in lines:
        if found := _INDEX.fullmatch(line):
            groups.setdefault(("damaged-index", found[2]), []).append(line)
        elif found := _RULE.match(line):
            groups.setdefault(("broken-constraint", found[1]), []).append(line)
        else:
            groups.setdefault(("corrupt-file", None), []).append(line)
    for (kind, name), said in groups.items():
        least = "at least " if len(lines) >= most else ""
        yield Problem(
            kind=kind, count=len(said), examples=tuple(dict.fromkeys(said))[:EXAMPLES_MAX],
            table=name if kind == "broken-constraint" else None,
            what=f"integrity_check names {least}{len(said)} faults"
            + (f" of the index {name}" if kind == "damaged-index" else ""),
            sql=f"REINDEX {quoted(str(name))}" if kind == "damaged-index" else None,
        )  # fmt: skip


def constraint_problems(connection: sqlite3.Connection, found: Catalog) -> Iterator[Problem]:
    """Rows that break a CHECK of their table.

    ``integrity_check`` passes over CHECKs when it may only read: SQLite does not load them then.
    """
    for name in found.tables:
        rules = checks(found.objects.get(("table", name), ""))
        if not rules:
            continue
        # NULL does not break a CHECK, and of NULL and false AND makes false.
        whole = " AND ".join(f"({rule})" for rule in rules)
        (number,) = connection.execute(
            f"SELECT COUNT(*) FROM {quoted(name)} WHERE NOT ({whole})"
        ).fetchone()
        if not number:
            continue
        broken = [
            f"CHECK ({' '.join(rule.split())})"
            for rule in rules
            if connection.execute(
                f"SELECT EXISTS (SELECT 1 FROM {quoted(name)} WHERE NOT ({rule}))"
            ).fetchone()[0]
        ]
        yield Problem(
            kind="broken-constraint", table=name, count=number,
            examples=tuple(broken[:EXAMPLES_MAX]),
            what=f"{number} rows of {name} break a CHECK of their table",
        )  # fmt: skip


def orphan_problems(
    connection: sqlite3.Connection, found: Catalog, implied: Iterable[Reference]
) -> Iterator[Problem]:
    """Rows whose parent is gone: by every declared reference, enforced or not, and by the implied.

    ``NOT EXISTS``, as ``NOT IN`` finds none once a key is NULL. ``foreign_key_check`` compares by
    the parent's own type, and is asked as well: the higher number counts.
    """
    checked = _foreign_key_check(connection)
    for one in dict.fromkeys((*found.references, *implied)):
        if not found.has(one.table, *one.columns):
            continue
        where = " AND ".join(f"c.{quoted(column)} IS NOT NULL" for column in one.columns)
        if _can_be_followed(found, one):
            pairs = zip(one.keys, one.columns, strict=True)
            same = " AND ".join(f"p.{quoted(key)} = c.{quoted(column)}" for key, column in pairs)
            where += f" AND NOT EXISTS (SELECT 1 FROM {quoted(one.parent)} AS p WHERE {same})"
        elif one.parent in found.tables or one not in found.references:
            continue  # the reference itself is wrong, or of a part that the file has not
        rows = f"FROM {quoted(one.table)} AS c WHERE {where}"
        number = connection.execute(f"SELECT COUNT(*) {rows}").fetchone()[0]
        number = max(number, checked.pop(_name(one), 0))
        if number:
            columns = ", ".join(f"c.{quoted(column)}" for column in one.columns)
            some = connection.execute(f"SELECT DISTINCT {columns} {rows} LIMIT {EXAMPLES_MAX}")
            yield Problem(
                kind="orphan", table=one.table, column=", ".join(one.columns), count=number,
                what=f"{number} rows of {one.table} belong to rows of {one.parent} "
                "that are not there",
                examples=tuple(_joined(row) for row in some.fetchall()),
                sql=f"SELECT * {rows}",
            )  # fmt: skip


def key_problems(connection: sqlite3.Connection, found: Catalog) -> Iterator[Problem]:
    """NULLs in declared primary keys, which SQLite admits."""
    for name, shape in found.tables.items():
        for column in () if shape.virtual else shape.key:
            (number,) = connection.execute(
                f"SELECT COUNT(*) FROM {quoted(name)} WHERE {quoted(column)} IS NULL"
            ).fetchone()
            if number:
                yield null_key(name, column, number)


def null_key(table: str, column: str, number: int) -> Problem:
    """The problem of a key that is NULL in so many rows."""
    return Problem(
        kind="null-key", table=table, column=column, count=number,
        what=f"{column} is NULL in {number} rows of {table}",
    )  # fmt: skip


def shown(value: object, *, most: int = 80) -> str:
    """A value of the database as text, cut; BLOBs as SQL writes them."""
    text = f"x'{value.hex()}'" if isinstance(value, bytes) else str(value)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _joined(row: tuple[object, ...]) -> str:
    return " / ".join(map(shown, row))


def _can_be_followed(found: Catalog, one: Reference) -> bool:
    there = one.keys == ("rowid",) or found.has(one.parent, *one.keys)
    return one.parent in found.tables and there and len(one.keys) == len(one.columns)


def _name(one: Reference) -> tuple[str, str, tuple[str, ...]]:
    return one.table, one.parent, one.columns


def _foreign_key_check(
    connection: sqlite3.Connection,
) -> Counter[tuple[str, str, tuple[str, ...]]]:
    """How many rows ``foreign_key_check`` names, by table, parent and columns.

    Empty when it refuses: then a reference names columns that are not unique, and NOT EXISTS alone
    must do.
    """
    counts: Counter[tuple[str, str, tuple[str, ...]]] = Counter()
    try:
        rows = connection.execute(
            'SELECT "table", parent, fkid, COUNT(*) FROM pragma_foreign_key_check GROUP BY 1, 2, 3'
        ).fetchall()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
            raise
        return counts
    for table, parent, number, count in rows:
        columns = connection.execute(
            'SELECT lower("from") FROM pragma_foreign_key_list(?) WHERE id = ? ORDER BY seq',
            (table, number),
        ).fetchall()
        counts[folded(table), folded(parent), tuple(column for (column,) in columns)] += count
    return counts
