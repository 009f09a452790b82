"""One upkeep, recorded alone, and what the crashes in the middle of it showed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar

from sessionproof.checks.flaws import Flaw
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.seed import generator
from sessionproof.faults.changes import Changes
from sessionproof.faults.crashes.models import states
from sessionproof.faults.crashes.states import State
from sessionproof.faults.recording import CannotTrace, Recording
from sessionproof.faults.tracing.recorder import record
from sessionproof.trials.crashes.exploration import unusable, workers
from sessionproof.trials.crashes.survival_pool import judged
from sessionproof.trials.crashes.upkeep_scenes import Scene, Unfit, scene
from sessionproof.trials.single import Trial
from sessionproof.workload.guard import CannotOpen

_RECORD_S = 20.0  # what the traced call takes at most
_T = TypeVar("_T")


@dataclass(frozen=True)
class Wrong:
    """A state that is neither old nor new."""

    state: State
    flaw: Flaw


@dataclass(frozen=True)
class Played:
    """A scene with what was recorded in it."""

    name: str
    scene: Scene
    recording: Recording


@dataclass(frozen=True)
class Look:
    """What the crashes in one scene showed: how many states exist, were judged, and are wrong."""

    scene: Scene
    recording: Recording
    existing: int
    judged: int
    wrong: tuple[Wrong, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Budget:
    """When to stop: after ``limit_s``, or ``patience_s`` before the ``least`` number of states.

    More than ``most`` are never judged. The first state with the anomaly ``until`` ends it, too.
    """

    limit_s: float
    patience_s: float
    least: int
    most: int
    until: str = ""

    def spent(self, seconds: float, number: int) -> bool:
        """Whether these seconds and states are enough."""
        return seconds > (self.limit_s if number >= self.least else self.patience_s)


def played(trial: Trial, names: Sequence[str], folder: Path) -> list[Played | Unfit]:
    """Each of these scenes, recorded below an existing folder; or why it cannot be."""
    with ThreadPoolExecutor(workers(), thread_name_prefix="playing") as threads:
        return [*threads.map(lambda name: _played(trial, name, folder), names)]


def _played(trial: Trial, name: str, folder: Path) -> Played | Unfit:
    try:
        made = scene(trial, name)
        return Played(name, made, _recorded(trial, made, folder / name.replace(" ", "-")))
    except Unfit as why:
        return why
    except CannotOpen as why:
        return Unfit(f"it does not open: {why}")


def looked(trial: Trial, one: Played, models: Sequence[str], budget: Budget) -> Look:
    """What the crashes of this recording showed.

    Raises Unfit with the reason where they can tell nothing.
    """
    existing = _existing(one.recording, models, trial.run_seed)
    number, wrong = _judged(trial, one.recording, existing[: budget.most], budget)
    return Look(one.scene, one.recording, len(existing), number, wrong)


def _recorded(trial: Trial, made: Scene, folder: Path) -> Recording:
    try:
        recording = record(
            trial.store, [(made.operation,)], folder=folder, sessions=[], deadline_s=_RECORD_S,
            place=made.place,
        )  # fmt: skip
    except CannotTrace as why:
        raise Unfit(str(why)) from None
    if useless := unusable(recording):
        raise Unfit(useless)
    return recording


def _existing(recording: Recording, models: Sequence[str], seed: int) -> list[State]:
    """All states that a crash may leave since the call was asked for, in the order of judging.

    Models take turns, and in each of them the crash points.
    """
    begun = recording.acts[0].after + 1
    turns = (_by_points(recording.changes, model, begun, seed) for model in models)
    return [one for several in zip_longest(*turns) for one in several if one is not None]


def _by_points(changes: Changes, model: str, begun: int, seed: int) -> list[State]:
    random = generator(seed, "upkeep", model)
    points: defaultdict[int, list[State]] = defaultdict(list)
    for state in states(changes, model, generator=random):
        if state.point > begun:
            points[state.point].append(state)
    for several in points.values():
        random.shuffle(several)
    queues = spread([points[point] for point in sorted(points)], random.random())
    return [one for turn in zip_longest(*queues) for one in turn if one is not None]


def spread(queues: Sequence[_T], begin: float) -> list[_T]:
    """In the order of halves, quarters, eighths, so that any beginning lies evenly over all.

    Half-done work is wrong from one point to a later one: so few states find it.
    """
    bits = len(queues).bit_length()
    parts = (int(f"{number:0{bits}b}"[::-1], 2) / 2**bits for number in range(2**bits))
    order = dict.fromkeys(int((begin + part) % 1 * len(queues)) for part in parts)
    return [queues[number] for number in order]


def _judged(
    trial: Trial, recording: Recording, some: Sequence[State], budget: Budget
) -> tuple[int, tuple[Wrong, ...]]:
    number, wrong = 0, []
    started_s = monotonic_s()
    operation_s = trial.store.deadlines.operation_s
    try:
        for survived in judged(recording, some, workers=workers(), operation_s=operation_s):
            number += 1
            wrong += [Wrong(survived.state, flaw) for flaw in survived.flaws]
            if survived.hung or budget.spent(monotonic_s() - started_s, number):
                break
            if any(flaw.anomaly == budget.until for flaw in survived.flaws):
                break
    except CannotOpen as why:
        raise Unfit(str(why)) from None
    return number, tuple(wrong)
