"""What came back of a load's orders, and how far the clocks were that timed it."""

from __future__ import annotations

from dataclasses import dataclass

from sessionproof.history.clocks import SAME, Bounds
from sessionproof.workload.slices import Carried, Order, here


@dataclass(frozen=True)
class Came:
    """An order that was carried out; submitted and come back at these times of our clock."""

    carried: Carried
    order: Order
    submitted_ns: int
    came_ns: int


def between(
    came: Came, before: dict[str, Bounds], after: dict[str, Bounds], known: Bounds | None
) -> Bounds:
    """How far the clock that timed it was from ours all the while.

    ``before`` and ``after`` are what clocks told around it, ``known`` is what others of it showed.
    """
    boot = came.carried.where.boot
    if boot == here().boot:
        return SAME
    if boot in before and boot in after:
        return before[boot].hull(after[boot])
    # Whoever came or left meanwhile was at work between our asking and its answer.
    work = Bounds(came.carried.ended_ns - came.came_ns, came.carried.began_ns - came.submitted_ns)
    return work if known is None else known.hull(work)
