"""Crashes in the middle of backups, restores, repairs, migrations, sweeps and snapshots."""

from __future__ import annotations

import math
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sessionproof.contract.operations import as_call
from sessionproof.contract.verdicts import Finding, Reproducer
from sessionproof.faults.crashes.states import MODELS
from sessionproof.scripts.expressions import Unwritable
from sessionproof.trials.crashes.exploration import COVERED
from sessionproof.trials.crashes.findings import HOW, sentence
from sessionproof.trials.crashes.steps import last_change, window_of
from sessionproof.trials.crashes.upkeep_looks import Budget, Look, Played, Wrong, looked, played
from sessionproof.trials.crashes.upkeep_scenes import (
    MORE_SCENES,
    NEEDS,
    OWN_SCENES,
    SCENES,
    Unfit,
)
from sessionproof.trials.crashes.upkeep_script import upkeep_lines
from sessionproof.trials.rounds import parent_of
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed, Trial
from sessionproof.trials.whereabouts import require_files

_SHARES = 6  # of a guarantee's time, for all scenes together
_ENOUGH = 30  # states; with fewer, scenes are played that are left out otherwise
_LEAST = 4  # states of each scene, however slow the store


def survives(trial: Trial) -> None:
    """What crashes in the middle of upkeep leave; raises Broken, CouldNotTell, NotClaimed."""
    models = COVERED[trial.claims.durability]
    if not models:
        raise NotClaimed("the store does not claim durability=process or better")
    require_files(trial)
    reasons: list[str] = []
    own = [name for name in OWN_SCENES if trial.capabilities.issuperset(NEEDS[name])]
    for names in ((*SCENES, *own), MORE_SCENES):
        with tempfile.TemporaryDirectory(
            prefix="upkeep-", dir=parent_of(trial), ignore_cleanup_errors=True
        ) as folder:
            reasons += _look(trial, names, Path(folder), models)
        if trial.examined[trial.guarantee.unit] >= _ENOUGH:
            break
    missing = trial.guarantee.least - trial.examined[trial.guarantee.unit]
    if missing > 0:
        why = "; ".join(reasons) or "there are no more"
        raise CouldNotTell(f"{missing} {trial.guarantee.unit} too few were examined: {why}")
    trial.notes += reasons


def _look(trial: Trial, names: Sequence[str], folder: Path, models: Sequence[str]) -> list[str]:
    """Why scenes could not be judged; raises Broken for what the others showed."""
    reasons = []
    scenes = played(trial, names, folder)
    left = sum(isinstance(one, Played) for one in scenes)
    for name, one in zip(names, scenes, strict=True):
        try:
            if isinstance(one, Unfit):
                raise one
            budget = _budget(trial, left, len(names))
            left -= 1
            look = looked(trial, one, models, budget)
        except Unfit as why:
            reasons.append(f"{name}: {why}")
            continue
        trial.count(trial.guarantee.unit, look.judged)
        trial.notes.append(f"{name}: {look.judged:,} of {look.existing:,} states were judged")
        if look.wrong:
            raise _broken(trial, name, look)
    return reasons


def _budget(trial: Trial, left: int, scenes: int) -> Budget:
    """The part of the row's time and evidence that the next of so many scenes has."""
    profile, missing = trial.profile, trial.guarantee.least - trial.examined[trial.guarantee.unit]
    return Budget(
        limit_s=_SHARES * profile.share_s / scenes,
        patience_s=profile.patience_s / left,
        least=max(_LEAST, math.ceil(missing / left)),
        most=profile.states // scenes or sys.maxsize,
    )


def _broken(trial: Trial, name: str, look: Look) -> Broken:
    """The finding: the mildest model's first bad state, and how many others there are."""
    first = min(look.wrong, key=_order)
    recording, state, flaw = look.recording, first.state, first.flaw
    where = last_change(recording, state.point)
    lost = f"; {len(state.lost)} changes before it were lost" if state.lost else ""
    finding = Finding(
        anomaly=flaw.anomaly,
        did=f"{HOW[state.model]} in the middle of {name}, behind change {state.point} of "
        f"{len(recording.changes)} ({where}){lost}",
        expected=flaw.expected,
        seen=flaw.seen,
        program=(*look.scene.before, f"{as_call(look.scene.operation)}  # in flight"),
        evidence={"states": _counted(look), **flaw.evidence},
        crash=window_of(recording, state, sentence(flaw)),
    )
    trial.store.close()  # what closing answers is known only then
    try:
        return Broken(replace(finding, script=tuple(upkeep_lines(trial, name, look, first))))
    except Unwritable as why:
        return Broken(replace(finding, reproducer=Reproducer(file="", said=f"no script: {why}")))


def _order(one: Wrong) -> tuple[int, int]:
    return MODELS.index(one.state.model), one.state.point


def _counted(look: Look) -> str:
    """How many states are wrong in which way, a line each."""
    ways = Counter((one.state.model, one.flaw.anomaly) for one in look.wrong)
    return "\n".join(
        f"{model}: {anomaly} in {number:,} of {look.judged:,} states judged, "
        f"{look.existing:,} existing"
        for (model, anomaly), number in ways.items()
    )
