"""The performance table for one client: each row timed in the same rounds as its floor."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TypeVar

import numpy as np

from sessionproof.bench.client import Client
from sessionproof.bench.operations import Row, Side
from sessionproof.bench.rounds import Arm, Lend, Rounds, Run, in_rounds, of_calls, sized
from sessionproof.bench.statistics import TooFewRounds, latency, ratio
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.measurements import Ratio, Speed
from sessionproof.contract.operations import CRASH, HANG, Failure
from sessionproof.contract.seed import derive
from sessionproof.workload.guard import Wait

T = TypeVar("T")

LEAST_ROUNDS = 20  # an interval needs twelve calm ones
_ROW_MOST_S = 6.0  # a row that needs longer for its least rounds is left out
_PREPARED_S = 0.0025  # what is made for one batch is made within this time
_FLOOR = " floor"


class CallFailed(Exception):
    """A call of the store failed while it was measured."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure

    @property
    def gone(self) -> bool:
        """Whether the handle is lost."""
        return self.failure.type in (HANG, CRASH)


@dataclass(frozen=True)
class Plan:
    """How long to measure: ``rounds`` of each row, fewer of slow ones, but at least ``least``.

    A row is slow when all its rounds would take more than ``row_s`` seconds. None begins after
    ``until_s`` of the monotonic clock. ``most`` are claimed ratios by operation.
    """

    rounds: int
    least: int
    row_s: float
    until_s: float
    seed: int
    most: Mapping[str, float]


@dataclass(frozen=True)
class Table:
    """Rows that were measured, and those that were not: the reason by operation.

    ``failures`` are the reasons that are failures of the store.
    """

    speeds: tuple[Speed, ...]
    missed: Mapping[str, str]
    failures: Mapping[str, Failure]


@dataclass(frozen=True)
class _Ready:
    """A row warmed up: its arms, and the seconds that a round of both takes."""

    row: Row
    note: str
    arms: tuple[Arm, Arm]
    round_s: float


def measure(rows: Sequence[Row], client: Client, lend: Lend, plan: Plan) -> Table:
    """Time the rows. ``lend`` raises CallFailed; it goes through here when the handle is lost."""
    ready: list[_Ready] = []
    missed: dict[str, str] = {}
    failures: dict[str, Failure] = {}
    timed: dict[str, Speed] = {}

    def unless_it_fails(action: Callable[[], None]) -> bool:
        try:
            action()
        except CallFailed as failed:
            if failed.gone:
                raise
            missed[client.doing], failures[client.doing] = str(failed), failed.failure
            return False
        return True

    for row in rows:
        client.doing = row.operation
        unless_it_fails(lambda row=row: ready.append(_warmed_up(row, client, lend)))  # type: ignore[misc]
    for number, group in _groups(ready, plan):
        left = list(group)
        while left:
            why = _no_time(left, number, plan)
            if why:
                missed |= {one.row.operation: why for one in left}
                break
            if unless_it_fails(lambda: timed.update(_timed(left, number, client, lend, plan))):  # noqa: B023
                break
            left = [one for one in left if one.row.operation != client.doing]
    speeds = tuple(timed[row.operation] for row in rows if row.operation in timed)
    return Table(speeds, missed, failures)


def _warmed_up(row: Row, client: Client, lend: Lend) -> _Ready:
    pair = _lent(lend, lambda: row.pair(client))
    arms = (
        _arm(row.operation, pair.store, client, row.operation, lend),
        _arm(row.operation + _FLOOR, pair.floor, client, row.operation, lend),
    )
    return _Ready(row, pair.note, arms, _lent(lend, lambda: sum(map(_seconds, arms))))


def _arm(name: str, side: Side, client: Client, operation: str, lend: Lend) -> Arm:
    """The side as an arm. Each step is lent alone: together, slow calls would look like a hang."""
    run = _lent(lend, lambda: run_of(side, client.wait))

    def noted(number: int) -> Sequence[int]:
        client.doing = operation
        return run(number)

    arm = Arm(name, noted, _lent(lend, lambda: sized(noted)))
    fits = _PREPARED_S / _lent(lend, lambda: _seconds(arm))
    return replace(arm, batch=max(1, min(arm.batch, int(arm.batch * fits))))


def _lent(lend: Lend, action: Callable[[], T]) -> T:
    """What the action answers in the thread that may use the store."""
    answers: list[T] = []
    lend(lambda: answers.append(action()))
    return answers[0]


def run_of(side: Side, wait: Wait) -> Run:
    """The side as a run, called once so that it is known whether its answers are awaited."""
    (given,) = side.arguments(1)
    answer = side.call(*given)
    awaits = inspect.isawaitable(answer)
    if awaits:
        wait(answer)

    def run(number: int) -> Sequence[int]:
        prepared = iter(side.arguments(number))
        return of_calls(side.call, lambda: next(prepared), wait=wait if awaits else None)(number)

    return run


def _seconds(arm: Arm) -> float:
    """How long one turn of the arm takes, with what is made for it."""
    start = monotonic_s()
    arm.run(arm.batch)
    return max(monotonic_s() - start, 1e-6)


def _groups(ready: Sequence[_Ready], plan: Plan) -> Iterable[tuple[int, Iterable[_Ready]]]:
    """Rows that can have the same number of rounds take turns with each other, too."""

    def rounds_of(one: _Ready) -> int:
        return max(plan.least, min(plan.rounds, int(plan.row_s / one.round_s)))

    return groupby(sorted(ready, key=rounds_of, reverse=True), key=rounds_of)


def _no_time(group: Sequence[_Ready], rounds: int, plan: Plan) -> str:
    if monotonic_s() > plan.until_s:
        return "no time was left for it"
    slowest = max(group, key=lambda one: one.round_s)
    if rounds * slowest.round_s > max(_ROW_MOST_S, plan.row_s):
        return f"{rounds} rounds of {slowest.round_s:.1f} s would take too long"
    return ""


def _timed(
    group: Sequence[_Ready], rounds: int, client: Client, lend: Lend, plan: Plan
) -> dict[str, Speed]:
    arms = [arm for one in group for arm in one.arms]
    measured = in_rounds(
        arms, rounds, seed=derive(plan.seed, *sorted(a.name for a in arms)), lend=lend
    )
    return {one.row.operation: _speed(one, measured, client.floor.words, plan) for one in group}


def _speed(one: _Ready, rounds: Rounds, words: str, plan: Plan) -> Speed:
    operation = one.row.operation
    costs, floor = rounds.costs[operation], rounds.costs[operation + _FLOOR]
    calls = rounds.calls[operation]
    compared: Ratio | None = None
    note = one.note
    try:
        compared = ratio(costs, floor, seed=derive(plan.seed, operation))
    except TooFewRounds as why:
        note = "; ".join(filter(None, (note, str(why))))
    return Speed(
        operation=operation,
        clients="one client",
        latency=latency(calls),
        per_second=float(len(calls) / (calls.sum() / 1e9)),
        floor=words,
        floor_us=float(np.median(floor) / 1_000),
        ratio=compared,
        most=plan.most.get(operation),
        samples={"store": _whole(costs), "floor": _whole(floor)},
        note=note,
    )


def _whole(costs: np.ndarray) -> tuple[int, ...]:
    return tuple(round(cost) for cost in costs.tolist())
