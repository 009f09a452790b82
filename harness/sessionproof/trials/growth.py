"""How cost grows with what is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sessionproof.bench.growth import FLAT, TOP, growth
from sessionproof.bench.rounds import Arm, in_rounds, sized
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.measurements import Growth
from sessionproof.contract.seed import derive
from sessionproof.trials.single import CouldNotTell, NotClaimed, Trial
from sessionproof.trials.sizes import (
    ROUNDS,
    Fill,
    Place,
    along_messages,
    along_sessions,
    at_sizes,
)

LOOKS = ("read_last", "page", "get")
_UNDECIDED_MOST_S = 3.0  # for rounds beyond the first, where the intervals are still wide
_ROUNDS_MOST = 480
_APPENDED = 200  # a batch of appends is at most this part of the smallest size that is judged
_CALL = {"append": "append of one message", "read_last": "read_last(50)", "page": "page(limit=50)"}

Costs = NDArray[np.float64]


@dataclass(frozen=True)
class _Along:
    """What grows, and how a store is filled with it."""

    what: str
    sizes: tuple[int, ...]
    fill: Fill


def of_appends(trial: Trial) -> None:
    """Appends of one message to sessions of rising lengths."""
    _judge(trial, _messages(trial), ("append",))


def of_looks_along_messages(trial: Trial) -> None:
    """The newest messages, a page and the facts of sessions of rising lengths."""
    _judge(trial, _messages(trial), LOOKS)


def of_looks_along_sessions(trial: Trial) -> None:
    """The same in a few of ever more sessions."""
    _judge(trial, _Along("sessions", trial.profile.sessions, along_sessions), LOOKS)


def _messages(trial: Trial) -> _Along:
    retention = trial.claims.limits.retention
    sizes = tuple(size for size in trial.profile.messages if retention is None or size <= retention)
    if trial.claims.writes == "replace":
        raise NotClaimed(
            "the store reads and writes whole conversations (writes=replace): what a call costs "
            "is what the conversation holds"
        )
    if len(sizes) < TOP:
        raise NotClaimed(
            f"the store keeps the newest {retention} messages of a session: none gets long"
        )
    return _Along("messages", sizes, along_messages)


def _judge(trial: Trial, along: _Along, operations: Sequence[str]) -> None:
    """Measure, confirm what grows on fresh locations, and say what came of it."""
    measured = [name for name in operations if name == "append" or name in trial.capabilities]
    judged = _measured(trial, along, measured, ROUNDS)
    trial.measured += judged.values()
    trial.count("rounds", min(one.rounds for one in judged.values()))
    for name, one in sorted(judged.items(), key=lambda item: -item[1].slope):
        if one.verdict in ("flat", "undecided"):
            continue
        again = _measured(
            trial, _Along(along.what, one.sizes[-TOP:], along.fill), [name], 2 * ROUNDS
        )[name]
        if again.verdict in ("flat", "undecided"):
            raise CouldNotTell(
                f"the cost of {_call(name)} grew in one measurement, with {along.what}^"
                f"{_interval(one)}, and not surely in another, {_interval(again)}"
            )
        _broken(trial, one, again)
    doubtful = [one for one in judged.values() if one.verdict == "undecided"]
    if doubtful:
        said = "; ".join(
            f"{_call(one.operation)} with {along.what}^{_interval(one)}" for one in doubtful
        )
        raise CouldNotTell(
            f"what grows by less than ^{FLAT:g} is flat, and this is not sure: {said}"
        )


def _measured(
    trial: Trial, along: _Along, operations: Sequence[str], rounds: int
) -> Mapping[str, Growth]:
    """The growth of each operation; rounds are doubled where one is not sure."""
    with at_sizes(trial, along.sizes, along.fill, operations) as places:
        sizes = [place.size for place in places]
        arms = [_arm(trial, place, name, sizes) for name in operations for place in places]
        costs: dict[str, Costs] = {}
        until = None
        while True:
            seed = derive(trial.seed, along.what, rounds, len(costs))
            more = in_rounds(arms, rounds, seed=seed, lend=_here).costs
            costs = {
                name: np.concatenate([costs[name], times]) if name in costs else times
                for name, times in more.items()
            }
            grown = {
                name: growth(
                    name,
                    along.what,
                    sizes,
                    np.column_stack([costs[_cell(name, size)] for size in sizes]),
                    seed=seed % 2**32,
                )
                for name in operations
            }
            rounds = len(next(iter(costs.values())))
            until = until or monotonic_s() + _UNDECIDED_MOST_S
            sure = all(
                one.verdict != "undecided" and one.rounds >= trial.guarantee.least
                for one in grown.values()
            )
            if sure or rounds >= _ROUNDS_MOST or monotonic_s() >= until:
                return grown


def _arm(trial: Trial, place: Place, operation: str, sizes: Sequence[int]) -> Arm:
    run = place.run(trial, operation)
    most = max(1, sizes[-TOP] // _APPENDED) if operation == "append" else 1_000
    return Arm(_cell(operation, place.size), run, min(sized(run), most))


def _cell(operation: str, size: int) -> str:
    return f"{operation} {size}"


def _here(turn: Callable[[], None]) -> None:
    """Each arm goes to the thread of its own handle itself; times are taken there."""
    turn()


def _call(operation: str) -> str:
    return _CALL.get(operation, operation)


def _interval(one: Growth) -> str:
    return f"{one.slope:.2f} ({one.low:.2f} to {one.high:.2f})"


def _broken(trial: Trial, one: Growth, again: Growth) -> None:
    costs = ", ".join(
        f"{_time(cost)} at {size:,}" for size, cost in zip(one.sizes, one.cost_us, strict=True)
    )
    trial.require(
        False,
        Anomaly.GROWTH,
        did=f"measured {_call(one.operation)} at {one.sizes[0]:,} to {one.sizes[-1]:,} "
        f"{one.along}, in random turns, and again on fresh locations",
        expected=f"it costs about the same at each size: an exponent below {FLAT:g}",
        seen=f"{costs}: it grows with {one.along}^{_interval(one)}, the second time with "
        f"^{_interval(again)}; at 1,000,000 it would be {_time(one.at_million_us)}",
    )


def _time(microseconds: float) -> str:
    """Two digits or three, in the unit that suits."""
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if microseconds >= size:
            return f"{microseconds / size:.3g} {unit}"
    return f"{microseconds:.3g} µs"
