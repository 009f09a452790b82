"""What ``sessionproof crash record`` and ``judge`` do.

Names of files and texts of errors come from stores: they are escaped.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from sessionproof.cli.lines import line
from sessionproof.contract.anomalies import MEANINGS
from sessionproof.contract.folders import private_folder
from sessionproof.contract.lookup import StoreNotFound, find_store
from sessionproof.contract.measurements import measured_to_json
from sessionproof.contract.seed import generator
from sessionproof.engine.machine import fast_folder
from sessionproof.engine.plan import BadUsage, Plan, make_plan
from sessionproof.faults.crashes.models import chosen, states
from sessionproof.faults.crashes.states import KILL, State
from sessionproof.faults.recording import CannotTrace, Recording
from sessionproof.faults.tracing.recorder import record
from sessionproof.faults.tracing.saving import DATA, RecordingError, load, save
from sessionproof.report.crashes import summary
from sessionproof.report.result import (
    EXIT_BROKEN,
    EXIT_HOLDS,
    EXIT_INTERRUPTED,
    EXIT_UNKNOWN,
    EXIT_USAGE,
)
from sessionproof.trials.crashes.exploration import (
    COVERED,
    WITHOUT_A_CRASH,
    in_short,
    unusable,
    workers,
)
from sessionproof.trials.crashes.findings import crashes_of
from sessionproof.trials.crashes.looks import Look, Wrong
from sessionproof.trials.crashes.steps import last_change
from sessionproof.trials.crashes.survival import Survived
from sessionproof.trials.crashes.survival_main import state_to_json
from sessionproof.trials.crashes.survival_pool import judged
from sessionproof.workload.crash_programs import MAIN, crash_pair, crash_program
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.guard import CannotOpen
from sessionproof.workload.vocabulary import vocabulary

_RECORD_S = 120.0


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be judged, and how: ``states`` of each model at most, 0 for all."""

    store: str | None
    models: Sequence[str]
    states: int
    seed: int
    workers: int | None
    operation_s: float


class _Unknown(Exception):
    """It cannot be told; the text is the reason in one line."""


def record_store(
    store: str, folder: Path, *, seed: int, clients: int, require: Sequence[str]
) -> int:
    """Record the store into the folder, say what was recorded; answers the exit code."""
    return guarded(lambda: _record(store, folder, seed, clients, require))


def judge_recording(folder: Path, wanted: Wanted, *, as_json: bool) -> int:
    """Judge the states, print what is wrong; answers the exit code."""
    return guarded(lambda: _judge(folder, wanted, as_json))


def guarded(run: Callable[[], int]) -> int:
    """A mistake in the use is one line and exit code 2, what cannot be told one line and 4."""
    errors = Console(stderr=True)
    # A cancelled CI job sends SIGTERM: what was begun is removed, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return run()
    except (BadUsage, RecordingError, StoreNotFound) as error:
        line(errors, f"sessionproof: {error}")
        return EXIT_USAGE
    except CannotOpen as error:
        line(errors, f"sessionproof: the store cannot be opened: {error}")
        return EXIT_USAGE
    except OSError as error:
        where = error.filename or "the disk"
        line(errors, f"sessionproof: {where} cannot be written or read: {error.strerror}")
        return EXIT_USAGE
    except (CannotTrace, _Unknown) as error:
        line(errors, f"sessionproof: {error}")
        return EXIT_UNKNOWN
    except KeyboardInterrupt:
        line(errors, "sessionproof: interrupted")
        return EXIT_INTERRUPTED


def _record(store: str, folder: Path, seed: int, clients: int, require: Sequence[str]) -> int:
    errors = Console(stderr=True)
    made_here = _make(folder)
    try:
        waiting = errors.status("recording") if errors.is_terminal else nullcontext()
        with private_folder(fast_folder()) as directory, waiting:
            plan = make_plan(store, profile="gate", seed=seed, directory=directory, require=require)
            made = _recorded(plan, folder.absolute(), directory, clients)
    except BaseException:
        _unmake(folder, made_here)
        raise
    line(Console(), f"{store}: {told(made)}; in {folder}")
    if why := unusable(made):
        raise _Unknown(f"the recording shows nothing of crashes: {why}")
    return EXIT_HOLDS


def _recorded(plan: Plan, folder: Path, directory: Path, clients: int) -> Recording:
    spec = find_store(plan.store)
    words = vocabulary(spec, plan.claims)
    if clients == 2 and not plan.claims.at_least("handles", "processes"):
        raise BadUsage(
            f"--clients 2: {plan.store} claims handles={plan.claims.handles}: record one client"
        )
    programs = (
        crash_pair(words, plan.capabilities, seed=plan.seed)
        if clients == 2
        else (crash_program(words, plan.capabilities, seed=plan.seed),)
    )
    under = StoreUnderTest(spec, plan.claims, parent=directory, deadlines=plan.profile.deadlines)
    return record(under, programs, folder=folder, sessions=[MAIN], deadline_s=_RECORD_S)


def _make(folder: Path) -> bool:
    """Make the folder where it is missing, answers whether; raises BadUsage."""
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise BadUsage(f"--to {folder} is not empty: name a new folder")
        existed = folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadUsage(f"--to {folder} cannot be made: {error.strerror}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BadUsage(f"--to {folder} is not writable: name another folder")
    return not existed


def _unmake(folder: Path, made_here: bool) -> None:
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if made_here:
        folder.rmdir()


def told(recording: Recording) -> str:
    """How much was recorded, in words."""
    by = "one client" if recording.clients == 1 else f"{recording.clients} clients"
    operations, changes = len(recording.acts), len(recording.changes)
    return f"{operations:,} operations of {by}, {changes:,} changes of files and answers"


def _judge(folder: Path, wanted: Wanted, as_json: bool) -> int:
    made = load(folder)
    if why := unusable(made):
        raise _Unknown(f"{folder} shows nothing of crashes: {why}")
    with _opened_by(made, wanted.store) as recording:
        looks, ended = _looks(recording, wanted)
    covered = COVERED[made.claims.durability]
    broken = any(look.wrong for look in looks if look.model in covered)
    if as_json:
        value = _to_json(recording, looks, covered)
        print(json.dumps(value, indent=2))  # noqa: T201 - ASCII, for a program
    else:
        _print(recording, folder, looks, covered)
    if broken:
        return EXIT_BROKEN
    if ended:
        raise _Unknown("three states hung, and the rest was not judged")
    return EXIT_HOLDS


@contextmanager
def _opened_by(recording: Recording, store: str | None) -> Iterator[Recording]:
    """The recording, or a copy of it that names another store, as long as it is judged."""
    if store is None:
        yield recording
        return
    with private_folder(fast_folder()) as folder:
        (folder / DATA).symlink_to((recording.folder / DATA).absolute())
        other = replace(recording, store=store, folder=folder)
        save(other)
        yield other


def _survived(
    recording: Recording, todo: Sequence[State], wanted: Wanted, step: Callable[[int], None]
) -> Iterator[Survived]:
    try:
        yield from judged(
            recording,
            todo,
            workers=wanted.workers or workers(),
            operation_s=wanted.operation_s,
            on_progress=step,
        )
    except RuntimeError as error:  # a worker says it of a full disk
        raise _Unknown(f"the states could not be judged: {' '.join(str(error).split())}") from None


def _looks(recording: Recording, wanted: Wanted) -> tuple[list[Look], bool]:
    """What the states show, model by model; and whether hangs ended it before its time."""
    listed: dict[str, tuple[list[State], int]] = {}
    for model in wanted.models:
        random = generator(wanted.seed, "states", model)
        if wanted.states:
            listed[model] = chosen(recording.changes, model, generator=random, most=wanted.states)
        else:
            every = list(states(recording.changes, model, generator=random))
            listed[model] = (every, len(every))
    whole = State(KILL, len(recording.changes))
    todo = [whole, *(state for found, _ in listed.values() for state in found)]
    points: dict[str, Counter[int]] = {model: Counter() for model in listed}
    wrong: dict[str, list[Wrong]] = {model: [] for model in listed}
    done = 0
    with _bar(len(todo)) as step:
        for number, one in enumerate(_survived(recording, todo, wanted, step)):
            done += 1
            if number:
                points[one.state.model][one.state.point] += 1
                wrong[one.state.model] += [Wrong(one.state, one.flaws)] if one.flaws else []
            elif one.fault is not None:
                raise _Unknown(f"{WITHOUT_A_CRASH}: {in_short(one.fault)}")
    looks = [
        Look(model, existing, dict(points[model]), tuple(wrong[model]))
        for model, (_, existing) in listed.items()
    ]
    return looks, done < len(todo)


@contextmanager
def _bar(total: int) -> Iterator[Callable[[int], None]]:
    """A bar for people who wait at a terminal; answers what moves it."""
    errors = Console(stderr=True)
    columns = (TextColumn("judging"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(
        *columns, console=errors, transient=True, disable=not errors.is_terminal
    ) as progress:
        task = progress.add_task("", total=total)
        yield lambda done: progress.update(task, completed=done)


def _print(
    recording: Recording, folder: Path, looks: Sequence[Look], covered: Sequence[str]
) -> None:
    console = Console()
    line(console, f"| {recording.store}: {told(recording)}", "bold")
    for look in looks:
        bad = bool(look.wrong)
        style = "bold red" if bad and look.model in covered else "yellow" if bad else ""
        line(console, f"| {summary(crashes_of(recording, look, recording.claims))}", style)
        seen = set()
        for wrong in look.wrong:
            flaw = wrong.flaws[0]
            if flaw.anomaly in seen:
                continue
            seen.add(flaw.anomaly)
            point = wrong.state.point
            where = f"{point:,} ({last_change(recording, point)})"
            line(console, f"|   {flaw.anomaly}: {MEANINGS[flaw.anomaly]}")
            line(console, f"|     first in a crash after change {where}")
            line(console, f"|     expected: {flaw.expected}")
            line(console, f"|     seen: {flaw.seen}")
            line(console, f"|     sessionproof crash show {folder} --point {point}", "dim")
    if any(look.model in covered and look.wrong for look in looks):
        line(console, "| not everything survives that the store claims to keep", "bold red")
    elif any(look.model in covered for look in looks):
        line(console, "| everything survives that the store claims to keep", "bold green")
    else:
        said = recording.claims.durability
        line(console, f"| nothing of this is claimed: the store says durability={said}", "yellow")


def _to_json(recording: Recording, looks: Sequence[Look], covered: Sequence[str]) -> dict[str, Any]:
    return {
        "store": recording.store,
        "operations": len(recording.acts),
        "changes": len(recording.changes),
        "durability": recording.claims.durability,
        "covered": list(covered),
        "models": [measured_to_json(crashes_of(recording, one, recording.claims)) for one in looks],
        "wrong": [
            {**state_to_json(wrong.state), "flaws": [asdict(flaw) for flaw in wrong.flaws]}
            for look in looks
            for wrong in look.wrong
        ],
    }
