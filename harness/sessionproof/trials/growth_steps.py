"""Steps of SQLite's machine for a call at each size: exact, so growth shows without noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sessionproof.bench.growth import FLAT, TOP
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.operations import Outcome
from sessionproof.trials.filled import LOOK, Place, messages_of
from sessionproof.trials.single import Trial
from sessionproof.trials.statements import Trace, counted_steps, traced
from sessionproof.workload.crews import is_hosted
from sessionproof.workload.guard import CannotOpen, Handle

_MOST_S = 2.0  # for all sizes: a handler runs at each step, and a store that scans has many


def counted(
    trial: Trial, places: Sequence[Place], operations: Sequence[str]
) -> Mapping[str, tuple[int, ...]]:
    """Steps of a call by operation, one number for each place; without those that show none.

    They are seen where a store in this process uses Python's sqlite3. The places are closed and
    opened again for it, as many stores are for one handle at a time, and a trace must see a
    connection open; what is not there any more then has no steps.
    """
    elsewhere = is_hosted(trial.store)
    if not places or elsewhere or not trial.claims.at_least("durability", "process"):
        return {}
    until_s = monotonic_s() + _MOST_S
    going = list(operations)
    steps: dict[str, list[int]] = {name: [] for name in operations}
    for place in places:
        here = _at(trial, place, going) if going and monotonic_s() < until_s else {}
        going = [name for name in going if name in here]
        for name in going:
            steps[name].append(here[name])
    return {name: tuple(steps[name]) for name in going}


def _at(trial: Trial, place: Place, operations: Sequence[str]) -> Mapping[str, int]:
    with traced(steps=True) as trace:
        if place.store.close().type != "ok":
            return {}
        try:
            handle = place.store.handle()
        except CannotOpen:  # which other rows judge
            return {}
        try:
            counted = {name: _steps(trial, place, name, handle, trace) for name in operations}
        finally:
            place.store.close()  # what was set on its connections goes with them
    return {name: number for name, number in counted.items() if number is not None}


def _steps(trial: Trial, place: Place, operation: str, handle: Handle, trace: Trace) -> int | None:
    session = place.sessions[0]
    arguments: dict[str, tuple[Any, ...]] = {
        "append": ([messages_of(trial)(place.messages)],),
        "read_last": (LOOK,),
    }
    options = {"cursor": place.cursors[session], "limit": LOOK} if operation == "page" else {}

    def call() -> Outcome:
        return handle.perform(
            operation,
            lambda call: call(operation, session, *arguments.get(operation, ()), **options),
        )

    return counted_steps(trace, call)


def told_steps(sizes: Sequence[int], steps: Sequence[int] | None) -> str:
    """What steps say of a growth, to follow other words; nothing where there are none."""
    if steps is None:
        return ""
    grow = steps[-1] / steps[-TOP] > (sizes[-1] / sizes[-TOP]) ** FLAT
    numbers = ", ".join(f"{number:,}" for number in steps)
    return f"; SQLite's steps {'grow' if grow else 'are flat'}: {numbers}"
