"""The crashes of a store, explored once for all rows of a run: recorded, enumerated, judged, kept.

Whichever worker first needs a model explores it, under a lock; the others read what it found.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from sessionproof.checks.flaws import Flaw
from sessionproof.checks.messages import briefly
from sessionproof.contract.claims import Claims, claims_to_json
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.machine import lock, usable_cores
from sessionproof.contract.operations import Program, Reopen, session_of
from sessionproof.contract.seed import generator
from sessionproof.faults.changes import Kind
from sessionproof.faults.crashes.models import chosen
from sessionproof.faults.crashes.states import KILL, MODELS, POWER_ORDERED, POWER_STRICT, State
from sessionproof.faults.recording import CannotTrace, Recording
from sessionproof.faults.tracing.recorder import record
from sessionproof.faults.tracing.saving import load
from sessionproof.trials.crashes.looks import Explored, Look, Wrong, keep, kept
from sessionproof.trials.crashes.survival import Survived
from sessionproof.trials.crashes.survival_pool import judged
from sessionproof.trials.rounds import parent_of
from sessionproof.trials.single import CouldNotTell, Trial
from sessionproof.workload.crash_programs import crash_pair, crash_program
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.guard import CannotOpen

_SHARES = 16  # of a guarantee's time: one exploration serves seven of them
_UNCLAIMED = 0.15  # of the states of a model that the store claims to survive
_ALONE = 0.7  # of the states: those of one client; the rest are those of two
_PASSES = 8  # so that each point of the program is seen early
_LEAST = 60  # states of each claimed model, however slow the store
_WORKERS_MOST = 8
_RECORD_S = 30.0  # what recording takes at most, beside opening
_PART = 0.5  # of a test's deadline, for all exploring in it
_LOOK_S = 0.05
_UNRECORDED = "unrecorded.txt"
_OWN = "own-processes"  # is there where forks of an imported store are not used

COVERED: Mapping[str, tuple[str, ...]] = {
    "none": (),
    "process": (KILL,),
    "power": (KILL, POWER_ORDERED),
    "power-strict": (KILL, POWER_ORDERED, POWER_STRICT),
}
"""The crash models that a store claims to survive, by its claim of durability."""


@dataclass(frozen=True)
class _Subject:
    """Programs that are recorded, and their part of the states and of the time."""

    programs: Sequence[Program]
    part: float
    folder: Path


def explored(trial: Trial, models: Sequence[str]) -> tuple[Explored, ...]:
    """What crashes under these models showed: of one client, and of two where they are claimed.

    Models that are claimed come first, of one client and of two, as time may run out.
    """
    folder = parent_of(trial) / f"crashes-{_key(trial)}"
    folder.mkdir(exist_ok=True)
    with _alone(trial, folder / "lock"):
        subjects = [*_subjects(trial, folder)]
        claimed = [one for one in models if one in COVERED[trial.claims.durability]]
        if len(subjects) > 1 and len(claimed) < len(models):
            for one in subjects:
                _explored(trial, one, claimed)
        return tuple(_explored(trial, one, models) for one in subjects)


@contextmanager
def _alone(trial: Trial, path: Path) -> Iterator[None]:
    """One worker at a time; raises CouldNotTell when another one takes too long."""
    with path.open("a") as file:
        while not lock(file.fileno()):
            if _left_s(trial) <= 0:
                raise CouldNotTell("another test explores the crashes, and is slow")
            time.sleep(_LOOK_S)
        yield


def _left_s(trial: Trial) -> float:
    """Seconds that exploring may still take, so that the test's own deadline is not met."""
    return trial.started_s + _PART * trial.profile.deadlines.test_s - monotonic_s()


def _key(trial: Trial) -> str:
    """What an exploration depends on, in short."""
    parts = [
        trial.store.spec.name, claims_to_json(trial.claims), sorted(trial.capabilities),
        asdict(trial.profile), trial.run_seed,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _subjects(trial: Trial, folder: Path) -> Iterator[_Subject]:
    seed, words, capabilities = trial.run_seed, trial.words, trial.capabilities
    pair = trial.claims.at_least("handles", "processes") and trial.claims.order == "append"
    alone = crash_program(words, capabilities, seed=seed)
    yield _Subject((alone,), _ALONE if pair else 1.0, folder / "alone")
    if pair:
        yield _Subject(crash_pair(words, capabilities, seed=seed), 1 - _ALONE, folder / "pair")


def _explored(trial: Trial, subject: _Subject, models: Sequence[str]) -> Explored:
    """From forks of an imported store; from processes of its own where forks may be to blame."""
    found = _looked(trial, subject, models)
    if not _from_forks(subject) or not _doubtful(trial, subject, found):
        return found
    shutil.rmtree(subject.folder)
    subject.folder.mkdir()
    (subject.folder / _OWN).touch()
    return _looked(trial, subject, models)


def _doubtful(trial: Trial, subject: _Subject, found: Explored) -> bool:
    """Whether that forks have in common what they imported may have a part in a verdict.

    Of one process after the other it shows without a crash, too: then nothing is judged.
    """
    together, claimed = len(subject.programs) > 1, COVERED[trial.claims.durability]
    wrong = any(look.wrong for look in found.looks if look.model in claimed)
    return bool(found.why) or (together and wrong)


def _from_forks(subject: _Subject) -> bool:
    return not (subject.folder / _OWN).exists()


def _looked(trial: Trial, subject: _Subject, models: Sequence[str]) -> Explored:
    made = _recorded(trial, subject)
    if isinstance(made, str):
        return Explored(None, (), made)
    looks = []
    for model in models:
        file = subject.folder / f"{model}.json"
        if not file.exists():
            keep(_look(trial, made, model, subject.part * _share(trial.claims, model)), file)
        looks.append(kept(file))
    unjudged = next((look for look in looks if look.why), Look(""))
    return Explored(made, tuple(looks), unjudged.why, unjudged.seen)


def _share(claims: Claims, model: str) -> float:
    """The model's part of all states: a little also where it is not claimed."""
    covered = COVERED[claims.durability]
    weights = {one: 1.0 if one in covered else _UNCLAIMED for one in MODELS}
    return weights[model] / sum(weights.values())


def _recorded(trial: Trial, subject: _Subject) -> Recording | str:
    """The recording, made if it is not there; or why there is none."""
    why, folder = subject.folder / _UNRECORDED, subject.folder / "recording"
    if not why.exists():
        shutil.rmtree(folder, ignore_errors=True)  # of a worker that was ended
        forks = _from_forks(subject)
        try:
            made = recorded(trial.store, subject.programs, folder, _left_s(trial), imported=forks)
            reason = unusable(made)
        except CannotTrace as error:
            reason = str(error)
        subject.folder.mkdir(exist_ok=True)
        why.write_text(reason, "utf-8")
    return why.read_text("utf-8") or load(folder)


def recorded(
    store: StoreUnderTest,
    programs: Sequence[Program],
    folder: Path,
    most_s: float = _RECORD_S,
    *,
    imported: bool = False,
) -> Recording:
    """The programs carried out below a folder, and what they changed; raises CannotTrace.

    After ``most_s`` seconds nothing more is asked for. ``imported``: see ``record``.
    """
    named = {session_of(step) for program in programs for step in program} - {""}
    deadline_s = max(1.0, min(most_s, _RECORD_S))
    return record(
        store, programs, folder=folder, sessions=sorted(named), deadline_s=deadline_s,
        imported=imported,
    )  # fmt: skip


def unusable(made: Recording) -> str:
    """Why a recording shows nothing of crashes; empty if it does."""
    if made.hidden:
        return made.hidden
    failures = [act.outcome.failure for act in made.acts if act.outcome.failure is not None]
    said = f": {failures[0].type}: {failures[0].text}" if failures else ""
    if made.acts and isinstance(made.acts[0].operation, Reopen):
        return f"the store did not open while it was traced{said}"
    done = sum(act.outcome.type == "ok" for act in made.acts)
    if 2 * done < len(made.acts):
        return f"{done} of {len(made.acts)} operations succeeded while it was traced{said}"
    if not (made.changes.rows["kind"] == Kind.WRITTEN).any():
        return "the store wrote no file below its location, so no crash of its files can be made"
    return ""


def _look(trial: Trial, made: Recording, model: str, part: float) -> Look:
    """Judge states of this model, for about this part of the time of all."""
    wanted = trial.profile.states
    most = max(1, round(part * wanted)) if wanted else sys.maxsize
    random = generator(trial.run_seed, "states", model, made.clients)
    some, existing = chosen(made.changes, model, generator=random, most=most)
    limit_s = part * _SHARES * trial.profile.share_s
    least = _LEAST if model in COVERED[trial.claims.durability] else 0
    points: Counter[int] = Counter()
    wrong: list[Wrong] = []
    start_s = monotonic_s()
    try:
        for survived in _survived(trial, made, some):
            if survived.state.model != model:  # what was done without a crash
                if survived.flaws:
                    seen = in_short(survived.flaws[0])
                    return Look(model, existing, why=WITHOUT_A_CRASH, seen=seen)
                continue
            points[survived.state.point] += 1
            wrong += [Wrong(survived.state, survived.flaws)] if survived.flaws else []
            patient = points.total() < least
            spent_s = monotonic_s() - start_s
            if survived.hung or spent_s > (trial.profile.patience_s if patient else limit_s):
                break
            if _left_s(trial) <= 0:
                break
    except CannotOpen as error:
        return Look(model, existing, why=f"an empty location is not opened: {error}")
    in_order = tuple(sorted(wrong, key=lambda one: one.state.point))
    return Look(model, existing, dict(sorted(points.items())), in_order)


_NO_CRASH = "no crash"


def _survived(trial: Trial, made: Recording, some: Sequence[State]) -> Iterator[Survived]:
    """What the states show, in passes over all points; before them, the files at the end."""
    whole = State(model=_NO_CRASH, point=len(made.changes))
    passes = (some[first::_PASSES] for first in range(_PASSES))
    return judged(
        made,
        itertools.chain([whole], *passes),
        workers=workers(),
        operation_s=trial.store.deadlines.operation_s,
    )


def workers() -> int:
    """How many processes judge at once: no more than the run has workers, as one explores for all.

    Each of them imports the store.
    """
    most = len(usable_cores())
    return min(_WORKERS_MOST, most, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", most)))


WITHOUT_A_CRASH = "not judged: what is read is wrong already without a crash; mend that first"
"""Why crashes are not judged where copied files alone are read otherwise."""


def in_short(flaw: Flaw) -> str:
    """What is read otherwise there: the change, or the first difference."""
    return flaw.change or briefly(flaw.seen)
