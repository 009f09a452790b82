"""Rounds: arms that take turns in random order, so that what disturbs one disturbs all.

An arm is one way to do the same work: a store, a floor, another version. In each round each arm
does a short batch; a batch of half a millisecond is rarely interrupted, and what is interrupted is
left out later (``statistics.calm``).
"""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sessionproof.contract.clock import monotonic_ns, monotonic_s
from sessionproof.contract.seed import generator

Run: TypeAlias = Callable[[int], Sequence[int]]
"""Does so many calls, one after the other, and answers the nanoseconds of each."""

Lend: TypeAlias = Callable[[Callable[[], None]], None]
"""Runs an action in the thread that may use the arms; each is short."""

BATCH_NS = 500_000
BATCH_MOST = 200
_TURN_S = 1.0  # an action of this length stays far below any deadline of an operation


@dataclass(frozen=True)
class Arm:
    """One way to do the work: ``batch`` calls of ``run`` a round."""

    name: str
    run: Run
    batch: int = 1


@dataclass(frozen=True)
class Rounds:
    """What was measured. ``costs``: by arm, nanoseconds a call in each round (float64, shape
    (rounds,), one row of all arms is one round). ``calls``: by arm, nanoseconds of every single
    call (int64, any length).
    """

    costs: Mapping[str, NDArray[np.float64]]
    calls: Mapping[str, NDArray[np.int64]]


def in_rounds(arms: Sequence[Arm], rounds: int, *, seed: int, lend: Lend) -> Rounds:
    """Let the arms take turns, each once a round, in an order drawn anew for each round."""
    draw = generator(seed, "rounds")
    costs: dict[str, list[float]] = {arm.name: [] for arm in arms}
    calls: dict[str, list[int]] = {arm.name: [] for arm in arms}
    done = 0

    def turn() -> None:
        nonlocal done
        until = monotonic_s() + _TURN_S
        with undisturbed():
            while done < rounds and monotonic_s() < until:
                for arm in draw.sample(arms, len(arms)):
                    times = arm.run(arm.batch)
                    costs[arm.name].append(sum(times) / len(times))
                    calls[arm.name].extend(times)
                done += 1

    while done < rounds:
        lend(turn)
    return Rounds(
        costs={name: np.array(values, np.float64) for name, values in costs.items()},
        calls={name: np.array(values, np.int64) for name, values in calls.items()},
    )


def sized(run: Run) -> int:
    """How many calls make a batch of about half a millisecond; at least one."""
    number = 1
    while True:
        spent = sum(run(number))
        if spent >= BATCH_NS / 2 or number >= BATCH_MOST:
            return max(1, min(BATCH_MOST, round(number * BATCH_NS / max(spent, 1))))
        number *= 4


def of_calls(
    call: Callable[..., Any],
    arguments: Callable[[], tuple[Any, ...]],
    *,
    wait: Callable[[Awaitable[Any]], Any] | None = None,
) -> Run:
    """Calls with arguments made beforehand; with ``wait``, calls that answer awaitables.

    A batch of awaitables is awaited in one task, one after the other.
    """

    def run(number: int) -> list[int]:
        prepared = [arguments() for _ in range(number)]
        times = []
        for given in prepared:
            start = monotonic_ns()
            call(*given)
            times.append(monotonic_ns() - start)
        return times

    async def run_awaiting(number: int) -> list[int]:
        prepared = [arguments() for _ in range(number)]
        times = []
        for given in prepared:
            start = monotonic_ns()
            await call(*given)
            times.append(monotonic_ns() - start)
        return times

    if wait is None:
        return run
    return lambda number: wait(run_awaiting(number))  # type: ignore[no-any-return]


@contextmanager
def undisturbed() -> Iterator[None]:
    """No garbage is collected within the block."""
    enabled = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if enabled:
            gc.enable()
