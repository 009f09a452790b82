"""Every crash of a store, once for all rows of a run: recorded, enumerated, judged, and kept.

Whichever worker comes first explores, under a lock; the others read what it found.
"""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sessionproof.checks.flaws import Flaw
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims, claims_to_json
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.operations import Program
from sessionproof.contract.seed import generator
from sessionproof.faults import models as crash_models
from sessionproof.faults import saving
from sessionproof.faults.changes import Kind
from sessionproof.faults.recorder import record
from sessionproof.faults.recording import CannotTrace, Recording
from sessionproof.faults.states import KILL, POWER_ORDERED, POWER_STRICT, State
from sessionproof.trials.rounds import parent_of
from sessionproof.trials.single import Trial
from sessionproof.trials.survival import Survived
from sessionproof.trials.survival_main import state_from_json, state_to_json
from sessionproof.trials.survival_pool import judged
from sessionproof.workload.crash_programs import crash_pair, crash_program

_SHARES = 16  # of a guarantee's time: one exploration serves seven of them
_UNCLAIMED = 0.15  # of the states of a model that the store claims to survive
_ALONE = 0.7  # of the states: those of one client; the rest are those of two
_PASSES = 8  # so that each point of the program is seen early
_LEAST = 60  # states of each claimed model, however slow the store
_WORKERS_MOST = 8
COVERED: Mapping[str, tuple[str, ...]] = {
    "none": (),
    "process": (KILL,),
    "power": (KILL, POWER_ORDERED),
    "power-strict": (KILL, POWER_ORDERED, POWER_STRICT),
}
"""The crash models that a store claims to survive, by its claim of durability."""


@dataclass(frozen=True)
class Wrong:
    """A state that the store did not survive."""

    state: State
    flaws: tuple[Flaw, ...]


@dataclass(frozen=True)
class Look:
    """What the states of one recording showed under one model.

    ``existing`` counts the distinct states, ``points`` those that were judged behind each change.
    """

    model: str
    existing: int
    points: Mapping[int, int]
    wrong: tuple[Wrong, ...]

    @property
    def judged(self) -> int:
        """How many states were judged."""
        return sum(self.points.values())


@dataclass(frozen=True)
class Explored:
    """One recording and its looks. ``why`` says why nothing was judged, empty if it was."""

    recording: Recording | None
    looks: tuple[Look, ...]
    why: str = ""


def explored(trial: Trial) -> tuple[Explored, ...]:
    """The explorations of the trial's store: of one client, and of two where they are claimed."""
    folder = parent_of(trial) / f"crashes-{_key(trial)}"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / "explored.json"
        if done.exists():
            kept = json.loads(done.read_text("utf-8"))
            return tuple(_from_json(one, folder / f"recording-{at}") for at, one in enumerate(kept))
        made = tuple(_explore(trial, folder))
        beside = folder / "explored.json.part"
        beside.write_text(json.dumps([_to_json(one) for one in made]), "utf-8")
        beside.rename(done)
        return made


def _key(trial: Trial) -> str:
    """What an exploration depends on, in short."""
    parts = [
        trial.store.spec.name, claims_to_json(trial.claims), sorted(trial.capabilities),
        asdict(trial.profile), trial.run_seed,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _explore(trial: Trial, folder: Path) -> Iterator[Explored]:
    seed, words, capabilities = trial.run_seed, trial.words, trial.capabilities
    limit_s = _SHARES * trial.profile.share_s
    pair = trial.claims.at_least("handles", "processes") and trial.claims.order == "append"
    programs: list[Sequence[Program]] = [(crash_program(words, capabilities, seed=seed),)]
    programs += [crash_pair(words, capabilities, seed=seed)] if pair else []
    for at, some in enumerate(programs):
        part = 1.0 if not pair else (1 - _ALONE if at else _ALONE)
        where = folder / f"recording-{at}"
        shutil.rmtree(where, ignore_errors=True)  # of a worker that was ended
        yield explore(
            trial,
            some,
            where,
            models={model: part * share for model, share in _shares(trial.claims).items()},
            limit_s=part * limit_s,
        )


def _shares(claims: Claims) -> dict[str, float]:
    """The part of all states that each model gets: a little also where it is not claimed."""
    covered = COVERED[claims.durability]
    weights = {
        model: 1.0 if model in covered else _UNCLAIMED
        for model in (KILL, POWER_ORDERED, POWER_STRICT)
    }
    return {model: weight / sum(weights.values()) for model, weight in weights.items()}


def explore(
    trial: Trial,
    programs: Sequence[Program],
    folder: Path,
    *,
    models: Mapping[str, float],
    limit_s: float,
) -> Explored:
    """Record the programs, and judge the states of these models for about so many seconds.

    ``models`` give each model its part of the profile's states.
    """
    deadline_s = trial.store.deadlines.operation_s
    try:
        made = record(
            trial.store, programs, folder=folder, sessions=sessions_of(programs),
            deadline_s=deadline_s,
        )  # fmt: skip
    except CannotTrace as why:
        return Explored(None, (), str(why))
    if useless := unusable(made):
        return Explored(made, (), useless)
    return _judge(trial, made, models, limit_s)


def sessions_of(programs: Sequence[Program]) -> list[str]:
    """The logical names of all sessions of the programs."""
    named = (getattr(step, "session", "") for program in programs for step in program)
    return sorted({*named} - {""})


def unusable(made: Recording) -> str:
    """Why a recording shows nothing of crashes; empty if it does."""
    if made.hidden:
        return made.hidden
    if not (made.changes.rows["kind"] == Kind.WRITTEN).any():
        return "the store wrote no file below its location, so no crash of its files can be made"
    done = sum(act.outcome.type == "ok" for act in made.acts)
    if 2 * done < len(made.acts):
        failures = [act.outcome.failure for act in made.acts if act.outcome.failure is not None]
        said = f": {failures[0].type}: {failures[0].text}" if failures else ""
        return f"{len(made.acts) - done} of {len(made.acts)} operations failed{said}"
    return ""


@dataclass
class _Tally:
    """What is known of one model so far."""

    existing: int
    points: Counter[int] = field(default_factory=Counter)
    wrong: list[Wrong] = field(default_factory=list)


def _judge(trial: Trial, made: Recording, parts: Mapping[str, float], limit_s: float) -> Explored:
    whole = State(model=KILL, point=len(made.changes))
    tallies: dict[str, _Tally] = {}
    listed: dict[str, list[State]] = {}
    for model, part in parts.items():
        most = max(1, round(part * trial.profile.states)) if trial.profile.states else 0
        random = generator(trial.run_seed, "states", model, made.clients)
        found = [*crash_models.states(made.changes, model, generator=random, most=most)]
        listed[model] = sorted(found, key=lambda state: state.point)
        existing = crash_models.number_of(made.changes, model) if most else len(found)
        tallies[model] = _Tally(max(existing, len(found)))
    start_s, patient_s = monotonic_s(), max(limit_s, trial.profile.patience_s)
    covered = [model for model in COVERED[trial.claims.durability] if model in tallies]
    for one in _survived(trial, made, [whole, *_in_passes(listed)]):
        if one.state is whole or one.state == whole:
            if one.flaws:
                return Explored(made, (), _without_a_crash(one))
            continue
        tally = tallies[one.state.model]
        tally.points[one.state.point] += 1
        tally.wrong += [Wrong(one.state, one.flaws)] if one.flaws else []
        spent_s = monotonic_s() - start_s
        few = any(tallies[model].points.total() < _LEAST for model in covered)
        if spent_s > (patient_s if few else limit_s):
            break
    looks = (
        Look(model, tally.existing, dict(sorted(tally.points.items())), _in_order(tally.wrong))
        for model, tally in tallies.items()
    )
    return Explored(made, tuple(looks))


def _survived(trial: Trial, made: Recording, states: Sequence[State]) -> Iterator[Survived]:
    operation_s = trial.store.deadlines.operation_s
    return judged(made, states, workers=workers(), operation_s=operation_s)


def workers() -> int:
    """How many processes judge at once."""
    return min(_WORKERS_MOST, len(os.sched_getaffinity(0)))


def _in_order(wrong: Sequence[Wrong]) -> tuple[Wrong, ...]:
    return tuple(sorted(wrong, key=lambda one: one.state.point))


def _in_passes(listed: Mapping[str, Sequence[State]]) -> Iterator[State]:
    """All states, in passes that go through every model's points from first to last."""
    for first, states in itertools.product(range(_PASSES), listed.values()):
        yield from states[first::_PASSES]


def _without_a_crash(one: Survived) -> str:
    flaw = one.flaws[0]
    return (
        f"copied files of the store are wrong without a crash: {flaw.seen} "
        f"(expected: {flaw.expected})"
    )


def _to_json(one: Explored) -> dict[str, Any]:
    looks = [
        {
            "model": look.model,
            "existing": look.existing,
            "points": [*look.points.items()],
            "wrong": [
                [state_to_json(wrong.state), [asdict(flaw) for flaw in wrong.flaws]]
                for wrong in look.wrong
            ],
        }
        for look in one.looks
    ]
    return {"recorded": one.recording is not None, "looks": looks, "why": one.why}


def _from_json(value: Mapping[str, Any], folder: Path) -> Explored:
    looks = tuple(
        Look(
            model=look["model"],
            existing=look["existing"],
            points=dict(look["points"]),
            wrong=tuple(
                Wrong(state_from_json(state), tuple(map(_flaw_from_json, flaws)))
                for state, flaws in look["wrong"]
            ),
        )
        for look in value["looks"]
    )
    recording = saving.load(folder) if value["recorded"] else None
    return Explored(recording, looks, value["why"])


def _flaw_from_json(value: Mapping[str, Any]) -> Flaw:
    return Flaw(**{**value, "anomaly": Anomaly(value["anomaly"])})
