"""How cost grows with what is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

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
    LOOK,
    ROUNDS,
    Fill,
    Place,
    along_messages,
    along_sessions,
    as_time,
    at_sizes,
    call_s,
)
from sessionproof.trials.growth_floors import floor_arms
from sessionproof.trials.growth_lines import script_of_growth
from sessionproof.trials.growth_steps import counted, told_steps
from sessionproof.trials.single import CouldNotTell, NotClaimed, Trial
from sessionproof.workload.crews import NothingToSay, awaits
from sessionproof.workload.guard import CannotOpen

LOOKS = ("read_last", "page", "get")
_TURN = 10  # rounds between two looks at what they say
_ROUNDS_MOST = 480
_SURE_MOST_S = 1.0  # for rounds that only make an interval narrower
_UNSURE_MOST_S = 10.0
_APPENDED = 200  # a batch of appends is at most this part of the smallest size that is judged
_CALLS = {
    "append": "an append of one message",
    "read_last": f"read_last({LOOK})",
    "page": f"page(limit={LOOK})",
}
_COUNT = "count"  # may count the rows: that is a choice, and no break
_COUNT_MOST_S = 0.005  # a call


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
    _judge(trial, _messages(trial), (*LOOKS, _COUNT))


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
    grown = _measured(trial, along, measured, ROUNDS)
    trial.measured += grown.values()
    judged = [one for name, one in grown.items() if name != _COUNT]
    trial.count("rounds", min(one.rounds for one in judged))
    for one in sorted(judged, key=lambda one: -one.slope):
        if _grows(one):
            _confirm(trial, along, one)
    if _COUNT in grown and _grows(grown[_COUNT]):
        trial.notes.append(f"{_how(grown[_COUNT])}: it is not judged, as it may count the rows")
    doubtful = [
        f"{_how(one)}{told_steps(one.sizes, one.steps)}"
        for one in judged
        if one.verdict == "undecided"
    ]
    if doubtful:
        raise CouldNotTell(f"flat is below ^{FLAT:g}, and this is not sure: {'; '.join(doubtful)}")


def _grows(one: Growth) -> bool:
    return one.verdict not in ("flat", "undecided")


def _confirm(trial: Trial, along: _Along, one: Growth) -> None:
    """Measure anew, on fresh locations and longer; raises Broken where it grows again."""
    largest = replace(along, sizes=one.sizes[-TOP:])
    again = _measured(trial, largest, [one.operation], 2 * ROUNDS, alone=True)[one.operation]
    if not _grows(again):
        steps = told_steps(one.sizes, one.steps)
        raise CouldNotTell(f"{_how(one)} in one measurement, and {_power(again)} in another{steps}")
    with suppress(NothingToSay, CannotOpen):
        awaits(trial.store)  # the script appends, too
    costs = ", ".join(
        f"{as_time(cost)} at {size:,}" for size, cost in zip(one.sizes, one.cost_us, strict=True)
    )
    trial.require(
        False,
        Anomaly.GROWTH,
        did=f"measured {_call(one.operation)} at {one.sizes[0]:,} to {one.sizes[-1]:,} "
        f"{one.along}, in random turns, and again on fresh locations",
        expected=f"it costs about the same at each size: less than {one.along}^{FLAT:g}",
        seen=f"{costs}: {one.factor:.3g} times as much, {_power(one)}, the second time "
        f"{_power(again)}; at 1,000,000 it would be {as_time(one.at_million_us)}"
        f"{told_steps(one.sizes, one.steps)}",
        script=script_of_growth(trial, one, batch_most(trial.claims)),
    )


def _measured(
    trial: Trial, along: _Along, operations: Sequence[str], rounds: int, *, alone: bool = False
) -> Mapping[str, Growth]:
    """The growth of each operation, after so many rounds, or more where one is not sure.

    Floors come with it, and steps where it is not flat, unless it is measured ``alone``.
    """
    judged = [name for name in operations if name != _COUNT]
    with at_sizes(trial, along.sizes, along.fill, judged) as places:
        beside = [] if alone else places
        with floor_arms(trial, along.what, beside, judged) as floors, undisturbed():
            going = [*judged, *_counted(trial, operations, places)]
            grown = _in_rounds(trial, along.what, places, going, floors, rounds)
        # Python calls stay slower in a process that was traced, so what is flat is left alone.
        doubtful = [name for name, one in grown.items() if one.verdict != "flat"]
        steps = counted(trial, beside, doubtful)
    return {name: replace(one, steps=steps.get(name)) for name, one in grown.items()}


def _in_rounds(
    trial: Trial,
    along: str,
    places: Sequence[Place],
    operations: Sequence[str],
    floors: Mapping[str, Sequence[Arm]],
    rounds: int,
) -> dict[str, Growth]:
    sizes = [place.size for place in places]
    arms = {name: [_arm(trial, place, name, sizes) for place in places] for name in operations}
    costs = {name: np.empty((0, len(sizes))) for name in operations}
    beside = {name: _as_few(floors[name], arms[name]) for name in floors}
    floored = {name: np.empty((0, len(sizes))) for name in floors}
    grown: dict[str, Growth] = {}
    going = list(operations)
    began = monotonic_s()
    while going:
        seed = derive(trial.seed, along, *map(len, costs.values())) % 2**32
        below = [name for name in going if name in beside and len(floored[name]) < ROUNDS]
        turn = [arm for name in going for arm in arms[name]]
        turn += [arm for name in below for arm in beside[name]]
        more = in_rounds(turn, _TURN, seed=seed, lend=_here).costs
        for name in below:
            floored[name] = _more(floored[name], beside[name], more)
        for name in going:
            costs[name] = _more(costs[name], arms[name], more)
            grown[name] = growth(
                name, along, sizes, costs[name], seed=seed, floor=floored.get(name)
            )
        spent_s = monotonic_s() - began
        going = [
            name
            for name in going
            if _goes_on(trial, grown[name], len(costs[name]), rounds, spent_s)
        ]
    return grown


def _as_few(floors: Sequence[Arm], arms: Sequence[Arm]) -> list[Arm]:
    """The floors in batches no larger than the store's: a slow disk is waited for by both."""
    return [
        replace(floor, batch=min(floor.batch, arm.batch))
        for floor, arm in zip(floors, arms, strict=True)
    ]


def _more(
    costs: NDArray[np.float64], arms: Sequence[Arm], rounds: Mapping[str, NDArray[np.float64]]
) -> NDArray[np.float64]:
    """The costs, shape (rounds, sizes), and below them those of further rounds."""
    return np.concatenate([costs, np.column_stack([rounds[arm.name] for arm in arms])])


def _counted(trial: Trial, operations: Sequence[str], places: Sequence[Place]) -> list[str]:
    """The look that is measured and not judged, where that is no waste of time."""
    if _COUNT not in operations:
        return []
    seconds = [call_s(trial, place, _COUNT) for place in places]
    if seconds[-1] <= _COUNT_MOST_S:
        return [_COUNT]
    trial.notes.append(
        f"count takes {as_time(seconds[-1] * 1e6)} at {places[-1].size:,}: it is not judged"
    )
    return []


def _goes_on(trial: Trial, one: Growth, done: int, rounds: int, spent_s: float) -> bool:
    """Whether an operation takes part in more rounds, after so many of them and so much time."""
    few = one.verdict == "flat" and one.rounds < trial.guarantee.least
    if one.operation != _COUNT and (few or one.verdict == "undecided"):
        return done < _ROUNDS_MOST and spent_s < _UNSURE_MOST_S
    return done < rounds and spent_s < _SURE_MOST_S


def _arm(trial: Trial, place: Place, operation: str, sizes: Sequence[int]) -> Arm:
    run = place.run(trial, operation)
    most = max(1, sizes[-TOP] // _APPENDED) if operation == "append" else 1_000
    # Each batch is about all sessions of the place equally: where one costs more than another,
    # rounds about different ones would differ, and the dear ones would count as disturbed.
    each = len(place.sessions)
    batch = each * max(1, round(min(sized(run), most) / each))
    return Arm(_cell(operation, place.size), run, batch)


def _cell(operation: str, size: int) -> str:
    return f"{operation} {size}"


def _here(turn: Callable[[], None]) -> None:
    """Each arm goes to the thread of its own handle itself; times are taken there."""
    turn()


def _call(operation: str) -> str:
    return _CALLS.get(operation, operation)


def _how(one: Growth) -> str:
    return f"{_call(one.operation)} costs {_power(one)}"


def _power(one: Growth) -> str:
    return f"{one.along}^{one.slope:.2f} ({one.low:.2f} to {one.high:.2f})"
