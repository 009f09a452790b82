"""The script of an upkeep that a crash left half done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.operations import Append, Get, Read, Upkeep
from sessionproof.faults.crashes.images import Image, Images
from sessionproof.faults.crashes.states import State
from sessionproof.scripts.upkeep import AFTER, BEFORE, LEFT, HalfDone, upkeep_script
from sessionproof.trials.crashes.interruption import entries_of
from sessionproof.trials.crashes.upkeep_looks import Look, Wrong
from sessionproof.trials.single import Trial
from sessionproof.workload import lifetime, upkeep
from sessionproof.workload.guard import Handle
from sessionproof.workload.whole_stores import LIVE, MADE

_ANSWER_S = 20.0  # what a script waits at most for a call that hung


def upkeep_lines(trial: Trial, name: str, look: Look, wrong: Wrong) -> Sequence[str]:
    """The lines of the script; raises Unwritable where none of a bearable length show it."""
    recording, act = look.recording, look.recording.acts[0]
    images = Images(recording.changes)
    ends = (State("none", act.after + 1), State("none", len(recording.changes)))
    before, after, left = map(images.image, (*ends, wrong.state))
    placed = {BEFORE: before, AFTER: after, LEFT: left}
    operation = look.scene.operation
    hangs = wrong.flaw.anomaly is Anomaly.HANG
    older = entries_of(before, None)
    return upkeep_script(
        HalfDone(
            scene=name,
            operation=operation,
            folders=[path for below, image in placed.items() for path in _folders(below, image)],
            files={
                f"{below}/{path}": bytes(content)
                for below, image in placed.items()
                for path, content in image.files.items()
            },
            live=LIVE,
            made=MADE,
            wrong=_aspect(wrong, operation),
            answered=act.answered is not None and act.answered < wrong.state.point,
            entries=entries_of(left, PurePath(older[0]).suffix if older else None),
            older=older,
            facts=trial.capabilities & {"get", "verify"},
            model=wrong.state.model,
            anomaly=str(wrong.flaw.anomaly),
            claims=None if trial.claims == _own_claims(trial) else trial.claims,
            awaited=_awaited(trial),
            answer_s=min(_ANSWER_S, trial.store.deadlines.operation_s) if hangs else None,
        )
    )


def _folders(below: str, image: Image) -> Iterator[str]:
    yield below
    yield from (f"{below}/{path}" for path in image.folders)


def _aspect(wrong: Wrong, operation: Upkeep) -> str:
    """Which part of a script shows it."""
    if wrong.flaw.aspect == "going on":
        return "again"
    if wrong.flaw.anomaly is Anomaly.OVERWRITTEN:
        return "source"
    return "backups" if operation.method == "backup" else "content"


def _own_claims(trial: Trial) -> Claims | None:
    """What the store itself claims."""
    return trial.store.spec.claims or trial.handle().claims


def _awaited(trial: Trial) -> frozenset[str]:
    """Which methods answer awaitables: others asked most of them, so ask for nothing by each."""
    _ask(trial.handle(), trial)
    trial.store.close()  # whether closing does is known only then
    return frozenset(trial.store.awaited)


def _ask(handle: Handle, trial: Trial) -> None:
    """Calls that change nothing: of a session that is not known, of files that are not there."""
    location = trial.store.location.root
    nowhere = location / "no such file"
    handle.invoke(Append("none", ()), "none")
    handle.invoke(Read("none"), "none")
    if "get" in trial.capabilities:
        handle.invoke(Get("none"), "none")
    if "verify" in trial.capabilities:
        upkeep.verify(handle)
    if "sweep" in trial.capabilities:
        lifetime.sweep(handle)
    if "snapshots" in trial.capabilities:
        lifetime.snapshots(handle, "none")
        lifetime.snapshot(handle, "none")
        lifetime.restore_snapshot(handle, "none", session_id="none")
    if "maintain" in trial.capabilities:
        lifetime.maintain(handle)
    if "restore" in trial.capabilities:
        upkeep.restore(handle, nowhere, location / "nowhere")
    if "repair" in trial.capabilities:
        upkeep.repair(handle, location / "nowhere", dry_run=True)
    if "migrate" in trial.capabilities:
        upkeep.migrate(handle, nowhere, location / "nowhere", dry_run=True)
