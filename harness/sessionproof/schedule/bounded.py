"""Every schedule of a program with at most so many preemptions, depth first.

To go on with another than who could go on costs a preemption; to go on with any of those who are
awake where somebody waits, sleeps or has ended costs nothing. To let time pass for who sleeps while
others are awake costs one, too. Orders are not pruned by what they
touch: with a bound of preemptions that loses schedules.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from sessionproof.schedule.decisions import Decision, Key
from sessionproof.schedule.program import OPERATION, Program

_NAPS = 2  # times that time may run ahead, where preemptions have no bound


class _Choice(NamedTuple):
    """A decision on the path: the task that was chosen, and those that are still to be tried.

    ``left`` has each with the preemptions that are left behind it.
    """

    key: Key
    ready: tuple[int, ...]
    chosen: int
    left: tuple[tuple[int, int], ...]


@dataclass
class Bounded:
    """The schedules of a program with at most ``preemptions``.

    None is for all, in which time runs ahead at most twice. Iterating answers a strategy for each,
    which is to be run before the next one is asked for.
    ``schedules`` counts those that were run. ``diverged`` counts executions that decided
    otherwise than the one before on the same path: the store does not do the same each time, and
    what lies behind such a place is not covered. ``covered`` says that all were run, as planned.
    """

    program: Program
    preemptions: int | None = 2
    schedules: int = 0
    diverged: int = 0
    ended: bool = False

    @property
    def covered(self) -> bool:
        """Whether every schedule of the bound was run."""
        return self.ended and not self.diverged

    def __iter__(self) -> Iterator[Path]:
        """Strategies; the next one follows from what the last one met."""
        free = self.preemptions is None
        firsts = frozenset(one[0][0] for one in self.program.clients if one)
        path = Path((), _NAPS if self.preemptions is None else self.preemptions, firsts, free=free)
        while True:
            yield path
            self.schedules += 1
            after = path.next_path()
            # Each path comes behind the one before in the order of a dictionary, and none is
            # longer than an execution: the search ends whatever a store does.
            self.diverged += path.diverged
            if after is None:
                self.ended = True
                return
            path = after


class Path:
    """The strategy of one of these schedules: as planned, then as usual; it notes what it met."""

    def __init__(
        self, plan: tuple[_Choice, ...], budget: int, firsts: frozenset[int], *, free: bool
    ) -> None:
        """``budget``: what is left behind the plan; ``firsts``: clients' first operations.

        ``free`` says that to interrupt who is awake costs nothing.
        """
        self._strayed = False
        self._plan = plan
        self._budget = budget
        self._firsts = firsts
        self._free = free
        self._met: list[_Choice] = []

    def pick(self, decision: Decision) -> int:
        """The planned one, or the usual one; what else could be is noted."""
        if self._strayed:
            return decision.usual
        at = len(self._met)
        if at < len(self._plan):
            planned = self._plan[at]
            if (planned.key, planned.ready) != (decision.key, decision.ready):
                self._strayed = True
                return decision.usual
            self._met.append(planned)
            return planned.chosen
        left = tuple(self._others(decision))
        self._met.append(_Choice(decision.key, decision.ready, decision.usual, left))
        return decision.usual

    @property
    def diverged(self) -> bool:
        """Whether the execution that is over did not go as planned."""
        return self._strayed or len(self._met) < len(self._plan)

    def next_path(self) -> Path | None:
        """The path to be tried next; None when there is none."""
        met = list(self._plan if self.diverged else self._met)
        while met:
            last = met.pop()
            if last.left:
                (chosen, budget), *left = last.left
                met.append(last._replace(chosen=chosen, left=tuple(left)))
                return Path(tuple(met), budget, self._firsts, free=self._free)
        return None

    def _others(self, decision: Decision) -> Iterator[tuple[int, int]]:
        if self._begins(decision):
            return
        for one in decision.ready:
            if one == decision.usual:
                continue
            # Were it free to wake who sleeps, a client that tries again and again would do so for
            # ever.
            free = (self._free or not decision.preempts) and one not in decision.sleepers
            left = self._budget - (not free)
            if left >= 0:
                yield one, left

    def _begins(self, decision: Decision) -> bool:
        """Whether a client has come to its first operation: until then it has done nothing.

        To interrupt it there is the same as to begin with another.
        """
        key, me = decision.key, decision.current
        first = key.k == 1 and key.op in self._firsts
        return first and me is not None and decision.points[me].on == OPERATION
