"""Who goes on, by chance or by a list: a strategy decides one execution, then another is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from sessionproof.contract.seed import derive, generator
from sessionproof.schedule.decisions import Decision, Key, Point, Strategy

CHANGES = 3
"""The usual depth of ``Pct``: most races need one or two interruptions."""

LENGTH = 60
"""Decisions of an execution, where it is not known how many there are."""


class RandomWalk:
    """Each of those who are ready with the same chance, at every decision."""

    def __init__(self, seed: int) -> None:
        self._choice = generator(seed, "walk").choice

    def pick(self, decision: Decision) -> int:
        """One of them."""
        return self._choice(decision.ready)


class Pos:
    """Partial order sampling: what is about to be done has a chance of its own, and keeps it.

    Only what races with what was done draws anew: orders of steps that have nothing to do with
    each other are not told apart (Yuan, Yang and Gu, CAV 2018).
    """

    def __init__(self, seed: int) -> None:
        self._chance = generator(seed, "pos").random
        self._ranks: dict[int, float] = {}

    def pick(self, decision: Decision) -> int:
        """The first in rank."""
        ranks = self._ranks
        ranks.pop(decision.key.task, None)  # what it was about to do is done
        for one in decision.ready:
            if one not in ranks:
                ranks[one] = self._chance()
        first = max(decision.ready, key=ranks.__getitem__)
        del ranks[first]
        for one in decision.ready:
            if one != first and _race(decision.points[first], decision.points[one]):
                del ranks[one]
        return first


def _race(one: Point, other: Point) -> bool:
    return one.on is not None and one.on == other.on and (one.writes or other.writes)


class Pct:
    """Tasks by ranks that are drawn once; ``depth - 1`` times the first becomes the last.

    The changes lie at decisions that are drawn from the first ``length``. A race of so many
    ordered steps is found with a chance that has a floor (Burckhardt and others, ASPLOS 2010). Who
    sleeps becomes the last: else one that tries again and again would keep out whom it waits for.
    """

    def __init__(self, seed: int, *, depth: int = CHANGES, length: int = LENGTH) -> None:
        chance = generator(seed, "pct")
        self._chance = chance.random
        self._changes = {chance.randrange(max(length, 1)) for _ in range(depth - 1)}
        self._ranks: dict[int, float] = {}
        self._seen = 0
        self._last = 0.0

    def pick(self, decision: Decision) -> int:
        """The first in rank of those who are awake."""
        for one in decision.ready:
            if one not in self._ranks:
                self._ranks[one] = self._chance()
        if decision.current in decision.sleepers:
            self._lower(decision.current)
        awake = [one for one in decision.ready if one not in decision.sleepers]
        if not awake:
            return decision.usual
        if self._seen in self._changes and len(awake) > 1:
            self._lower(max(awake, key=self._ranks.__getitem__))
        self._seen += 1
        return max(awake, key=self._ranks.__getitem__)

    def _lower(self, task: int | None) -> None:
        if task is not None:
            self._last -= 1.0
            self._ranks[task] = self._last


class Replay:
    """As usual, but at these decisions. ``missed`` counts those whose task was not ready."""

    def __init__(self, schedule: Iterable[tuple[Key, int]]) -> None:
        self.missed = 0
        self._deviations = dict(schedule)

    def pick(self, decision: Decision) -> int:
        """Who is named for this decision, if it is ready."""
        chosen = self._deviations.get(decision.key)
        if chosen is None:
            return decision.usual
        if chosen not in decision.ready:
            self.missed += 1
            return decision.usual
        return chosen


def sampled(seed: int, steps: Callable[[], int]) -> Iterator[Strategy]:
    """Random strategies without end: two walks, one partial order sampling, one PCT in four.

    ``steps`` answers how long an execution is about, 0 where that is not known.
    """
    at = 0
    while True:
        own = derive(seed, at)
        yield RandomWalk(own)
        yield Pos(own)
        yield RandomWalk(own + 1)
        yield Pct(own, length=steps() or LENGTH)
        at += 1


NAMES: dict[type, str] = {RandomWalk: "random walk", Pos: "partial order sampling", Pct: "PCT"}
"""The random strategies, as they are told."""
