"""What a database holds: its tables with their columns and keys, and its other objects."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from sessionproof.audit.schemas import Reference
from sessionproof.audit.sqltext import folded, statements


@dataclass(frozen=True, slots=True)
class Shape:
    """A table as the database has it.

    ``columns`` include generated ones. ``key`` are the columns of the primary key, empty when it
    is the row's own number. ``unique`` are the sets of columns that an index without a condition
    keeps unique. ``virtual`` tables belong to a module.
    """

    columns: tuple[str, ...]
    key: tuple[str, ...] = ()
    unique: frozenset[frozenset[str]] = frozenset()
    virtual: bool = False


@dataclass(frozen=True, slots=True)
class Catalog:
    """All tables by name, the declared references, and all objects: (type, name) to SQL.

    Names are ``folded``, as SQLite compares them. ``unreadable`` are tables of which
    nothing can be said.
    """

    tables: Mapping[str, Shape]
    references: tuple[Reference, ...]
    objects: Mapping[tuple[str, str], str]
    unreadable: tuple[str, ...] = ()

    def has(self, table: str, *columns: str) -> bool:
        """Whether the table is there with all of these columns."""
        shape = self.tables.get(folded(table))
        return shape is not None and {folded(one) for one in columns} <= set(shape.columns)


def catalog(connection: sqlite3.Connection) -> Catalog:
    """What the database holds; raises ``sqlite3.Error`` when its schema cannot be read."""
    rows = connection.execute(
        "SELECT type, name, coalesce(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' "
        "ESCAPE '\\'"
    ).fetchall()
    kinds = {
        name: kind
        for name, kind in connection.execute("SELECT name, type FROM pragma_table_list")
        if kind != "shadow"
    }
    tables, references, unreadable = {}, list[Reference](), []
    for name in [name for kind, name, _ in rows if kind == "table" and name in kinds]:
        try:
            tables[folded(name)] = _shape(connection, name, virtual=kinds[name] == "virtual")
            references += _references(connection, name)
        except (sqlite3.OperationalError, UnicodeEncodeError):  # no such module, or no such text
            unreadable.append(name)
    shadows = {name for kind, name, _ in rows if kind == "table" and name not in kinds}
    objects = {(kind, folded(name)): sql for kind, name, sql in rows if name not in shadows and sql}
    whole = [_with_keys(one, tables) for one in references]
    return Catalog(tables, tuple(whole), objects, tuple(unreadable))


@cache
def expected(names: tuple[str, ...]) -> Catalog:
    """What the package's SQL files of these names make, in their order."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        for name in names:
            for statement in statements((files("sessionproof") / name).read_text("utf-8")):
                try:
                    connection.execute(statement)
                except sqlite3.OperationalError as error:
                    if "no such module" not in str(error):
                        raise
        return catalog(connection)
    finally:
        connection.close()


def _shape(connection: sqlite3.Connection, name: str, *, virtual: bool) -> Shape:
    columns = connection.execute(
        "SELECT lower(name), type, pk FROM pragma_table_xinfo(?)", (name,)
    ).fetchall()
    keyed = sorted((pk, column, kind) for column, kind, pk in columns if pk)
    key = tuple(column for _, column, _ in keyed)
    alone = len(keyed) == 1 and keyed[0][2].upper() == "INTEGER"
    indexes = connection.execute(
        'SELECT name FROM pragma_index_list(?) WHERE "unique" AND NOT partial', (name,)
    ).fetchall()
    sets = {frozenset(key)} if alone else set[frozenset[str]]()
    for (index,) in indexes:
        found = connection.execute("SELECT name FROM pragma_index_info(?)", (index,)).fetchall()
        if all(column is not None for (column,) in found):
            sets.add(frozenset(folded(column) for (column,) in found))
    return Shape(
        tuple(column for column, _, _ in columns), () if alone else key, frozenset(sets), virtual
    )


def _references(connection: sqlite3.Connection, name: str) -> list[Reference]:
    """The declared foreign keys of a table; keys are empty where the parent's own is meant."""
    rows = connection.execute(
        'SELECT id, seq, "table", "from", "to" FROM pragma_foreign_key_list(?) ORDER BY id, seq',
        (name,),
    ).fetchall()
    found: dict[int, list[tuple[str, str, str | None]]] = {}
    for number, _, parent, column, key in rows:
        found.setdefault(number, []).append((folded(parent), folded(column), key))
    return [
        Reference(
            folded(name),
            tuple(column for _, column, _ in pairs),
            pairs[0][0],
            tuple(folded(key) for _, _, key in pairs if key is not None),
        )
        for pairs in found.values()
    ]


def _with_keys(reference: Reference, tables: Mapping[str, Shape]) -> Reference:
    if reference.keys or reference.parent not in tables:
        return reference
    keys = tables[reference.parent].key or _own_number(tables[reference.parent])
    return Reference(reference.table, reference.columns, reference.parent, keys)


def _own_number(shape: Shape) -> tuple[str, ...]:
    """The only column of a primary key that is the row's number."""
    alone = [tuple(one) for one in shape.unique if len(one) == 1]
    return alone[0] if alone else ("rowid",)
