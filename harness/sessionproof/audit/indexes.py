"""Indexes that no query can need: another one begins with the same columns."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sessionproof.audit.catalog import Catalog
from sessionproof.audit.sqltext import folded

Key: TypeAlias = tuple[str, bool, str]
"""A column of an index: its name, whether it falls, and how texts are compared."""


@dataclass(frozen=True, slots=True)
class _Index:
    name: str
    unique: bool
    made: bool  # by CREATE INDEX, so that it can be dropped
    keys: tuple[Key, ...]


def index_notes(connection: sqlite3.Connection, tables: Catalog) -> Iterator[str]:
    """A sentence for each index that repeats the beginning of another of its table.

    Indexes with a condition, of expressions, or that keep something unique repeat nothing.
    """
    for table, shape in tables.tables.items():
        indexes = [] if shape.virtual else _indexes(connection, table)
        for one in indexes:
            other = _wider(one, indexes)
            if other is not None:
                columns = ", ".join(name for name, *_ in other.keys)
                yield (
                    f"the index {one.name} of {table} repeats the beginning of {other.name} "
                    f"({columns}): each write keeps both, and no query needs it"
                )


def _wider(one: _Index, indexes: Sequence[_Index]) -> _Index | None:
    """The index that serves all that this one does, if there is any."""
    if one.unique or not one.made:
        return None
    for other in indexes:
        begins = other is not one and other.keys[: len(one.keys)] == one.keys
        # Of two that are equal one is needed: the unique one, else the first by name.
        needed = len(other.keys) > len(one.keys) or other.unique or other.name < one.name
        if begins and needed:
            return other
    return None


def _indexes(connection: sqlite3.Connection, table: str) -> list[_Index]:
    rows = connection.execute(
        'SELECT name, "unique", origin FROM pragma_index_list(?) WHERE NOT partial', (table,)
    ).fetchall()
    found = []
    for name, unique, origin in rows:
        keys = connection.execute(
            'SELECT name, "desc", coll FROM pragma_index_xinfo(?) WHERE key ORDER BY seqno', (name,)
        ).fetchall()
        if all(column is not None for column, *_ in keys):  # None: an expression
            ordered = tuple((folded(column), bool(desc), coll) for column, desc, coll in keys)
            found.append(_Index(name, bool(unique), origin == "c", ordered))
    return found
