"""How cost grows with what is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sessionproof.bench.growth import FLAT, TOP, growth
from sessionproof.bench.loading import batch_most
from sessionproof.bench.rounds import Arm, in_rounds, sized, undisturbed
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.measurements import Growth
from sessionproof.contract.seed import derive
from sessionproof.trials.filled import (
    ROUNDS,
    Fill,
    Place,
    along_messages,
    along_sessions,
    at_sizes,
)
from sessionproof.trials.growth_lines import script_of_growth
from sessionproof.trials.single import CouldNotTell, NotClaimed, Trial

LOOKS = ("read_last", "page", "get")
_TURN = 10  # rounds between two looks at what they say
_ROUNDS_MOST = 480
_SURE_MOST_S = 1.0  # for rounds that only make an interval narrower
_UNSURE_MOST_S = 5.0
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
    """The growth of each operation, after so many rounds, or more where one is not sure."""
    with at_sizes(trial, along.sizes, along.fill, operations) as places, undisturbed():
        sizes = [place.size for place in places]
        arms = {name: [_arm(trial, place, name, sizes) for place in places] for name in operations}
        costs = {name: np.empty((0, len(sizes))) for name in operations}
        grown: dict[str, Growth] = {}
        open_, began = list(operations), monotonic_s()
        while open_:
            turn = [arm for name in open_ for arm in arms[name]]
            seed = derive(trial.seed, along.what, *map(len, costs.values())) % 2**32
            more = in_rounds(turn, _TURN, seed=seed, lend=_here).costs
            for name in open_:
                added = np.column_stack([more[arm.name] for arm in arms[name]])
                costs[name] = np.concatenate([costs[name], added])
                grown[name] = growth(name, along.what, sizes, costs[name], seed=seed)
            spent = monotonic_s() - began
            least = trial.guarantee.least
            open_ = [
                one for one in open_ if _goes_on(grown[one], len(costs[one]), rounds, spent, least)
            ]
        return grown


def _goes_on(one: Growth, done: int, rounds: int, spent_s: float, least: int) -> bool:
    """Whether an operation takes part in more rounds, after so many of them and so much time."""
    if one.verdict == "undecided" or (one.verdict == "flat" and one.rounds < least):
        return done < _ROUNDS_MOST and spent_s < _UNSURE_MOST_S
    return done < rounds and spent_s < _SURE_MOST_S


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
        script=script_of_growth(trial, one, batch_most(trial.claims)),
    )


def _time(microseconds: float) -> str:
    """Two digits or three, in the unit that suits."""
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if microseconds >= size:
            return f"{microseconds / size:.3g} {unit}"
    return f"{microseconds:.3g} µs"
