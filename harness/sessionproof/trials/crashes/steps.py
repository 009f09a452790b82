"""What a store did to its files around a crash, told step by step."""

from __future__ import annotations

from collections.abc import Sequence

from sessionproof.contract.operations import as_call
from sessionproof.contract.verdicts import CrashWindow, FileStep
from sessionproof.faults.changes import ROOT, Changes, Kind
from sessionproof.faults.crashes.states import State
from sessionproof.faults.recording import Recording

_BEFORE, _AFTER = 26, 6  # steps that are shown around a crash
_CALL_MOST = 60
_KINDS = {
    Kind.MADE: "name", Kind.MADE_FOLDER: "name", Kind.RENAMED: "name", Kind.LINKED: "name",
    Kind.REMOVED: "name", Kind.REMOVED_FOLDER: "name", Kind.WRITTEN: "write", Kind.SIZED: "size",
    Kind.SYNCED: "sync", Kind.SYNCED_ALL: "sync", Kind.ANSWERED: "answer",
}  # fmt: skip


def window_of(recording: Recording, state: State, sentence: str) -> CrashWindow:
    """The changes around the crash, and what survived of each."""
    total = len(recording.changes)
    chosen = _around(state, total)
    return CrashWindow(
        model=state.model,
        point=state.point,
        points=total,
        sentence=sentence,
        steps=tuple(_step(recording, at, state) for at in chosen),
        left_out=total - len(chosen),
    )


def _around(state: State, total: int) -> list[int]:
    """The last changes before the crash, the next ones, and those of the others that were lost."""
    near = {*range(max(0, state.point - _BEFORE), min(total, state.point + _AFTER))}
    touched = [*state.lost, *([state.cut[0]] if state.cut else [])]
    return sorted(near | {*touched[-_BEFORE:]})


def _step(recording: Recording, at: int, state: State) -> FileStep:
    kind = Kind(int(recording.changes.rows[at]["kind"]))
    return FileStep(
        at=at,
        file=lane_of(recording, at),
        kind=_KINDS[kind],
        said=said_of(recording, at),
        survived=_survived(at, state),
    )


def _survived(at: int, state: State) -> str:
    if at >= state.point:
        return "after"
    if at in state.lost:
        return "no"
    partly = [one[0] for one in (state.cut, state.sectors) if one is not None]
    return "torn" if at in partly else "yes"


def lane_of(recording: Recording, at: int) -> str:
    """The file that a change is about, or the client who was answered."""
    row = recording.changes.rows[at]
    if row["kind"] == Kind.ANSWERED:
        return f"client {int(row['client']) + 1}"
    if row["kind"] == Kind.SYNCED_ALL or int(row["file"]) == ROOT:
        return "the folder"
    return recording.changes.name(at) or "a removed file"


def said_of(recording: Recording, at: int) -> str:
    """The change in a few words."""
    changes = recording.changes
    row = changes.rows[at]
    offset, length = int(row["offset"]), int(row["length"])
    match Kind(int(row["kind"])):
        case Kind.WRITTEN:
            return f"{length:,} bytes at {offset:,}"
        case Kind.SIZED:
            return f"cut or grown to {offset:,} bytes"
        case Kind.MADE | Kind.MADE_FOLDER:
            return "made"
        case Kind.RENAMED | Kind.LINKED as kind:
            source = _source(changes, at)
            return f"renamed from {source}" if kind is Kind.RENAMED else f"linked to {source}"
        case Kind.REMOVED | Kind.REMOVED_FOLDER:
            return "removed"
        case Kind.SYNCED:
            return "synced"
        case Kind.SYNCED_ALL:
            return "everything synced"
        case Kind.ANSWERED:
            return f"answered {_asked(recording, at)}"


def _source(changes: Changes, at: int) -> str:
    place = int(changes.rows[at]["source"])
    return changes.names[place] if place >= 0 else "another name"


def _asked(recording: Recording, at: int) -> str:
    call = next((as_call(act.operation) for act in recording.acts if act.answered == at), "")
    short = call.removeprefix("store.") or "another call"
    return short if len(short) <= _CALL_MOST else f"{short[:_CALL_MOST]}…"


def last_change(recording: Recording, point: int) -> str:
    """The change behind which the crash came, with its file, in words."""
    if point == 0:
        return "before the first change"
    return f"{lane_of(recording, point - 1)}: {said_of(recording, point - 1)}"


def answered_by(recording: Recording, points: Sequence[int]) -> list[int]:
    """For each point, how many operations had been answered by then."""
    places = sorted(act.answered for act in recording.acts if act.answered is not None)
    return [sum(place < point for place in places) for point in points]
