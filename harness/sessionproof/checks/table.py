"""The columns of a history side by side, and which operation wrote which message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from sessionproof.history.columns import NEVER, F, History, Type

Rows = npt.NDArray[np.int64]
Ids = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

PLACE = np.uint64(255)
SHIFT = np.uint64(8)
_DENSE = 4  # a table of operation numbers may have so many times the cells of the rows
_HALF = 16


@dataclass(frozen=True)
class Kept:
    """Full answers: list ``k`` is ``ids[start[k]:end[k]]``, of the table's row ``row[k]``.

    ``row`` is -1 for an answer whose row is not in the table.
    """

    row: Rows
    start: Rows
    end: Rows
    ids: Ids

    def of(self, k: int) -> Ids:
        """The answer with this place among the kept ones."""
        return self.ids[self.start[k] : self.end[k]]


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of a history, a contiguous array for each column; ``at`` says where they stand in it.

    ``ret`` is ``NEVER`` for every unknown outcome. ``names`` is the number of sessions, from 0.
    """

    history: History
    at: Rows
    id: Ids
    inv: Rows
    ret: Rows
    value: Rows
    digest: Ids
    client: Rows
    session: Rows
    n: Rows
    length: Rows
    f: npt.NDArray[np.uint8]
    type: npt.NDArray[np.uint8]
    phase: npt.NDArray[np.uint8]
    kept: Kept
    names: int

    def __len__(self) -> int:
        return len(self.at)

    @cached_property
    def op(self) -> Rows:
        """The number of each operation."""
        return (self.id >> SHIFT).astype(np.int64)

    @cached_property
    def ok(self) -> Flags:
        """The operations that took place."""
        flags: Flags = self.type == Type.OK
        return flags

    @cached_property
    def writes(self) -> Flags:
        """The operations that send messages."""
        sends = (self.f == F.APPEND) | (self.f == F.CREATE) | (self.f == F.REPLACE)
        flags: Flags = sends & (self.n > 0)
        return flags

    @cached_property
    def by_client(self) -> Rows:
        """The rows of one client after the other's, each in order of time."""
        order = stable_order(self.client)
        client, inv = self.client[order], self.inv[order]
        if ((client[1:] == client[:-1]) & (inv[1:] <= inv[:-1])).any():
            order = np.lexsort((self.ret, self.inv, self.client))
        return order

    @cached_property
    def writer(self) -> Callable[[Ids], Rows]:
        """The row that sent each of these messages, -1 where none did."""
        return writers_of(self.op, self.type == Type.FAIL)

    @cached_property
    def answer(self) -> Rows:
        """The place among the kept answers of what each row answered, -1 where it was not kept."""
        place = np.full(len(self), -1, np.int64)
        held = np.flatnonzero(self.kept.row >= 0)
        place[self.kept.row[held]] = held
        return place

    def attempts(self, row: int) -> Rows:
        """The refused attempts at what this operation was, itself if it was refused."""
        numbers, rows = self._refused
        begin, end = np.searchsorted(numbers, self.op[row] + np.arange(2))
        return rows[begin:end]

    @cached_property
    def _refused(self) -> tuple[Rows, Rows]:
        """The numbers of refused attempts, sorted, and their rows."""
        rows = np.flatnonzero(self.type == Type.FAIL)
        rows = rows[np.argsort(self.op[rows], kind="stable")]
        return self.op[rows], rows

    def only(self, chosen: Flags) -> Table:
        """The same table with these rows alone."""
        if chosen.all():
            return self
        places = np.flatnonzero(chosen)
        now = np.full(len(self) + 1, -1, np.int64)
        now[places] = np.arange(len(places))
        columns = {
            name: getattr(self, name)[places]
            for name in (
                "at", "id", "inv", "ret", "value", "digest", "client", "session", "n", "length",
                "f", "type", "phase",
            )
        }  # fmt: skip
        return replace(self, kept=replace(self.kept, row=now[self.kept.row]), **columns)


def table_of(history: History) -> Table:
    """All of a history."""
    rows, lists = history.rows, history.lists
    wide: dict[str, Any] = {
        name: rows[name].astype(np.int64)
        for name in ("inv", "ret", "value", "client", "session", "n", "length")
    }
    wide["ret"][rows["type"] == Type.INFO] = NEVER
    narrow: dict[str, Any] = {
        name: np.ascontiguousarray(rows[name]) for name in ("id", "digest", "f", "type", "phase")
    }
    highest = int(wide["session"].max()) + 1 if len(rows) else 0
    return Table(
        history=history,
        at=np.arange(len(rows)),
        kept=Kept(lists.row.astype(np.int64), lists.start[:-1], lists.start[1:], lists.ids),
        names=max(highest, len(history.sessions)),
        **wide,
        **narrow,
    )


def writers_of(op: Rows, refused: Flags) -> Callable[[Ids], Rows]:
    """The row of each operation number; of attempts that share one, that which was not refused."""
    if not len(op):
        return lambda ids: np.full(len(ids), -1, np.int64)
    low, high = int(op.min()), int(op.max())
    first = np.flatnonzero(refused)
    rest = np.flatnonzero(~refused)
    if high - low < _DENSE * len(op) + 1024:
        cells = np.full(high - low + 2, -1, np.int64)  # the last one is for strangers
        cells[op[first] - low] = first
        cells[op[rest] - low] = rest
        return lambda ids: _looked_up(cells, ids, low)
    rows = np.concatenate([first, rest])
    rows = rows[np.argsort(op[rows], kind="stable")]
    numbers = op[rows]
    latest = np.flatnonzero(np.append(numbers[1:] != numbers[:-1], True))
    return lambda ids: _searched(numbers[latest], rows[latest], ids)


def _looked_up(cells: Rows, ids: Ids, low: int) -> Rows:
    number = (ids >> SHIFT).astype(np.int64) - low
    strange = (number < 0) | (number >= len(cells) - 1)
    number[strange] = len(cells) - 1
    return cells[number]


def _searched(numbers: Rows, rows: Rows, ids: Ids) -> Rows:
    number = (ids >> SHIFT).astype(np.int64)
    at = np.minimum(np.searchsorted(numbers, number), len(numbers) - 1)
    return np.where(numbers[at] == number, rows[at], -1)


def stable_order(keys: Rows) -> Rows:
    """The order that sorts keys from 0 to 2**32, equal ones as they stand: by halves, in O(n)."""
    low = (keys & 0xFFFF).astype(np.uint16)
    order = np.argsort(low, kind="stable")
    if len(keys) and int(keys.max()) >> _HALF:
        high = (keys >> _HALF).astype(np.uint16)
        order = order[np.argsort(high[order], kind="stable")]
    return order


def spread(start: Rows, length: Rows) -> Rows:
    """The places of consecutive runs: ``start[k]``, ``start[k] + 1``, … for each k."""
    before = np.cumsum(length) - length
    return np.repeat(start - before, length) + np.arange(int(length.sum()))


def least(rows: Rows, keys: Rows, table: Table) -> Rows:
    """For each session the row with the least key, -1 where there is none of these rows."""
    out = np.full(table.names, -1, np.int64)
    # The last assignment to a cell wins.
    order = rows[np.argsort(-keys[rows], kind="stable")]
    out[table.session[order]] = order
    return out


def lowest(rows: Rows, keys: Rows, table: Table) -> Rows:
    """For each session the least key of these rows, ``NEVER`` where there is none."""
    out = np.full(table.names, NEVER, np.int64)
    np.minimum.at(out, table.session[rows], keys[rows])
    return out
