"""All rows of an image, put into tables beside each other: nothing is decided here."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache

from sessionproof.reference import steps as schema
from sessionproof.reference.salvage.image import Image
from sessionproof.reference.salvage.pages import Pages, is_schema
from sessionproof.reference.salvage.records import (
    INTERIOR_INDEX,
    INTERIOR_TABLE,
    KINDS,
    LEAF_INDEX,
    LEAF_TABLE,
    Cell,
    NoText,
    Page,
    Record,
    anywhere,
    listed,
)

TABLES = ("sessions", "messages", "state", "llm_models", "snapshots")
NUMBERS, NAMES = "sqlite_autoindex_messages_1", "sqlite_autoindex_sessions_1"
"""The indexes that repeat what matters: session and number of each message; names of sessions."""

_BATCH = 500
_STATE_MOST = 4  # columns of the table of state
_TYPES: dict[str, tuple[type, ...]] = {
    "INTEGER": (int,), "TEXT": (str,), "BLOB": (bytes,), "ANY": (str, bytes, int),
}  # fmt: skip
_MADE = {
    **{f"found.{table}": f"certain, spoilt, {{{table}}}" for table in TABLES},
    "found.numbers": "sid, seq, row",
    "found.names": "session_id, sid",
}


@dataclass
class Gathered:
    """How complete the reading was.

    ``hurt`` are the pages of each table or index that could not be read whole; ``unknown`` pages
    are in use, look like no page of a tree, and belong to nobody knows what.
    """

    hurt: dict[str, list[int]] = field(default_factory=dict)
    unknown: list[int] = field(default_factory=list)

    def whole(self, name: str) -> bool:
        """Whether all of this table or index was read."""
        return name not in self.hurt and not self.unknown


@cache
def stored_columns() -> dict[str, dict[str, str]]:
    """Columns and their types of each table in the order of its records, without computed ones."""
    return _columns_after(len(schema.shipped()))


@cache
def _fewest() -> dict[str, int]:
    """How many columns a record of each table has at least: later steps only add some."""
    after = {**_columns_after(2), "snapshots": _columns_after(5)["snapshots"]}
    return {table: len(columns) for table, columns in after.items()}


@cache
def _counts() -> tuple[int, ...]:
    """How many columns records of messages and sessions may have."""
    most = {table: len(columns) for table, columns in stored_columns().items()}
    both = ("messages", "sessions")
    return tuple({n for table in both for n in range(_fewest()[table], most[table] + 1)})


def _columns_after(steps: int) -> dict[str, dict[str, str]]:
    with _after(steps) as fresh:
        return {
            table: {
                name: kind
                for _, name, kind, *_, hidden in fresh.execute(f"PRAGMA table_xinfo({table})")
                if hidden == 0
            }
            for table in TABLES
        }


@contextmanager
def _after(steps: int) -> Iterator[sqlite3.Connection]:
    """A new database with the first so many steps of the schema."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        schema.upgrade(fresh, schema.shipped()[:steps])
        yield fresh


def gather(image: Image, pages: Pages, db: sqlite3.Connection) -> Gathered:
    """Put all rows into the tables of ``found``, a database that is attached, made anew."""
    _make(db)
    gathered = Gathered({name: [*numbers] for name, numbers in pages.beyond.items()})
    reader = _Reader(image, pages, gathered)
    waiting: dict[str, list[tuple[object, ...]]] = {}
    for into, row in reader.rows():
        batch = waiting.setdefault(into, [])
        batch.append(row)
        if len(batch) >= _BATCH:
            _insert(db, into, batch)
    for into, batch in waiting.items():
        _insert(db, into, batch)
    db.execute("CREATE INDEX found.numbered ON numbers (sid, seq)")
    db.execute("CREATE INDEX found.placed ON messages (sid, seq)")
    return gathered


def _make(db: sqlite3.Connection) -> None:
    columns = {table: ", ".join(names) for table, names in stored_columns().items()}
    for table, definition in _MADE.items():
        db.execute(f"DROP TABLE IF EXISTS {table}")
        db.execute(f"CREATE TABLE {table} ({definition.format(**columns)})")


def _insert(db: sqlite3.Connection, into: str, batch: list[tuple[object, ...]]) -> None:
    if batch:
        marks = ", ".join("?" * len(batch[0]))
        db.executemany(f"INSERT INTO found.{into} VALUES ({marks})", batch)
        batch.clear()


class _Reader:
    """Goes through the pages, and notes which cannot be read whole."""

    def __init__(self, image: Image, pages: Pages, gathered: Gathered) -> None:
        self._image = image
        self._pages = pages
        self._gathered = gathered
        self._chained = set[int]()

    def _follow(self, first: int, length: int) -> bytes | None:
        return self._image.chain(first, length, self._chained)

    def rows(self) -> Iterator[tuple[str, tuple[object, ...]]]:
        """Each row with the table of ``found`` that takes it."""
        for number in sorted(self._pages.live | self._pages.doubtful):
            page = self._image.page(number)
            live = number in self._pages.live
            owner = self._pages.owner.get(number)
            known = page.kind in KINDS
            if not known:
                page = _as_leaf(page)
            listing = listed(page, self._follow)
            proper = known and _may_be_of(owner, page.kind)
            sound = proper and listing.sound
            if not sound and live:
                self._note(number, page, owner)
            doubtful = listing.doubtful if live and proper else None
            yield from _rows(page, owner, listing.cells, doubtful)
            if not sound:
                seen = {cell.begin for cell in listing.cells}
                found = anywhere(page, self._image.chain, _counts())
                yield from _rows(page, owner, [one for one in found if one.begin not in seen], None)
        self._gathered.unknown = [n for n in self._gathered.unknown if n not in self._chained]

    def _note(self, number: int, page: Page, owner: str | None) -> None:
        if owner is not None:
            self._gathered.hurt.setdefault(owner, []).append(number)
        elif any(page.data):
            self._gathered.unknown.append(number)


@cache
def _without_row_numbers() -> frozenset[str]:
    """What is stored as indexes are, of all that is asked for."""
    with _after(len(schema.shipped())) as fresh:
        tables = fresh.execute("PRAGMA table_list").fetchall()
    return frozenset({NUMBERS, NAMES, *(name for _, name, _, _, keyed, _ in tables if keyed)})


def _may_be_of(owner: str | None, kind: int) -> bool:
    """Whether a page of this kind can be of this tree: a page of another may lie in its place."""
    if owner not in (*TABLES, NUMBERS, NAMES):
        return True
    return (kind not in (LEAF_TABLE, INTERIOR_TABLE)) == (owner in _without_row_numbers())


def _as_leaf(page: Page) -> Page:
    """A page whose kind is damaged as a leaf of a table, where rows are."""
    data = page.data[: page.start] + bytes([LEAF_TABLE]) + page.data[page.start + 1 :]
    return replace(page, data=data)


def _rows(
    page: Page, owner: str | None, cells: list[Cell], doubtful: frozenset[int] | None
) -> Iterator[tuple[str, tuple[object, ...]]]:
    """The rows in these cells. Those at ``doubtful`` places are not certain; None for all."""
    for cell in cells:
        record = cell.record
        if not record or is_schema(record):
            continue
        certain = doubtful is not None and cell.begin not in doubtful
        own = record[0] is None  # the number of the row stands for it
        into = None
        if page.kind == LEAF_TABLE:
            into = _row_of_table(owner, (cell.rowid, *record[1:]), certain) if own else None
        elif page.kind in (LEAF_INDEX, INTERIOR_INDEX):
            into = _row_of_index(owner, record, certain)
        if into is not None:
            yield into


def _row_of_table(
    owner: str | None, record: Record, certain: bool
) -> tuple[str, tuple[object, ...]] | None:
    """The table by the types of the columns, else by the tree: then it is a row that is spoilt."""
    for table in ("messages", "sessions", "snapshots"):
        if _fits(table, record):
            return table, _found(table, certain, record)
    if owner in TABLES and len(record) == len(stored_columns()[owner]):
        return owner, _found(owner, certain, record)
    return None


def _row_of_index(
    owner: str | None, record: Record, certain: bool
) -> tuple[str, tuple[object, ...]] | None:
    """Rows are known by their shape; names of sessions, by the tree, as other indexes are alike."""
    match record:
        case (int(), int(), int()) if certain:
            return "numbers", record
        case (str() | bytes() as name, int()) if certain and owner == NAMES:
            return None if isinstance(name, NoText) else ("names", record)
        case (int(), str() | bytes(), str() | bytes(), *_) if len(record) <= _STATE_MOST:
            return "state", _found("state", certain, record)
        case (str() | bytes(),):
            return "llm_models", _found("llm_models", certain, record)
    return None


def _found(table: str, certain: bool, record: Record) -> tuple[object, ...]:
    missing = len(stored_columns()[table]) - len(record)
    return (int(certain), int(not _fits(table, record)), *record, *(None,) * missing)


def _fits(table: str, record: Record) -> bool:
    """Whether this can be a row of the table, maybe from before its last columns were added."""
    kinds = stored_columns()[table].values()
    return _fewest()[table] <= len(record) <= len(kinds) and all(
        value is None or (isinstance(value, _TYPES[kind]) and not isinstance(value, NoText))
        for value, kind in zip(record, kinds, strict=False)
    )
