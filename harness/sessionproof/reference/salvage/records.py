"""Pages of b-trees: their cells, and the records in them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, TypeAlias

Column: TypeAlias = "int | float | str | bytes | None"
Record: TypeAlias = "tuple[Column, ...]"
Follow: TypeAlias = Callable[[int, int], "bytes | None"]
"""So many bytes of the overflow chain that begins at this page; None when it is broken."""

INTERIOR_INDEX, INTERIOR_TABLE, LEAF_INDEX, LEAF_TABLE = 2, 5, 10, 13
KINDS = (INTERIOR_INDEX, INTERIOR_TABLE, LEAF_INDEX, LEAF_TABLE)

_FIRST_HEADER = 100
_CELLS_MOST = 10_922  # of the largest page: a cell takes six bytes with its pointer
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


class NoText(bytes):
    """What should be a text, and is no UTF-8."""


@dataclass(frozen=True, slots=True)
class Page:
    """The bytes of one page, of which the first ``valid`` are in the file; the rest is zeros."""

    number: int
    data: bytes
    valid: int
    usable: int

    @property
    def start(self) -> int:
        """Where the b-tree's header begins: behind that of the file on the first page."""
        return _FIRST_HEADER if self.number == 1 else 0

    @property
    def kind(self) -> int:
        """The first byte of the b-tree's header, one of ``KINDS`` when this is such a page."""
        return self.data[self.start]

    @property
    def listed(self) -> int:
        """How many cells the header says there are."""
        return self._two(self.start + 3)

    @property
    def body(self) -> int:
        """Where the list of cells begins."""
        return self.start + (12 if self.kind in (INTERIOR_INDEX, INTERIOR_TABLE) else 8)

    @property
    def right(self) -> int:
        """The last child of an interior page."""
        return int.from_bytes(self.data[self.start + 8 : self.start + 12], "big")

    def _two(self, at: int) -> int:
        return int.from_bytes(self.data[at : at + 2], "big")

    def cells(self) -> list[int]:
        """Where the listed cells begin, those that can be."""
        count = min(self.listed, _CELLS_MOST, (self.usable - self.body) // 2)
        places = struct.unpack_from(f">{count}H", self.data, self.body)
        return [place for place in places if self.body + 2 * count <= place < self.usable - 2]

    def room(self) -> tuple[int, list[tuple[int, int]]]:
        """Where the cells begin, and the free blocks among them, from and to."""
        blocks: list[tuple[int, int]] = []
        at = self._two(self.start + 1)
        while at:
            blocks.append((at, at + max(self._two(at + 2), 4)))
            following = self._two(at)
            if following and following <= at:
                return self.usable, []  # a circle: nothing of this header can be believed
            at = following
        return self._two(self.start + 5) or 65_536, blocks

    def adds_up(self, spans: Sequence[tuple[int, int]]) -> bool:
        """Whether cells at these places, free blocks and fragments make up the page exactly."""
        content, blocks = self.room()
        taken = sum(end - begin for begin, end in [*spans, *blocks])
        return (
            self.valid >= self.usable
            and len(spans) == self.listed
            and self.body + 2 * self.listed <= content <= self.usable
            and taken + self.data[self.start + 7] == self.usable - content
        )


class Cell(NamedTuple):
    """One cell: its row's number in a table, its child on an interior page, its record.

    ``record`` is None where it cannot be read, or on interior pages of tables, which have none.
    ``begin`` and ``end`` are where the cell lies on its page.
    """

    rowid: int
    child: int
    record: Record | None
    begin: int
    end: int


class Listing(NamedTuple):
    """The cells that a page lists and that can be read.

    ``doubtful`` are the places of those that lie where the page has something else, or no cells.
    A page is ``sound`` when all of it adds up.
    """

    cells: list[Cell]
    doubtful: frozenset[int]
    sound: bool


def cell_at(page: Page, at: int, follow: Follow) -> Cell | None:
    """The cell that begins there; None when no cell can."""
    kind, data = page.kind, page.data
    child = rowid = 0
    begin = at
    if kind in (INTERIOR_INDEX, INTERIOR_TABLE):
        child = int.from_bytes(data[at : at + 4], "big")
        at += 4
    if kind == INTERIOR_TABLE:
        rowid, at = varint(data, at)
        return Cell(rowid, child, None, begin, max(at, begin + 4))
    size, at = varint(data, at)
    if kind == LEAF_TABLE:
        rowid, at = varint(data, at)
    local = _local(size, page.usable, table=kind == LEAF_TABLE)
    end = at + local + (4 if local < size else 0)
    if size <= 0 or end > page.valid:
        return None
    payload: bytes | None = data[at : at + local]
    if local < size:
        more = follow(int.from_bytes(data[at + local : end], "big"), size - local)
        payload = None if more is None else data[at : at + local] + more
    record = None if payload is None else decoded(payload)
    return Cell(rowid, child, record, begin, max(end, begin + 4))


def listed(page: Page, follow: Follow) -> Listing:
    """What the page lists."""
    found = [cell for at in page.cells() if (cell := cell_at(page, at, follow)) is not None]
    read = [cell for cell in found if cell.record is not None or page.kind == INTERIOR_TABLE]
    spans = [(cell.begin, cell.end) for cell in found]
    content, blocks = page.room()
    overlapping = _overlapping([*spans, *blocks])
    if len(read) == len(found) and not overlapping and page.adds_up(spans):
        return Listing(read, frozenset(), sound=True)
    doubtful = overlapping | {cell.begin for cell in read if cell.begin < content}
    return Listing(read, frozenset(doubtful), sound=False)


def _overlapping(spans: Sequence[tuple[int, int]]) -> set[int]:
    """Where spans begin that share a byte with another."""
    ordered = sorted(spans)
    return {
        begin
        for one, other in pairwise(ordered)
        if other[0] < one[1]
        for begin in (one[0], other[0])
    }


def anywhere(page: Page, follow: Follow, columns: Collection[int]) -> Iterator[Cell]:
    """Whatever looks like a cell with a record, at each place of a page: also what was freed.

    Where a listed cell's own length is damaged, a record of so many ``columns`` is looked for.
    """
    for at in range(page.start + 8, page.valid - 4):
        cell = cell_at(page, at, follow)
        if cell is not None and cell.record is not None:
            yield cell
    if page.kind == LEAF_TABLE:
        for begin in page.cells():
            _, at = varint(page.data, begin)
            rowid, at = varint(page.data, at)
            for record in _by_their_types(page.data[at : page.valid], columns):
                yield Cell(rowid, 0, record, begin, at)


def decoded(payload: bytes) -> Record | None:
    """The values of a record that takes all of these bytes; None when it is none."""
    head, at = varint(payload, 0)
    if not at <= head <= len(payload):
        return None
    serials: list[int] = []
    while at < head:
        serial, at = varint(payload, at)
        serials.append(serial)
    if at != head:
        return None
    found = _values(payload, head, serials)
    return None if found is None or found[1] != len(payload) else found[0]


def _by_their_types(data: bytes, columns: Collection[int]) -> Iterator[Record]:
    """Records of so many values at the beginning of these bytes, whatever lengths say."""
    _, at = varint(data, 0)
    serials: list[int] = []
    while len(serials) < max(columns) and at < len(data):
        serial, at = varint(data, at)
        serials.append(serial)
        found = _values(data, at, serials) if len(serials) in columns else None
        if found is not None:
            yield found[0]


def _values(data: bytes, body: int, serials: Sequence[int]) -> tuple[Record, int] | None:
    """The values of these types from there on, and where they end; None beyond the end."""
    values: list[Column] = []
    for serial in serials:
        size = _size(serial)
        if size is None or body + size > len(data):
            return None
        values.append(_value(serial, data[body : body + size]))
        body += size
    return tuple(values), body


def varint(data: bytes, at: int) -> tuple[int, int]:
    """The signed number there, and the place behind it; -1 beyond the end."""
    value = 0
    for place in range(at, at + 8):
        if place >= len(data):
            return -1, len(data)
        byte = data[place]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + 1
    if at + 8 >= len(data):
        return -1, len(data)
    value = value << 8 | data[at + 8]
    return (value - (1 << 64) if value >= 1 << 63 else value), at + 9


def _local(size: int, usable: int, *, table: bool) -> int:
    """How many bytes of a payload lie on the page itself."""
    most = usable - 35 if table else (usable - 12) * 64 // 255 - 23
    if size <= most:
        return size
    least = (usable - 12) * 32 // 255 - 23
    local = least + (size - least) % (usable - 4)
    return local if local <= most else least


def _size(serial: int) -> int | None:
    if serial in _INTEGERS:
        return _INTEGERS[serial]
    if serial in (0, 8, 9):
        return 0
    if serial == 7:
        return 8
    return (serial - 12) // 2 if serial >= 12 else None


def _value(serial: int, data: bytes) -> Column:
    if serial in _INTEGERS:
        return int.from_bytes(data, "big", signed=True)
    if serial == 0:
        return None
    if serial == 7:
        number: float = struct.unpack(">d", data)[0]
        return number
    if serial in (8, 9):
        return serial - 8
    if serial % 2 == 0:
        return data
    try:
        return data.decode()
    except UnicodeDecodeError:
        return NoText(data)
