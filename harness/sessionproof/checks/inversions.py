"""The test that decides: whether an operation had ended before one began that must come first.

Each row says what must stand before it and after it by two slots of its session. Row ``a`` must
stand after row ``b`` when ``a.above`` is greater than ``b.below``. A session has an order that
explains it exactly if no such ``a`` had returned before its ``b`` was invoked. (If these demands
and real time contradict each other at all, two operations do: real time is an interval order.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sessionproof.checks.table import Flags, Rows, Table
from sessionproof.history.columns import NEVER

FREE = 2**62
"""``below`` of a row that nothing must follow."""


@dataclass(frozen=True, eq=False)
class Slots:
    """``below`` and ``above`` of each row, from 0; ``size`` is the number of slots by session.

    ``below`` is ``FREE`` and ``above`` is 0 where nothing is demanded.
    """

    below: Rows
    above: Rows
    size: Rows

    @property
    def start(self) -> Rows:
        """Where the slots of each session begin."""
        return np.cumsum(self.size) - self.size


@dataclass(frozen=True, eq=False)
class Pairs:
    """Rows that contradict each other: ``late`` had ended before its witness ``early`` began.

    Each row stands in ``late`` once at most.
    """

    late: Rows
    early: Rows


def inversions(table: Table, slots: Slots, *, early: Flags, late: Flags) -> Pairs:
    """Every row of ``late`` that had ended before a row of ``early`` began that must precede it.

    The witness is that which began last.
    """
    first = np.flatnonzero(early & (slots.below < FREE))
    last = np.flatnonzero(late & (slots.above > 0) & (table.ret != NEVER))
    none = np.zeros(0, np.int64)
    if not len(first) or not len(last):
        return Pairs(none, none)
    start = slots.start
    inv, ret, step = _times(table.inv[first], table.ret[last], len(slots.size))
    session = table.session[first]
    slot = start[session] + slots.below[first]
    began = np.zeros(int(slots.size.sum()), np.int64)
    raised = session * step + inv
    np.maximum.at(began, slot, raised)
    running = np.maximum.accumulate(began)
    session = table.session[last]
    before = start[session] + slots.above[last] - 1
    broken = session * step + ret < running[before]
    late_rows, seen = last[broken], running[before[broken]]
    if not len(late_rows):
        return Pairs(none, none)
    witness = np.zeros_like(began)
    best = raised == began[slot]
    witness[slot[best]] = first[best]
    return Pairs(late_rows, witness[np.searchsorted(running, seen)])


def _times(inv: Rows, ret: Rows, sessions: int) -> tuple[Rows, Rows, int]:
    """Times from 1 on, and a step greater than each, so that sessions can lie side by side.

    Where they are too large for that, ranks of the invocations stand for them.
    """
    low, high = int(inv.min()), int(inv.max())
    step = high - low + 2
    if step * sessions >= 2**63:
        ranks = np.unique(inv)
        begun = np.searchsorted(ranks, ret, side="right")  # how many, when each returned
        return _times(np.searchsorted(ranks, inv), begun - 1, sessions)
    # A return after the last invocation precedes nothing, one before the first is 0.
    return inv - low + 1, np.clip(ret - low + 1, 0, step - 1), step
