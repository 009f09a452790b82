"""Blocks: what many clients did at the same time, as costs, percentiles and throughput."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sessionproof.bench.clients import Block, Call, Shift, Work
from sessionproof.bench.crews import CannotMeasure
from sessionproof.contract.clock import monotonic_ns, monotonic_s
from sessionproof.contract.seed import generator

_PATIENCE = 5  # times the seconds that rounds have
LEAD_NS = 2_000_000  # from the word to the beginning, so that all clients begin together


@dataclass(frozen=True)
class Turns:
    """Blocks of a store and of its floor, in turn.

    ``costs``: by arm, nanoseconds an append in each round (float64, shape (rounds,)). ``blocks``:
    those of the store.
    """

    costs: Mapping[str, NDArray[np.float64]]
    blocks: tuple[Block, ...]


def closed_shift(sessions: Sequence[str], calls: int, *, most_s: float) -> Shift:
    """So many calls by each client, as fast as they end; none begins after ``most_s``."""
    begin = monotonic_ns() + LEAD_NS
    return Shift(tuple(sessions), begin, begin + round(most_s * 1e9), calls=calls)


def in_turns(
    arms: Mapping[str, Work],
    sessions: Sequence[str],
    *,
    calls: int,
    rounds: int,
    least: int,
    seconds: float,
    most_s: float,
    seed: int,
) -> Turns:
    """Let the arms "store" and "floor" take turns in random order, each once a round.

    Rounds end after so many seconds, but not before there are ``least``; those of a slow store
    after five times as long, however few they are, but for the first. ``most_s`` bounds a block.
    Raises CannotMeasure when the floor fails or no append was acknowledged.
    """
    draw = generator(seed, "turns")
    costs: dict[str, list[float]] = {name: [] for name in arms}
    kept: list[Block] = []
    began_s = monotonic_s()

    def go_on() -> bool:
        spent = monotonic_s() - began_s
        return spent < seconds or (len(kept) < least and spent < _PATIENCE * seconds)

    while not kept or (len(kept) < rounds and go_on()):
        taken = {
            name: arms[name](closed_shift(sessions, calls, most_s=most_s))
            for name in draw.sample(sorted(arms), len(arms))
        }
        if said := failures([taken["floor"]]):
            raise CannotMeasure(f"raw SQLite failed beside the store: {next(iter(said))}")
        kept.append(taken["store"])
        if acknowledged([taken["store"]]):
            for name, block in taken.items():
                costs[name].append(wall_ns(block) / acknowledged([block]))
    if not costs["store"]:
        said = failures(kept)
        raise CannotMeasure(f"no append was acknowledged: {next(iter(said), 'none was begun')}")
    return Turns({name: np.array(values) for name, values in costs.items()}, tuple(kept))


def calls_of(blocks: Iterable[Block]) -> list[Call]:
    """The calls of all clients."""
    return [call for block in blocks for did in block.did for call in did.calls]


def acknowledged(blocks: Iterable[Block]) -> int:
    """How many calls the store answered without an error."""
    return sum(call.ending == "ok" for call in calls_of(blocks))


def failures(blocks: Iterable[Block]) -> Counter[str]:
    """The errors of calls that failed, and how many said so."""
    return Counter(text for block in blocks for did in block.did for text in did.said)


def times_ns(blocks: Iterable[Block]) -> NDArray[np.int64]:
    """Nanoseconds of each acknowledged call, from when it was due; any length."""
    return np.array(
        [call.ended - call.due for call in calls_of(blocks) if call.ending == "ok"], np.int64
    )


def wall_ns(block: Block) -> int:
    """From the first call's beginning to the last one's end; 0 for no calls."""
    calls = calls_of([block])
    return max(call.ended for call in calls) - min(call.began for call in calls) if calls else 0


def per_second(blocks: Sequence[Block]) -> float:
    """Acknowledged calls a second of all clients, over the time in which blocks ran."""
    spent = sum(map(wall_ns, blocks))
    return acknowledged(blocks) * 1e9 / spent if spent else 0.0
