"""What SQLite does for a call: the plans of its statements, and how many there are."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from sessionproof.bench.loading import plain
from sessionproof.checks.plans import (
    ITS_OWN,
    OTHERS,
    WHOLE,
    Cost,
    Growth,
    Line,
    Suspect,
    for_each_row,
    growing,
    missing_index,
    normalised,
    number_of,
    reads_or_writes,
)
from sessionproof.contract.operations import (
    Append,
    Count,
    Get,
    GetState,
    List,
    Outcome,
    Read,
    ReadLast,
    SetState,
    method_of,
)
from sessionproof.trials.costly import (
    LAST,
    OTHER,
    OWN,
    PAGE,
    Costly,
    raise_scan,
    raise_statements,
    short,
)
from sessionproof.trials.explain import indexes_in, looked, plan_of, rows_in
from sessionproof.trials.scene import Call, Scene, must_be_heard, seen
from sessionproof.trials.single import CouldNotTell, Trial
from sessionproof.trials.statements import Traced
from sessionproof.workload.texts import ZEROS

_OTHERS, _TIMES = 8, 8  # sessions beside the one that is asked; as many of all, later
_FEW, _MANY_SESSIONS, _MANY_MESSAGES = 5, 40, 80

Key: TypeAlias = tuple[int, str]
"""A statement of a call: the call's place among the calls, and the normalised text."""


@dataclass(frozen=True)
class _Asked:
    """One statement of a call with its plan. ``text`` is one that ran, with its values."""

    call: str
    text: str
    file: str
    plan: tuple[Line, ...]
    suspects: tuple[Suspect, ...]


def hot_paths(trial: Trial) -> None:
    """Ask for the plan of each statement of the hot calls; measure those that look dear.

    Raises NotClaimed for a store that does not use Python's sqlite3 in this process.
    """
    with seen(trial, OWN, _OTHERS, OTHER, steps=True) as scene:
        calls = _hot(scene)
        traces = [scene.done(call) for call in calls]
        must_be_heard(scene, traces[:1], each=True)  # no append is answered from memory
        must_be_heard(scene, traces)
        found = _asked(trial, calls, traces)
        suspected = {key: one for key, one in found.items() if one.suspects}
        if suspected:
            _measure(scene, calls, suspected)
            _note_sorts(trial, suspected)
        trial.count("statements", len({(text, one.file) for (_, text), one in found.items()}))


def _hot(scene: Scene) -> list[Call]:
    """The calls that a service makes for each message, on the first session."""
    trial = scene.trial
    if "set_state" in trial.capabilities:
        trial.require_ok(scene.invoke(SetState("s0", "step", 1)), "set a session's state")
    message = plain(trial.words, f"one more: {ZEROS}")

    def append() -> Outcome:
        scene.own += 1
        return scene.invoke(Append("s0", (message(scene.own - 1),)))

    kinds = (ReadLast("s0", LAST), Read("s0"), Get("s0"), Count("s0"), GetState("s0", "step"))
    calls: list[Call] = [("append", append)]
    calls += [
        (method_of(look), partial(scene.invoke, look))
        for look in kinds
        if method_of(look) in ("read", *trial.capabilities)
    ]
    if "page" in trial.capabilities:
        first = scene.page(None, PAGE)
        trial.require_ok(first, "asked for the first page of a filled session")
        cursors = [None] if first.value.next is None else [None, first.value.next]
        calls += [("page", partial(scene.page, cursor, PAGE)) for cursor in cursors]
    return calls


def _asked(trial: Trial, calls: list[Call], traces: list[Traced]) -> dict[Key, _Asked]:
    """Every distinct statement of each call that could be asked for its plan; others are noted."""
    out: dict[Key, _Asked] = {}
    refused: dict[str, str] = {}
    for at, ((name, _), trace) in enumerate(zip(calls, traces, strict=True)):
        for one in trace.statements:
            key = (at, normalised(one.text))
            if key in out or key[1] in refused or not reads_or_writes(one.text):
                continue
            try:
                plan, found = looked(trial, one.file, partial(plan_of, text=one.text))
            except sqlite3.Error as error:
                refused[key[1]] = f"{short(one.text)}: {error}"
                continue
            out[key] = _Asked(name, one.text, one.file, plan, found)
    trial.notes += [f"no plan could be asked for: {text}" for text in refused.values()]
    if refused and not out:
        raise CouldNotTell(f"no plan could be asked for: {next(iter(refused.values()))}")
    return out


def _measure(scene: Scene, calls: list[Call], suspected: Mapping[Key, _Asked]) -> None:
    """Make the suspected calls again with more rows; raises Broken where their steps follow."""
    first = _costs(scene, calls, suspected)
    sizes = [(len(scene.sessions), scene.own)]
    scene.fill(OWN, _TIMES * _OTHERS, OTHER)
    calls = _hot(scene)
    elsewhere = _costs(scene, calls, suspected)
    sizes.append((len(scene.sessions), scene.own))
    scene.lengthen(_TIMES * OWN)
    inside = _costs(scene, calls, suspected)
    sizes.append((len(scene.sessions), scene.own))
    added = {OTHERS: sizes[1][0] - sizes[0][0], ITS_OWN: sizes[2][1] - sizes[1][1]}
    if added[OTHERS] < _OTHERS:
        raise CouldNotTell("the store is too slow to be filled with many sessions")
    walks = any(one.kind != "count" for asked in suspected.values() for one in asked.suspects)
    if walks and not any(cost.steps for cost in inside.values()):
        raise CouldNotTell("no step could be counted: the store has a progress handler of its own")
    for key, asked in suspected.items():
        growth = Growth(first[key], elsewhere[key], inside[key])
        for suspect in asked.suspects:
            among = growing(asked.call, suspect, key[1], growth)
            if among is not None:
                index = _index(scene, asked, suspect)
                raise_scan(scene.trial, Costly(
                    asked.call, asked.text, asked.plan, suspect, among, added[among], growth, index
                ))  # fmt: skip


def _costs(scene: Scene, calls: list[Call], suspected: Mapping[Key, _Asked]) -> dict[Key, Cost]:
    """What each of the statements costs now, and the rows that its file has."""
    steps: dict[Key, int] = dict.fromkeys(suspected, 0)
    files: dict[Key, str] = {}
    for at in sorted({at for at, _ in suspected}):
        for one in scene.done(calls[at]).statements:
            key = (at, normalised(one.text))
            if key in steps:
                steps[key] += one.steps
                files[key] = one.file
    try:
        rows = {file: looked(scene.trial, file, rows_in) for file in {*files.values()}}
    except sqlite3.Error as error:
        raise CouldNotTell(f"the tables could not be read: {error}") from None
    return {key: Cost(steps[key], rows.get(files.get(key, ""), {})) for key in suspected}


def _index(scene: Scene, asked: _Asked, suspect: Suspect) -> str:
    """Which index is missing, as far as the statement shows it."""
    columns, first = looked(scene.trial, asked.file, indexes_in)
    return missing_index(suspect, normalised(asked.text), columns, first)


def _note_sorts(trial: Trial, suspected: Mapping[Key, _Asked]) -> None:
    """A whole session may be sorted when it is read whole, though an index would spare it."""
    if any(
        asked.call in WHOLE and suspect.kind == "sort"
        for asked in suspected.values()
        for suspect in asked.suspects
    ):
        trial.notes.append("a read sorts its session in a temporary tree: no index has its order")


def constant_statements(trial: Trial) -> None:
    """Count the statements of each look at few rows and at many: they must not be one for each.

    Raises NotClaimed for a store that does not use Python's sqlite3 in this process.
    """
    with seen(trial, _FEW, _FEW - 1, 1, steps=False) as scene:
        few = {name: scene.done((name, call)) for name, call in _looks(scene, _FEW)}
        scene.add_sessions(_MANY_SESSIONS, 1)
        scene.lengthen(_MANY_MESSAGES)
        many = {name: scene.done((name, call)) for name, call in _looks(scene, _MANY_MESSAGES)}
        must_be_heard(scene, [*many.values()])
        for name, before in few.items():
            _compare(trial, name, before, many[name], scene.own)


def _looks(scene: Scene, messages: int) -> list[tuple[str, Callable[[], Outcome]]]:
    """The calls that read rows, on the first session, which has so many messages."""
    looks = (Read("s0"), ReadLast("s0", messages), Get("s0"), List())
    calls: list[Call] = [
        (method_of(look), partial(scene.invoke, look))
        for look in looks
        if method_of(look) in ("read", *scene.trial.capabilities)
    ]
    if "page" in scene.trial.capabilities:
        calls.append(("page", partial(scene.page, None, messages)))
    return calls


def _compare(trial: Trial, name: str, few: Traced, many: Traced, messages: int) -> None:
    """Raise Broken where the statements of a look follow its rows; note connections it opened."""
    rows = (_rows(name, few, _FEW), _rows(name, many, messages))
    if rows[1] - rows[0] < _FEW:
        return  # the store keeps no more, or answers no more at once
    trial.count("calls", 2)
    if many.opened:
        plural = "" if many.opened == 1 else "s"
        trial.notes.append(f"a {name} opened {many.opened} connection{plural}")
    numbers = [number_of([one.text for one in traced.statements]) for traced in (few, many)]
    if for_each_row(numbers[0], numbers[1], rows[1] - rows[0]):
        raise_statements(trial, name, (rows[0], numbers[0]), (rows[1], numbers[1]))


def _rows(name: str, traced: Traced, messages: int) -> int:
    """The rows that a look may have to read: those that it answers, for facts the session's."""
    match name:
        case "get":
            return messages
        case "page":
            return len(traced.outcome.value.messages)
        case _:
            return len(traced.outcome.value)
