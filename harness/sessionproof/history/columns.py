"""A history as columns: one row for each operation of each client, on one clock.

Rows stand in no particular order; ``inv`` and ``ret`` say what was before what. Times are
nanoseconds of ``clock.monotonic_ns``, comparable between all processes of one boot.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import numpy.typing as npt


class F(IntEnum):
    """What was called. ``PAGES`` is all pages of a session; its times are those of the last."""

    APPEND = 1
    READ = 2
    READ_LAST = 3
    PAGES = 4
    COUNT = 5
    CREATE = 6
    DELETE = 7
    CLEAR = 8
    REPLACE = 9
    SET_STATE = 10


class Type(IntEnum):
    """How it ended; zero for what never answered, so that a row that was cut short is unknown."""

    INFO = 0
    OK = 1
    FAIL = 2


class Phase(IntEnum):
    """The part of the workload. ``FINAL`` are the reads of every session when all is quiet."""

    RAMP = 0
    LOAD = 1
    HEAL = 2
    FINAL = 3


NEVER = 2**63 - 1
"""``ret`` of an operation that never answered, and of each whose outcome is unknown."""

MISSING = -1
"""``length`` where the answer was that there is no such session."""

NONE = -1
"""``value`` where there is none."""

BATCH = 256
"""The most messages of one operation: an id is ``operation << 8 | place in the batch``."""

ROW = np.dtype(
    [
        ("id", "<u8"),
        ("inv", "<i8"),
        ("ret", "<i8"),
        ("value", "<i8"),
        ("digest", "<u8"),
        ("last", "<u8"),
        ("client", "<u4"),
        ("session", "<u4"),
        ("n", "<i4"),
        ("length", "<i4"),
        ("error", "<u2"),
        ("f", "u1"),
        ("type", "u1"),
        ("phase", "u1"),
    ]
)
"""One operation.

``id``: that of its first message, or of what would be one: never 0, and no two operations share
one, but for an attempt that was refused with ``Conflict`` and its repetition.
``inv``, ``ret``: read before and after the call.
``n``: messages sent; the ``n`` of ``READ_LAST``, the limit of ``PAGES``, the number of
the key that ``SET_STATE`` sets, otherwise 0.
``length``: messages answered, the number that ``COUNT`` answered, or ``MISSING``.
``value``: the sequence number of the first message (``APPEND``), the total of tokens (``COUNT``),
or ``NONE``.
``digest``, ``last``: of the ids that a read answered; ``digest_of`` says which, ``last`` is 0 for
none. An id of 0 stands for a message that no client sent.
``client``: a single thread of calls; after an unknown outcome it goes on under a new number.
``session``, ``error``: places in the history's lists of names and errors; error 0 is none.
"""


@dataclass(frozen=True)
class Lists:
    """The full answers of some reads: row ``row[i]`` answered ``ids[start[i]:start[i + 1]]``."""

    row: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    ids: npt.NDArray[np.uint64]

    def of(self, row: int) -> npt.NDArray[np.uint64] | None:
        """What this row answered, if it was kept; ``row`` must be sorted."""
        at = int(np.searchsorted(self.row, row))
        if at == len(self.row) or self.row[at] != row:
            return None
        return self.ids[self.start[at] : self.start[at + 1]]


def no_lists() -> Lists:
    """No answer was kept."""
    return Lists(np.zeros(0, np.int64), np.zeros(1, np.int64), np.zeros(0, np.uint64))


@dataclass(frozen=True)
class History:
    """Operations (``ROW``), the full answers of some reads, and the texts that rows point to.

    ``lists`` holds every final read, every ``READ_LAST``, and each read that is a surprise.
    ``odd`` are texts of messages that were read and that no client sent in this form, by row.
    """

    rows: npt.NDArray[np.void]
    lists: Lists = field(default_factory=no_lists)
    sessions: tuple[str, ...] = ()
    errors: tuple[str, ...] = ("",)
    odd: tuple[tuple[int, str], ...] = ()

    def __len__(self) -> int:
        return len(self.rows)


_STEP = np.uint64(0x9E3779B97F4A7C15)


def mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """A one-to-one scrambling of 64-bit values (the finalizer of SplitMix64, Steele 2014)."""
    out = values.astype(np.uint64, copy=True)
    out ^= out >> np.uint64(30)
    out *= np.uint64(0xBF58476D1CE4E5B9)
    out ^= out >> np.uint64(27)
    out *= np.uint64(0x94D049BB133111EB)
    out ^= out >> np.uint64(31)
    return out


def placed(ids: npt.NDArray[np.uint64], places: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """What each id adds to a digest at its place, from 0; a digest is their sum modulo 2**64."""
    return mixed(ids + (places.astype(np.uint64) + np.uint64(1)) * _STEP)


def digest_of(ids: npt.NDArray[np.uint64]) -> int:
    """The digest of a list of ids: equal lists have equal ones, others differ but for accidents.

    As it is a sum over places, the digests of all prefixes of a list are one running sum.
    """
    return int(placed(ids, np.arange(len(ids))).sum(dtype=np.uint64))
