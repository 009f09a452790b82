"""Rows of the report about many clients: beside a floor, by their number, and at offered rates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from sessionproof.bench import offered
from sessionproof.bench.blocks import (
    acknowledged,
    calls_of,
    closed_shift,
    failures,
    in_turns,
    per_second,
    times_ns,
    wall_ns,
)
from sessionproof.bench.clients import Block, Work
from sessionproof.bench.crews import CannotMeasure
from sessionproof.bench.rounds import undisturbed
from sessionproof.bench.statistics import TooFewRounds, latency, ratio
from sessionproof.contract.measurements import Load, LoadPoint, Ratio, Speed

_LEAST_ROUNDS = 16  # an interval needs twelve calm ones
_BLOCK_S = 0.02  # what a block is to take at most; a slow store has fewer calls in it
_CALLS_MOST = 10  # of a client in a block: short blocks are seldom disturbed
_SWEPT_MOST = 100
_SWEPT_BLOCKS = 3
_LATE_SHARE = 0.25  # of the median latency; a feeder that is later is told


def beside_floor(
    store: Work,
    floor: Work,
    sessions: Sequence[str],
    *,
    clients: str,
    words: str,
    rounds: int,
    seconds: float,
    most_s: float,
    seed: int,
) -> Speed:
    """Appends by one client for each session, beside as many of raw SQLite (``words``).

    ``clients`` is who calls, as in "10 threads"; ``most_s`` bounds the time in which calls of a
    block begin, ``rounds`` and ``seconds`` the rounds, as ``in_turns`` says. With fewer than an
    interval needs there is no ratio, and the note says why. Raises CannotMeasure when nothing was
    acknowledged, or the floor failed.
    """
    arms = {"store": store, "floor": floor}
    with undisturbed():
        calls = _sized(arms.values(), sessions, most_s=most_s)
        turns = in_turns(
            arms,
            sessions,
            calls=calls,
            rounds=rounds,
            least=_LEAST_ROUNDS,
            seconds=seconds,
            most_s=most_s,
            seed=seed,
        )
    costs, beside = turns.costs["store"], turns.costs["floor"]
    against: Ratio | None = None
    notes = [failed(turns.blocks)]
    try:
        against = ratio(costs, beside, seed=seed)
    except TooFewRounds as few:
        notes.append(f"the ratio could not be told: {few}")
    return Speed(
        operation="append",
        clients=clients,
        latency=latency(times_ns(turns.blocks)),
        per_second=per_second(turns.blocks),
        floor=words,
        floor_us=float(np.median(beside)) / 1_000,
        ratio=against,
        samples={name: tuple(map(round, values)) for name, values in turns.costs.items()},
        note="; ".join(filter(None, notes)),
    )


def by_number(
    work: Work,
    sessions: Sequence[str],
    numbers: Iterable[int],
    named: Callable[[int], str],
    *,
    seconds: float,
    most_s: float,
) -> list[Speed]:
    """Throughput by so many clients each, for about so many seconds each; ``named`` names them."""
    rows = []
    for number in numbers:
        some = sessions[:number]
        with undisturbed():
            calls = _sized(
                [work], some, block_s=seconds / _SWEPT_BLOCKS, calls_most=_SWEPT_MOST, most_s=most_s
            )
            blocks = [work(closed_shift(some, calls, most_s=most_s)) for _ in range(_SWEPT_BLOCKS)]
        rows.append(closed(blocks, clients=named(number)))
    return rows


def closed(blocks: Sequence[Block], *, clients: str) -> Speed:
    """What clients of a closed loop reached; raises CannotMeasure when nothing was acknowledged."""
    if not acknowledged(blocks):
        why = next(iter(failures(blocks)), "none was begun")
        raise CannotMeasure(f"{clients}: no append was acknowledged: {why}")
    return Speed(
        operation="append",
        clients=clients,
        latency=latency(times_ns(blocks)),
        per_second=per_second(blocks),
        note=failed(blocks),
    )


def at_rates(
    work: Work,
    sessions: Sequence[str],
    reached: Speed,
    *,
    total_s: float,
    longest_s: float,
    seed: int,
) -> Load | None:
    """Latency at offered rates around what the same clients reached in a closed loop.

    All windows together take ``total_s`` at most and none more than ``longest_s``; each may be
    followed by as long a time for its backlog. None where the store is too slow for a window with
    enough calls.
    """
    points: list[tuple[LoadPoint, bool]] = []
    blocks: list[Block] = []
    late: dict[float, float] = {}
    with undisturbed():
        for one in offered.offers(
            reached.per_second, total_s=total_s, longest_s=longest_s, seed=seed
        ):
            seen = offered.carried_out(work, sessions, one)
            point = offered.point(seen, one)
            kept = offered.kept_up(seen, one, usual_ns=reached.latency.p50_us * 1_000)
            points.append((point, kept))
            blocks.append(seen.block)
            late_us = float(np.median(seen.late_ns)) / 1_000 if len(seen.late_ns) else 0.0
            if late_us > _LATE_SHARE * point.latency.p50_us:
                late[point.offered_per_s] = late_us
    if not points:
        return None
    notes = [failed(blocks), _told_late(late)]
    if points[-1][1]:
        notes.append("the store kept up with the highest rate offered: the knee lies above it")
    return Load(
        operation="append",
        clients=reached.clients,
        points=tuple(point for point, _ in points),
        knee_per_s=offered.knee(points),
        closed_per_s=reached.per_second,
        note="; ".join(filter(None, notes)),
    )


def _told_late(late: Mapping[float, float]) -> str:
    """A sentence about rates at which the harness was late with its calls, with microseconds."""
    if not late:
        return ""
    rates = ", ".join(f"{rate:,.0f}" for rate in late)
    return (
        f"at {rates} a second a good part of the latency is the harness's own: it began calls "
        f"late, by up to {max(late.values()):,.0f} µs at the median"
    )


def failed(blocks: Iterable[Block]) -> str:
    """A sentence about calls that failed, empty when none did."""
    blocks = list(blocks)
    said = failures(blocks)
    if not said:
        return ""
    calls = calls_of(blocks)
    longest = max(call.ended - call.began for call in calls if call.ending != "ok") / 1e9
    refused = sum(call.ending == "fail" for call in calls)
    how = "refused" if refused == said.total() else "failed"
    text, _ = said.most_common(1)[0]
    return (
        f"{said.total():,} of {len(calls):,} calls {how}, the slowest after {longest:.2g} s: {text}"
    )


def _sized(
    works: Iterable[Work],
    sessions: Sequence[str],
    *,
    most_s: float,
    block_s: float = _BLOCK_S,
    calls_most: int = _CALLS_MOST,
) -> int:
    """How many calls of each client make a block of the slowest arm take about ``block_s``.

    Each arm is tried twice, as the first time may open things; the faster one counts.
    """
    most = calls_most
    for work in works:
        walls = [wall_ns(work(closed_shift(sessions, 1, most_s=most_s))) for _ in range(2)]
        most = min(most, round(block_s * 1e9 / max(min(walls), 1)))
    return max(1, most)
