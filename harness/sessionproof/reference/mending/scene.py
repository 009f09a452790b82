"""A database while it is mended, and what each step does with rows: set aside, or changed."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from sessionproof.audit.catalog import Catalog, catalog
from sessionproof.audit.known import KNOWN
from sessionproof.audit.recognise import recognise
from sessionproof.audit.rows import know_json
from sessionproof.audit.schemas import Known
from sessionproof.audit.tables import quoted
from sessionproof.contract.errors import Refused
from sessionproof.reference.in_place import Keep

_SUMS = ("digest", "checksum")
"""Columns with a sum of the row's values: who changes a value clears it."""


@dataclass(slots=True)
class Scene:
    """A database while it is mended: what is in it, and what was changed so far."""

    connection: sqlite3.Connection
    found: Catalog
    known: Known
    keep: Keep
    changes: list[str] = field(default_factory=list)


def scene_of(connection: sqlite3.Connection, keep: Keep) -> Scene:
    """What is in the database; raises ``Refused`` for one of an unknown schema."""
    found = catalog(connection)
    settings: dict[str, int | str] = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version")
    }
    known = recognise(found, settings, KNOWN)
    if known is None or not known.sql:
        raise Refused(
            "the schema is not known, so nothing says which rows are right: sessionproof audit "
            "tells what can be seen"
        )
    know_json(connection)
    connection.create_function("is_text", 1, _is_text, deterministic=True)
    return Scene(connection, found, known, keep)


def rows(number: int) -> str:
    """So many rows, in words."""
    return f"{number:,} row{'' if number == 1 else 's'}"


def set_aside(scene: Scene, table: str, where: str, why: str) -> None:
    """Keep the rows of ``table AS c`` elsewhere, and remove them."""
    number = _kept(scene, table, where, why, stays=False)
    if number:
        own = _identity(scene, table)
        some = ", ".join(f"c.{one}" for one in own)
        scene.connection.execute(
            f"DELETE FROM {quoted(table)} WHERE ({', '.join(own)}) IN "
            f"(SELECT {some} FROM {quoted(table)} AS c WHERE {where})"
        )
        scene.changes.append(f"{rows(number)} of {table} set aside: {why}")


def change(
    scene: Scene, table: str, where: str, assignment: str, words: str, *, digests: str = "cleared"
) -> None:
    """Change a column of the rows, which are kept elsewhere as they were."""
    number = _kept(scene, table, where, words, stays=True)
    if number:
        sums = [one for one in _SUMS if digests == "cleared" and scene.found.has(table, one)]
        digest = "".join(f", {one} = NULL" for one in sums)
        scene.connection.execute(f"UPDATE {quoted(table)} SET {assignment}{digest} WHERE {where}")
        scene.changes.append(f"in {rows(number)} of {table} {words}")


def _kept(scene: Scene, table: str, where: str, why: str, *, stays: bool) -> int:
    found = scene.connection.execute(f"SELECT c.* FROM {quoted(table)} AS c WHERE {where}")
    names = [column[0] for column in found.description]
    number = 0
    for row in found:
        number += 1
        scene.keep({
            "table": table, "why": why, "stays": stays, "row": dict(zip(names, row, strict=True))
        })  # fmt: skip
    return number


def _identity(scene: Scene, table: str) -> tuple[str, ...]:
    without = "SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?"
    if scene.connection.execute(without, (table,)).fetchone() == (1,):
        return tuple(quoted(column) for column in scene.found.tables[table].key)
    return ("rowid",)


def columns_of(scene: Scene, table: str) -> tuple[str, ...]:
    """All columns that are written, and the row's own number where no column is it."""
    rows = scene.connection.execute(
        "SELECT lower(name), type, pk FROM pragma_table_info(?)", (table,)
    ).fetchall()
    own = any(pk and kind.upper() == "INTEGER" for _, kind, pk in rows)
    return (*(() if own else ("rowid",)), *(name for name, _, _ in rows))


def _is_text(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def can_be_null(scene: Scene, table: str, column: str) -> bool:
    """Whether a row can do without a value in this column."""
    rules = scene.known.tables.get(table)
    found = scene.connection.execute(
        'SELECT "notnull" OR pk FROM pragma_table_info(?) WHERE lower(name) = ?', (table, column)
    ).fetchone()
    return found == (0,) and (rules is None or column not in rules.required)
