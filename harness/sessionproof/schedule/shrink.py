"""A schedule that breaks a promise, made small: first its operations, then its switches.

What is accepted shows the same anomaly, or a lost or doubled message, when it is replayed on a
location of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Protocol

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.history.columns import F
from sessionproof.schedule.bounded import Bounded
from sessionproof.schedule.decisions import Strategy
from sessionproof.schedule.found import Found, Judge, Schedule
from sessionproof.schedule.program import Program, Run
from sessionproof.schedule.strategies import Replay, sampled

SEARCHED = 60  # schedules of a smaller program, where the replay shows nothing
_PLAINER = (Anomaly.LOST_MESSAGE, Anomaly.DUPLICATE)
"""What is shown in the place of any other: most others follow from these, and take more calls."""


class Runs(Protocol):
    """What carries programs out, as ``Runner`` does."""

    def run(self, program: Program, strategy: Strategy, *, fresh: bool = False) -> Run:
        """One execution; ``fresh`` on a location of its own."""
        ...


@dataclass(frozen=True)
class Attempts:
    """Tries whether a program still shows an anomaly, until a moment of ``monotonic_s``.

    ``fresh`` says that each replay has a location of its own.
    """

    runner: Runs
    judge: Judge
    anomaly: Anomaly
    until_s: float = math.inf
    fresh: bool = True

    @property
    def is_over(self) -> bool:
        """Whether there is no time for another one."""
        return monotonic_s() > self.until_s

    def shows(self, run: Run) -> bool:
        """Whether this execution shows it, or what is plainer."""
        wrong = None if run.problem else self.judge(run)
        if wrong is None:
            return False
        plainer = wrong.anomaly in _PLAINER and self.anomaly is not Anomaly.HANG
        return plainer or wrong.anomaly is self.anomaly

    def replayed(self, program: Program, schedule: Schedule) -> Run | None:
        """The execution of this schedule, if it shows it."""
        if self.is_over:
            return None
        run = self.runner.run(program, Replay(schedule), fresh=self.fresh)
        return run if self.shows(run) else None

    def searched(
        self,
        program: Program,
        strategies: Iterable[Strategy],
        *,
        below: int | None = None,
        fresh: bool = False,
    ) -> Run | None:
        """The first of these that shows it, and shows it again when replayed.

        ``below``: only with fewer deviations than so many. ``fresh``: each on its own location.
        """
        for strategy in strategies:
            if self.is_over:
                return None
            run = self.runner.run(program, strategy, fresh=fresh)
            if (below is None or len(run.decisions) < below) and self.shows(run):
                again = self.replayed(program, run.decisions)
                if again is not None:
                    return again
        return None


Shown = tuple[Program, Run]
Part = Callable[[Attempts, Program, Run], Shown]


def smaller(runner: Runs, judge: Judge, found: Found, *, seconds: float, seed: int) -> Found:
    """The finding with fewer operations and fewer deviations, as far as the time suffices.

    ``found`` must show its anomaly when it is replayed on a fresh location.
    """
    begin_s, shown = monotonic_s(), (found.program, found.run)
    for part, share in (
        (partial(_fewer_operations, seed), 0.5),
        (_calmer, 0.8),
        (_fewer_deviations, 0.95),
        (_in_order, 1.0),
        (_fewer_deviations, 1.0),
    ):
        until_s = begin_s + share * seconds
        shown = _checked(part, Attempts(runner, judge, found.wrong.anomaly, until_s), *shown)
    program, run = shown
    wrong = judge(run) or found.wrong
    first = found.first if any(found.first) else sizes(found.program, found.run.decisions)
    return replace(
        found, program=program, schedule=run.decisions, run=run, wrong=wrong, first=first
    )


def _checked(part: Part, attempts: Attempts, program: Program, run: Run) -> Shown:
    """What a part comes to where earlier executions have been, if it shows on a fresh location.

    If it does not, every step of the part has a location of its own: that takes longer.
    """
    less, shown = part(replace(attempts, fresh=False), program, run)
    if shown is run:
        return program, run
    again = replace(attempts, until_s=math.inf).replayed(less, shown.decisions)
    return (less, again) if again is not None else part(attempts, program, run)


def sizes(program: Program, schedule: Schedule) -> tuple[int, int]:
    """How many operations, with those before, and how many deviations."""
    return program.operations + len(program.before), len(schedule)


def _fewer_operations(seed: int, attempts: Attempts, program: Program, run: Run) -> Shown:
    """By replay as long as that suffices, then by searching, too."""
    for deep in (False, True):
        again = True
        while again:
            again = False
            for less in _smaller_ones(program):
                shown = attempts.replayed(less, run.decisions)
                if shown is None and deep:
                    some = islice(sampled(seed, partial(len, run.steps)), SEARCHED)
                    shown = attempts.searched(less, some)
                if shown is not None:
                    program, run, again = less, shown, True
                    break
                if attempts.is_over:
                    return program, run
    return program, run


def _smaller_ones(program: Program) -> Iterator[Program]:
    """The programs that are one step smaller, the largest steps first."""
    if sum(map(bool, program.clients)) > 2:
        for at, own in enumerate(program.clients):
            if own:
                yield replace(
                    program, clients=(*program.clients[:at], (), *program.clients[at + 1 :])
                )
    if len(program.before) > 1:
        yield replace(program, before=())
    calls = [*(call for one in program.clients for call in one), *program.before]
    if program.operations > 1:
        yield from (program.without(n) for one in program.clients for n, _ in reversed(one))
    yield from (program.without(n) for n, _ in reversed(program.before))
    for number, call in calls:
        if call.f in (F.APPEND, F.REPLACE) and call.n > 1:
            yield _with_messages(program, number, call.n - 1)


def _with_messages(program: Program, number: int, n: int) -> Program:
    def of(calls: tuple) -> tuple:  # type: ignore[type-arg]
        return tuple((at, call._replace(n=n) if at == number else call) for at, call in calls)

    return replace(program, clients=tuple(map(of, program.clients)), before=of(program.before))


def _calmer(attempts: Attempts, program: Program, run: Run) -> Shown:
    """Another schedule of the program with fewer deviations: the fewest preemptions first."""
    for preemptions in (0, 1, 2):
        if len(run.decisions) <= 1:
            break
        some = Bounded(program, preemptions)
        shown = attempts.searched(program, some, below=len(run.decisions))
        if shown is not None:
            return program, shown
    return program, run


def _fewer_deviations(attempts: Attempts, program: Program, run: Run) -> Shown:
    """Without runs of deviations, from halves down to single ones, until none can be spared."""
    size = max(1, len(run.decisions) // 2)
    while run.decisions:
        shorter = _without_some(attempts, program, run, size)
        if len(shorter.decisions) == len(run.decisions) and size == 1:
            break
        spared = len(shorter.decisions) < len(run.decisions)
        run, size = shorter, size if spared else max(1, size // 2)
    return program, run


def _without_some(attempts: Attempts, program: Program, run: Run, size: int) -> Run:
    at = max(0, len(run.decisions) - size)
    while True:
        schedule = (*run.decisions[:at], *run.decisions[at + size :])
        shown = attempts.replayed(program, schedule)
        if shown is not None and len(shown.decisions) < len(run.decisions):
            run = shown
        if at == 0 or attempts.is_over:
            return run
        at = max(0, min(at, len(run.decisions)) - size)


def _in_order(attempts: Attempts, program: Program, run: Run) -> Shown:
    """Clients numbered as they begin, without those that have nothing to do.

    Who begins is then the first, as usual, and no deviation says so.
    """
    begun = dict.fromkeys(one.key.task for one in run.steps)
    order = [one for one in begun if 0 <= one < len(program.clients) and program.clients[one]]
    if order == list(range(len(program.clients))):
        return program, run
    other = replace(program, clients=tuple(program.clients[one] for one in order))
    place = {old: new for new, old in enumerate(order)}
    schedule = tuple(
        (key._replace(task=place.get(key.task, key.task)), place.get(then, then))
        for key, then in run.decisions
    )
    for some in (schedule[1:], schedule):
        shown = attempts.replayed(other, some)
        if shown is not None and len(shown.decisions) <= len(run.decisions):
            return other, shown
    return program, run
