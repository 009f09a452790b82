"""What each page of an SQLite file holds, and which of its bytes are structure.

A small reader of the file format (https://sqlite.org/fileformat2.html) for files that are sound.
It reads the main file alone, whatever log lies beside it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

Kind = Literal["schema", "interior", "leaf", "index", "overflow", "free", "map", "unknown"]

MAGIC = b"SQLite format 3\0"
_INTERIOR = (2, 5)
_INDEX = (2, 10)
_CELL_HEAD = 3  # bytes of a cell that say how long it is, where it goes, and of which types
_USED_HEADER = (*range(16, 24), *range(24, 72), *range(92, 100))


@dataclass(frozen=True, slots=True)
class Page:
    """One page, numbered from 1. ``owner`` is the table or the index that it belongs to.

    A "map" page says who points to which page; only files that can be vacuumed bit by bit have it.
    """

    number: int
    kind: Kind
    owner: str = ""

    @property
    def use(self) -> str:
        """What it holds, in the words of the report, as in "leaf of messages"."""
        if self.kind == "schema":
            return "header and schema"
        return f"{self.kind} of {self.owner}" if self.owner else self.kind


def page_size(data: bytes) -> int:
    """Bytes of a page; raises ValueError for what is no SQLite file."""
    if len(data) < 512 or not data.startswith(MAGIC):
        raise ValueError("this is no SQLite file")
    size = int.from_bytes(data[16:18], "big")
    size = 65_536 if size == 1 else size
    if size < 512 or size & (size - 1):
        raise ValueError(f"a page of {size} bytes is none")
    return size


def pages_of(data: bytes) -> tuple[Page, ...]:
    """Every page of a sound file by rising number; raises ValueError for no SQLite file.

    A page that nothing leads to is "unknown".
    """
    size = page_size(data)
    count = len(data) // size
    found: dict[int, Page] = {}
    for page in _reached(data, size, count):
        found.setdefault(page.number, page)
    return tuple(found.get(number, Page(number, "unknown")) for number in range(1, count + 1))


def structure_of(data: bytes, page: Page) -> tuple[int, ...]:
    """The offsets in the file of a page's bytes that are no content: headers, pointers, lengths.

    Of a free page it is all of it.
    """
    size = page_size(data)
    start = (page.number - 1) * size
    if page.kind == "overflow":
        return tuple(range(start, start + 4))
    if page.kind in ("free", "map", "unknown"):
        return tuple(range(start, start + size))
    head = start + (100 if page.number == 1 else 0)
    width = 12 if data[head] in _INTERIOR else 8
    cells = _cells(data, start, head, size)
    offsets = [*range(head, head + width + 2 * len(cells))]
    for cell in cells:
        at = cell + (4 if width == 12 else 0)
        offsets += range(cell, min(at + _CELL_HEAD, start + size))
    return tuple(offset for offset in offsets if offset < len(data))


def header_bytes() -> tuple[int, ...]:
    """The offsets of the header of the file that are in use, after the magic text."""
    return _USED_HEADER


def _reached(data: bytes, size: int, count: int) -> Iterator[Page]:
    """Every page that the schema, or the list of free pages, leads to; and the maps."""
    if _number(data, 52):
        for number in range(2, count + 1, (size - data[20]) // 5 + 1):
            yield Page(number, "map")
    yield from _tree(data, size, count, 1, "sqlite_schema", index=False)
    for sort, name, root in _roots(data):
        yield from _tree(data, size, count, root, name, index=sort == "index")
    yield from _free(data, size, count)


def _roots(data: bytes) -> list[tuple[str, str, int]]:
    """Type, name and root page of all trees, read by SQLite itself from a copy in memory."""
    plain = bytearray(data)
    plain[18:20] = b"\x01\x01"  # a copy in memory has no write-ahead log
    with closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.deserialize(bytes(plain))
            return connection.execute(
                "SELECT type, name, rootpage FROM sqlite_schema WHERE rootpage > 0"
            ).fetchall()
        except (sqlite3.DatabaseError, AttributeError) as error:
            raise ValueError(f"the schema cannot be read: {error}") from None


def _tree(
    data: bytes, size: int, count: int, root: int, owner: str, *, index: bool
) -> Iterator[Page]:
    """The pages of a b-tree, with the overflow pages of its cells."""
    waiting, seen = [root], set[int]()
    while waiting:
        number = waiting.pop()
        if number in seen or not 1 <= number <= count:
            continue
        seen.add(number)
        start = (number - 1) * size
        head = start + (100 if number == 1 else 0)
        sort = data[head]
        if number == 1:
            yield Page(number, "schema")
        else:
            yield Page(number, "index" if index else _plain(sort), owner)
        cells = _cells(data, start, head, size)
        if sort in _INTERIOR:
            waiting.append(_number(data, head + 8))
            waiting += [_number(data, cell) for cell in cells]
        if sort != 5:
            for cell in cells:
                yield from _overflow(data, size, count, cell, sort, owner)


def _plain(sort: int) -> Kind:
    return "interior" if sort in _INTERIOR else "leaf"


def _cells(data: bytes, start: int, head: int, size: int) -> list[int]:
    """The offsets of a page's cells in the file."""
    if data[head] not in (2, 5, 10, 13):
        return []
    width = 12 if data[head] in _INTERIOR else 8
    number = int.from_bytes(data[head + 3 : head + 5], "big")
    first = head + width
    pointers = (
        int.from_bytes(data[at : at + 2], "big") for at in range(first, first + 2 * number, 2)
    )
    return [start + pointer for pointer in pointers if pointer < size]


def _overflow(
    data: bytes, size: int, count: int, cell: int, sort: int, owner: str
) -> Iterator[Page]:
    """The pages on which a cell goes on."""
    at = cell + (4 if sort in _INTERIOR else 0)
    length, at = _varint(data, at)
    if sort == 13:
        _, at = _varint(data, at)
    usable = size - data[20]
    most = usable - 35 if sort == 13 else (usable - 12) * 64 // 255 - 23
    if length <= most:
        return
    least = (usable - 12) * 32 // 255 - 23
    local = least + (length - least) % (usable - 4)
    local = local if local <= most else least
    number, seen = _number(data, at + local), set[int]()
    while 1 <= number <= count and number not in seen:
        seen.add(number)
        yield Page(number, "overflow", owner)
        number = _number(data, (number - 1) * size)


def _free(data: bytes, size: int, count: int) -> Iterator[Page]:
    trunk, seen = _number(data, 32), set[int]()
    while 1 <= trunk <= count and trunk not in seen:
        seen.add(trunk)
        yield Page(trunk, "free")
        start = (trunk - 1) * size
        leaves = min(_number(data, start + 4), size // 4 - 2)
        for place in range(leaves):
            number = _number(data, start + 8 + 4 * place)
            if 1 <= number <= count:
                yield Page(number, "free")
        trunk = _number(data, start)


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at an offset, and the offset behind it."""
    value = 0
    for place in range(8):
        byte = data[at + place]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + place + 1
    return value << 8 | data[at + 8], at + 9
