"""Several machines' clocks: how far apart they are, and a history as one of them would have it.

Processes of one boot share a clock, and their times are exact beside each other. What another
clock says is only known within an error, so an operation that was timed by it is made longer, by
as much as it may have been: its interval then surely holds the true one. That can hide a break
that is shorter than the error, and can make none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from sessionproof.history.columns import NEVER, History


@dataclass(frozen=True)
class Bounds:
    """The other clock less ours lies between these, in nanoseconds."""

    least: int
    most: int

    @property
    def offset_ns(self) -> int:
        """The middle: the best guess."""
        return (self.least + self.most) // 2

    @property
    def error_ns(self) -> int:
        """The truth lies at most so far from the middle."""
        return (self.most - self.least + 1) // 2

    def hull(self, other: Bounds) -> Bounds:
        """What holds all the while, where this holds at its beginning and the other at its end.

        Clocks drift at rates that hardly change, so between two looks neither is left.
        """
        return Bounds(min(self.least, other.least), max(self.most, other.most))


SAME = Bounds(0, 0)
"""Of clocks that are one."""


def looked_at(asked_ns: int, told_ns: int, came_ns: int) -> Bounds:
    """The other clock told its time between our asking and the coming of its answer."""
    return Bounds(told_ns - came_ns, told_ns - asked_ns)


def agreed(looks: Iterable[Bounds]) -> Bounds:
    """What several looks in quick succession say together.

    Where two exclude each other a clock was set meanwhile: then all that any of them allows.
    """
    every = list(looks)
    least, most = max(one.least for one in every), min(one.most for one in every)
    if least > most:
        return Bounds(min(one.least for one in every), max(one.most for one in every))
    return Bounds(least, most)


def on_clock(history: History, *, theirs: Bounds, ours: Bounds, first_client: int) -> History:
    """The operations that were timed by another clock, on ours, each as long as it may have been.

    Both bounds are against one third clock. The order in which a client did its operations can no
    longer be told from their times, so that each becomes a client of its own, from
    ``first_client`` on.
    """
    rows = history.rows.copy()
    ended = rows["ret"] != NEVER
    rows["inv"] += ours.least - theirs.most
    rows["ret"][ended] += ours.most - theirs.least
    rows["client"] = first_client + np.arange(len(rows))
    return History(rows, history.lists, history.sessions, history.errors, history.odd)
