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
"""Runs an action in the thread that may use the arms, and raises what it raises.

Each action takes about a second, or one round where a round takes longer.
"""

BATCH_NS = 500_000
BATCH_MOST = 200
_TURN_S = 1.0  # an action of this length stays far below any deadline of an operation
_TRIES = 3
_TRIES_NS = 40 * BATCH_NS  # calls this slow make a batch of one, however often one looks


@dataclass(frozen=True)
class Arm:
    """One way to do the work: ``batch`` calls of ``run`` a round, at least one."""

    name: str
    run: Run
    batch: int = 1

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise ValueError(f"the batch of {self.name!r} must be at least 1, not {self.batch}")


@dataclass(frozen=True)
class Rounds:
    """What was measured, by arm.

    ``costs``: nanoseconds a call in each round (float64, shape (rounds,); the same place in all
    arrays is the same round). ``calls``: nanoseconds of every single call (int64, any length).
    """

    costs: Mapping[str, NDArray[np.float64]]
    calls: Mapping[str, NDArray[np.int64]]


def in_rounds(arms: Sequence[Arm], rounds: int, *, seed: int, lend: Lend) -> Rounds:
    """Let the arms take turns, each once a round, in an order drawn anew for each round.

    What an arm raises ends the measurement and is raised here. Raises ValueError for two arms of
    one name, for no arms and for no rounds; RuntimeError where ``lend`` kept an error to itself.
    """
    names = [arm.name for arm in arms]
    if not names or rounds < 1 or len(set(names)) < len(names):
        raise ValueError(f"{rounds} rounds of {names}: give arms of different names, and rounds")
    draw = generator(seed, "rounds")
    done: list[dict[str, Sequence[int]]] = []
    turns = 0

    def turn() -> None:
        nonlocal turns
        with undisturbed():
            until = monotonic_s() + _TURN_S
            while True:  # one round at least, or a slow collection of garbage would end all turns
                taken = {arm.name: arm.run(arm.batch) for arm in draw.sample(arms, len(arms))}
                done.append(taken)
                if len(done) == rounds or monotonic_s() >= until:
                    break
        turns += 1

    while len(done) < rounds:
        before = turns
        lend(turn)
        if turns == before:
            raise RuntimeError("a turn did not end: lend must raise what an arm raises")
    return Rounds(
        costs={name: np.array([np.mean(taken[name]) for taken in done]) for name in names},
        calls={name: np.concatenate([_whole(taken[name]) for taken in done]) for name in names},
    )


def _whole(times: Sequence[int]) -> NDArray[np.int64]:
    return np.asarray(times, np.int64)


def sized(run: Run) -> int:
    """How many calls make a batch of about half a millisecond; at least one.

    It makes some hundred calls of a microsecond, two of 50 ms. The first is not looked at, as it
    may open or import things; of a few tries the fastest counts, as others may be interrupted.
    """
    run(1)
    number = 1
    while True:
        spent = _fastest(run, number)
        if spent >= BATCH_NS / 2 or number >= BATCH_MOST:
            return max(1, min(BATCH_MOST, round(number * BATCH_NS / max(spent, 1))))
        number = min(4 * number, BATCH_MOST)


def _fastest(run: Run, number: int) -> int:
    tries: list[int] = []
    while len(tries) < _TRIES and sum(tries) < _TRIES_NS:
        tries.append(sum(run(number)))
    return min(tries)


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
    return lambda number: wait(run_awaiting(number))


@contextmanager
def undisturbed() -> Iterator[None]:
    """No garbage is collected within the block, in no thread; afterwards all is as it was.

    Blocks may be nested, but not overlap in several threads: the collector is one for all.
    """
    enabled, frozen = gc.isenabled(), gc.get_freeze_count()
    gc.collect()
    if not frozen:
        gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        if not frozen:  # else it was frozen by others, who will thaw it
            gc.unfreeze()
        if enabled:
            gc.enable()
