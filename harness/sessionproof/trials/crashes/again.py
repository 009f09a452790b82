"""The same crash once more: programs recorded anew, and judged up to the first state like it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sessionproof.checks.flaws import Flaw
from sessionproof.contract.claims import Claims
from sessionproof.contract.lookup import find_store
from sessionproof.contract.operations import Operation, Program, Read, messages_of
from sessionproof.contract.seed import generator
from sessionproof.faults.crashes.models import states
from sessionproof.faults.crashes.states import State
from sessionproof.faults.recording import CannotTrace, Recording
from sessionproof.trials.crashes.exploration import recorded, unusable
from sessionproof.trials.crashes.survival_pool import judged
from sessionproof.trials.probe import probe, survives
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.guard import CannotOpen
from sessionproof.workload.profiles import Deadlines

_STATES_MOST = 600  # of a shortened program: mostly all

Wanted = Callable[[Flaw, bool], bool]
"""Whether a flaw is one of those; told is whether messages had been acknowledged by then."""


@dataclass(frozen=True)
class Shown:
    """A state that a store did not survive, and what is wrong with it."""

    recording: Recording
    state: State
    flaw: Flaw


def first_wrong(
    store: StoreUnderTest,
    programs: Sequence[Program],
    wanted: Wanted,
    *,
    model: str,
    folder: Path,
    seed: int = 0,
    near: int | None = None,
    at_once: int = 1,
) -> Shown | None:
    """Record the programs below a folder; the first state with a wanted flaw, or None.

    States are judged from the first crash point on, or from those that are ``near`` one, so many
    ``at_once``. Raises CannotTrace, also for a recording that shows nothing, and CannotOpen.
    """
    made = recorded(store, programs, folder)
    if useless := unusable(made):
        raise CannotTrace(useless)
    random = generator(seed, "states", model)
    found = [*states(made.changes, model, generator=random, most=_STATES_MOST)]
    if near is not None:
        found.sort(key=lambda state: abs(state.point - near))
    for one in judged(made, found, workers=at_once, operation_s=store.deadlines.operation_s):
        known = acknowledged(made, one.state.point)
        flaw = next((flaw for flaw in one.flaws if wanted(flaw, known)), None)
        if flaw is not None:
            return Shown(made, one.state, flaw)
    return None


def acknowledged(recording: Recording, point: int) -> bool:
    """Whether messages had been acknowledged before a crash behind so many changes."""
    return any(
        act.outcome.type == "ok" and messages_of(act.operation)
        for act in recording.acts
        if act.answered is not None and act.answered < point
    )


def asked(recording: Recording, point: int) -> list[Program]:
    """What each client had been asked for before a crash, without the reads in between."""
    return [
        tuple(
            act.on_sessions
            for act in recording.acts
            if act.client == client and act.after < point and not isinstance(act.operation, Read)
        )
        for client in range(recording.clients)
    ]


def still_breaks(
    name: str,
    programs: Sequence[Sequence[Operation]],
    *,
    model: str,
    anomaly: str,
    point: int,
    claims: Claims | None = None,
) -> bool:
    """Whether crashes of these programs still leave what the store of this name does not survive.

    It is recorded anew under the tracer; where that cannot be, nothing says that it was mended.
    ``point`` is where it was, ``claims`` are the store's own unless given.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        store = named_store(name, claims, Path(directory))
        folder = Path(directory) / "recording"
        try:
            shown = first_wrong(
                store,
                [tuple(program) for program in programs],
                lambda flaw, _: flaw.anomaly == anomaly,
                model=model,
                folder=folder,
                near=point,
            )
        except (CannotTrace, CannotOpen) as why:
            print(f"it cannot be tried again: {why}")  # noqa: T201 - a script says it
            return True
        finally:
            store.close()
    return shown is not None


def named_store(name: str, claims: Claims | None, directory: Path) -> StoreUnderTest:
    """The store of this name, by its claims, or by those that it seems to keep."""
    spec = find_store(name)
    store = StoreUnderTest(
        spec, claims or spec.claims or Claims(), parent=directory, deadlines=Deadlines()
    )
    if claims is None and spec.claims is None:
        try:
            handle = store.handle()
            store.claims = handle.claims or survives(handle, store.another_handle, probe(handle))
        except CannotOpen:
            pass  # what does not open is broken, whatever it claims
        store.fresh_location()
    return store
