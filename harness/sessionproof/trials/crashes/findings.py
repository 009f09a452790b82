"""States that a store did not survive, as a finding: by classes, shortened, with a script."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sessionproof.checks.flaws import Flaw
from sessionproof.contract.anomalies import MEANINGS, Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.measurements import CrashCell, Crashes
from sessionproof.contract.operations import Naming, Read, as_call
from sessionproof.contract.verdicts import Finding, Reproducer
from sessionproof.faults.crashes.states import MODELS, State
from sessionproof.faults.recording import Recording
from sessionproof.scripts.expressions import Unwritable
from sessionproof.trials.crashes.again import Shown, Wanted, acknowledged
from sessionproof.trials.crashes.exploration import COVERED
from sessionproof.trials.crashes.looks import Explored, Look
from sessionproof.trials.crashes.script import script_lines
from sessionproof.trials.crashes.shorter import shortened
from sessionproof.trials.crashes.steps import answered_by, last_change, window_of
from sessionproof.trials.single import Broken, Trial

HOW = {
    "kill": "its process was killed",
    "power-ordered": "the power failed (what was not synced is lost, file by file)",
    "power-strict": "the power failed (any part of what was not synced is lost)",
}


@dataclass(frozen=True)
class _Class:
    """States that are wrong in one way under one model."""

    anomaly: Anomaly
    explored: Explored
    look: Look
    states: tuple[tuple[State, Flaw], ...]


def broken_by(
    trial: Trial, found: Sequence[Explored], breaks: Wanted, models: Sequence[str]
) -> None:
    """Raise Broken with the first class of states that break the row, made smaller."""
    classes = _classes(found, breaks, models)
    if not classes:
        return
    first = classes[0]
    recording = first.explored.recording
    if recording is None:
        raise AssertionError("states are of a recording")
    state, flaw = first.states[0]
    shown = shortened(
        trial,
        Shown(recording, state, flaw),
        lambda one, known: breaks(one, known) and _alike(one, flaw),
    )
    finding = replace(
        _finding(shown, trial.claims), evidence={"states": _counted(classes), **flaw.evidence}
    )
    trial.store.close()  # what closing answers is known only then
    try:
        finding = replace(finding, script=tuple(script_lines(trial, shown)))
    except Unwritable as why:
        finding = replace(finding, reproducer=Reproducer(file="", said=f"no script: {why}"))
    raise Broken(finding)


def _alike(one: Flaw, other: Flaw) -> bool:
    return one.anomaly == other.anomaly and one.aspect == other.aspect


def _classes(found: Sequence[Explored], breaks: Wanted, models: Sequence[str]) -> list[_Class]:
    """The classes, mildest model first, then those of one client, then by the first bad point."""
    made = []
    for explored in found:
        recording = explored.recording
        for look in explored.looks:
            if look.model not in models or recording is None:
                continue
            by_anomaly: dict[Anomaly, list[tuple[State, Flaw]]] = {}
            for wrong in look.wrong:
                known = acknowledged(recording, wrong.state.point)
                flaw = next((one for one in wrong.flaws if breaks(one, known)), None)
                if flaw is not None:
                    by_anomaly.setdefault(flaw.anomaly, []).append((wrong.state, flaw))
            made += [
                _Class(anomaly, explored, look, tuple(states))
                for anomaly, states in by_anomaly.items()
            ]
    return sorted(made, key=_order)


def _order(one: _Class) -> tuple[int, int, int]:
    clients = one.explored.recording.clients if one.explored.recording else 0
    return MODELS.index(one.look.model), clients, one.states[0][0].point


def _counted(classes: Sequence[_Class]) -> str:
    """All classes of a row in lines: how many states each has."""
    lines = []
    for one in classes:
        clients = one.explored.recording.clients if one.explored.recording else 1
        by = "one client" if clients == 1 else f"{clients} clients"
        lines.append(
            f"{one.look.model}, {by}: {one.anomaly} in {len(one.states):,} of "
            f"{one.look.judged:,} states judged, {one.look.existing:,} existing; "
            f"first behind change {one.states[0][0].point}"
        )
    return "\n".join(lines)


def _finding(shown: Shown, claims: Claims) -> Finding:
    recording, state, flaw = shown.recording, shown.state, shown.flaw
    where = last_change(recording, state.point)
    lost = f"; {len(state.lost)} changes before it were lost" if state.lost else ""
    return Finding(
        anomaly=flaw.anomaly,
        did=f"{HOW[state.model]} behind change {state.point} of {len(recording.changes)} "
        f"({where}){lost}; then the store was opened again",
        expected=flaw.expected,
        seen=flaw.seen,
        program=tuple(program_lines(recording, state, claims)),
        crash=window_of(recording, state, sentence(flaw)),
    )


def sentence(flaw: Flaw) -> str:
    """What was left, and why that is wrong."""
    where = f" of {flaw.session}" if flaw.session else ""
    return f"{MEANINGS[flaw.anomaly]}{where}: expected {flaw.expected}; seen: {flaw.seen}"


def program_lines(recording: Recording, state: State, claims: Claims) -> list[str]:
    """What had been asked for when the crash came, a call a line, with what had been answered."""
    lines: list[str] = []
    names: Naming = "answered" if claims.session_ids == "store" else "quoted"
    for act in recording.acts:
        if act.after >= state.point or isinstance(act.operation, Read):
            continue
        answered = act.answered is not None and act.answered < state.point
        who = f"client {act.client + 1}: " if recording.clients > 1 else ""
        lines.append(f"{who}{as_call(act.operation, names)}{'' if answered else '  # in flight'}")
    return lines


def crashes_of(recording: Recording, look: Look, claims: Claims) -> Crashes:
    """All crash points of one recording under one model, for the report."""
    by_point: dict[int, Counter[str]] = {}
    kinds: Counter[str] = Counter()
    for wrong in look.wrong:
        name = str(wrong.flaws[0].anomaly)
        kinds[name] += 1
        by_point.setdefault(wrong.state.point, Counter())[name] += 1
    points = [*look.points]
    cells = tuple(
        CrashCell(
            point=point,
            said=last_change(recording, point),
            acknowledged=answered,
            judged=look.points[point],
            bad=by_point.get(point, Counter()).total(),
            worst=by_point[point].most_common(1)[0][0] if point in by_point else "",
        )
        for point, answered in zip(points, answered_by(recording, points), strict=True)
    )
    return Crashes(
        model=look.model,
        clients="one client" if recording.clients == 1 else f"{recording.clients} processes",
        existing=look.existing,
        judged=look.judged,
        claimed=look.model in COVERED[claims.durability],
        cells=cells,
        by_anomaly=dict(kinds.most_common()),
    )
