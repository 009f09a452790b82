"""What single rows must be like: keys, words, numbers, JSON, times; and that they are unique."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Container, Iterator
from dataclasses import dataclass

from sessionproof.audit.catalog import Catalog
from sessionproof.audit.checks import null_key, shown
from sessionproof.audit.result import EXAMPLES_MAX, Problem
from sessionproof.audit.schemas import Known, Table
from sessionproof.audit.tables import quoted


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition of the rows that break it, in ``broken``.

    ``what`` goes on after the column's name; ``value`` says whether examples show the value.
    """

    kind: str
    column: str
    broken: str
    what: str
    value: bool = True


def row_problems(
    connection: sqlite3.Connection, found: Catalog, known: Known, *, held: Container[str]
) -> Iterator[Problem]:
    """Rows that break a rule of their table: one pass a table, and one more for examples.

    ``held`` are tables of which ``integrity_check`` has shown that they keep their own rules.
    """
    know_json(connection)
    for name, table in known.tables.items():
        if name not in found.tables or found.tables[name].virtual:
            continue
        rules = [
            rule for rule in rules_of(table, held=name in held) if found.has(name, rule.column)
        ]
        if rules:
            yield from _broken(connection, name, found, table, rules)


def know_json(connection: sqlite3.Connection) -> None:
    """Teach the connection what the conditions of ``rules_of`` ask about JSON."""
    connection.create_function("readable_json", 2, _readable, deterministic=True)


def repeat_problems(
    connection: sqlite3.Connection, found: Catalog, known: Known, *, trusted: bool
) -> Iterator[Problem]:
    """Rows that share what should be unique.

    With ``trusted`` indexes, those that ``integrity_check`` found good, a set of columns that a
    unique index holds needs no look.
    """
    number = known.sessions.number if known.sessions else None
    for name, table in known.tables.items():
        for columns in table.unique:
            if not found.has(name, *columns):
                continue
            if trusted and frozenset(columns) in found.tables[name].unique:
                continue
            yield from _repeats(connection, name, columns, number if number in columns else None)


def time_problems(
    connection: sqlite3.Connection, found: Catalog, known: Known
) -> Iterator[Problem]:
    """Columns whose times are of several forms. The fraction of a second is no other form."""
    for name, table in known.tables.items():
        for column in table.times:
            if not found.has(name, column):
                continue
            forms = connection.execute(
                f"SELECT {_FORM.format(column=quoted(column))} AS form, COUNT(*), "
                f"MIN({quoted(column)}) FROM {quoted(name)} GROUP BY 1 "
                "HAVING form IS NOT NULL ORDER BY 2 DESC, 1"
            ).fetchall()
            if len(forms) > 1:
                rest = sum(number for _, number, _ in forms[1:])
                yield Problem(
                    kind="mixed-times", table=name, column=column, count=rest,
                    what=f"{column} of {name} has {forms[0][0]}, and {rest} times otherwise",
                    examples=tuple(
                        f"{number} × {form}, as {shown(one, most=40)}"
                        for form, number, one in forms[:EXAMPLES_MAX]
                    ),
                )  # fmt: skip


# A number that is zero is of every size, and is left out as NULL is.
_FORM = """CASE
    WHEN {column} IS NULL THEN NULL
    WHEN typeof({column}) IN ('integer', 'real') THEN CASE
        WHEN {column} = 0 THEN NULL
        WHEN {column} BETWEEN -1e11 AND 1e11 THEN 'numbers of seconds'
        WHEN {column} BETWEEN -1e14 AND 1e14 THEN 'numbers of milliseconds'
        ELSE 'numbers of microseconds' END
    WHEN typeof({column}) = 'blob' THEN 'BLOBs'
    WHEN {column} GLOB '[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9][ Tt][0-2][0-9]:[0-5][0-9]*' THEN
        CASE WHEN substr({column}, 11, 1) = ' ' THEN 'texts with a blank'
             ELSE 'texts with a T' END
        || CASE WHEN {column} GLOB '*[Zz]' THEN ' and a Z'
                WHEN substr({column}, 17) GLOB '*[+-]*' THEN ' and an offset' ELSE '' END
    WHEN {column} GLOB '[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9]' THEN 'dates without a time'
    ELSE 'other texts' END"""


def rules_of(table: Table, *, held: bool) -> Iterator[Rule]:
    """The rules to look at; of those that the table holds itself, JSON alone: it may be a BLOB."""
    for column, names in table.json.items():
        good = " AND ".join(f"json_type({{0}}, '$.{name}') IS NOT NULL" for name in names) or "1"
        # json_valid refuses what Python's own JSON writes and reads, as NaN: Python is asked, too.
        # As a BLOB, since a text that is no UTF-8 cannot be handed to Python.
        keys = " ".join(names)
        broken = (
            f"CASE WHEN typeof({{0}}) = 'text' THEN CASE WHEN json_valid({{0}}) THEN NOT ({good}) "
            f"ELSE NOT readable_json(CAST({{0}} AS BLOB), '{keys}') END "
            f"ELSE NOT readable_json({{0}}, '{keys}') END"
        )
        wanted = f"is no JSON object with {' and '.join(names)}" if names else "is no JSON"
        yield Rule("invalid-json", column, _unless_null(column, broken), wanted, value=False)
    if held:
        return
    unique = {column for columns in table.unique for column in columns}
    for column in table.required:
        kind = "null-key" if column in unique or column.endswith("id") else "null-value"
        yield Rule(kind, column, f"{quoted(column)} IS NULL", "is NULL", value=False)
    for column, words in table.words.items():
        some = ", ".join(f"'{word}'" for word in sorted(words))
        kind = "bad-role" if column == "role" else "bad-status"
        broken = _unless_null(column, f"{{0}} NOT IN ({some})")
        yield Rule(kind, column, broken, "is none of the known words")
    for column, least in table.integers.items():
        broken = _unless_null(column, f"typeof({{0}}) <> 'integer' OR {{0}} < {least}")
        yield Rule("bad-number", column, broken, f"is no integer of at least {least}")
    for column, low in table.reals.items():
        broken = _unless_null(column, f"typeof({{0}}) NOT IN ('integer', 'real') OR {{0}} < {low}")
        yield Rule("bad-number", column, broken, f"is no number of at least {low:g}")


def _unless_null(column: str, broken: str) -> str:
    """The condition ``broken`` on ``{0}``. CASE, as of AND SQLite computes both sides."""
    one = quoted(column)
    return f"CASE WHEN {one} IS NULL THEN 0 ELSE {broken.replace('{0}', one)} END"


def _broken(
    connection: sqlite3.Connection, name: str, found: Catalog, table: Table, rules: list[Rule]
) -> Iterator[Problem]:
    sums = ", ".join(f"SUM({rule.broken})" for rule in rules)
    numbers = connection.execute(f"SELECT {sums} FROM {quoted(name)}").fetchone()
    label = [column for column in table.label if found.has(name, column)] or ["rowid"]
    for rule, number in zip(rules, numbers, strict=True):
        if not number:
            continue
        if rule.kind == "null-key":
            yield null_key(name, rule.column, number)
            continue
        columns = ", ".join(map(quoted, (*label, rule.column)))
        rows = connection.execute(
            f"SELECT {columns} FROM {quoted(name)} WHERE {rule.broken} LIMIT {EXAMPLES_MAX}"
        ).fetchall()
        yield Problem(
            kind=rule.kind, table=name, column=rule.column, count=number,
            what=f"{rule.column} {rule.what} in {number} rows of {name}",
            examples=tuple(
                " / ".join(map(shown, row[:-1]))
                + (f": {shown(row[-1], most=40)}" if rule.value else "")
                for row in rows
            ),
        )  # fmt: skip


def _repeats(
    connection: sqlite3.Connection, name: str, columns: tuple[str, ...], number: str | None
) -> Iterator[Problem]:
    some = ", ".join(map(quoted, columns))
    whole = " AND ".join(f"{quoted(column)} IS NOT NULL" for column in columns)
    groups = (
        f"SELECT {some}, COUNT(*) AS n FROM {quoted(name)} WHERE {whole} GROUP BY {some} "
        "HAVING COUNT(*) > 1"
    )
    more = connection.execute(f"SELECT SUM(n - 1) FROM ({groups})").fetchone()[0]
    if not more:
        return
    rows = connection.execute(f"{groups} LIMIT {EXAMPLES_MAX}").fetchall()
    yield Problem(
        kind="repeated-number" if number else "repeated-id", table=name,
        column=number or ", ".join(columns), count=more,
        what=f"{more} rows of {name} repeat the {', '.join(columns)} of another",
        examples=tuple(f"{' / '.join(map(shown, row[:-1]))}: {row[-1]} times" for row in rows),
    )  # fmt: skip


def _readable(value: object, names: str) -> bool:
    """Whether Python reads the value as JSON, as an object with these keys if there are any."""
    try:
        text = value.decode("utf-8", "surrogatepass") if isinstance(value, bytes) else value
        read = json.loads(text) if isinstance(text, str) else text
    except RecursionError:
        return True  # too deep to say
    except ValueError:
        return False
    if isinstance(read, str | int | float | None) and not isinstance(value, str | bytes):
        return not names  # a bare number: valid JSON, and read as such
    return not names or (isinstance(read, dict) and set(names.split()) <= read.keys())
