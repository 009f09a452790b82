"""Snapshots that are taken while clients write: each is a read of its session.

As a backup is one of all of them: what judges histories says whether it may be so.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from sessionproof.contract.anomalies import MEANINGS, Anomaly
from sessionproof.contract.clock import monotonic_ns, monotonic_s
from sessionproof.contract.errors import Conflict, NotFound
from sessionproof.contract.operations import Outcome, Read
from sessionproof.contract.verdicts import Finding
from sessionproof.scripts.moments import moment_lines
from sessionproof.trials.again import failed_again
from sessionproof.trials.backup_load import Load, Taken, never_so
from sessionproof.trials.chats import require_end
from sessionproof.trials.crowds import crews, kinds_of
from sessionproof.trials.limit_lines import setting_of
from sessionproof.trials.single import Broken, CouldNotTell, Trial
from sessionproof.workload import lifetime
from sessionproof.workload.answers import texts_of
from sessionproof.workload.crews import Crew, Kind
from sessionproof.workload.execute import insisted
from sessionproof.workload.guard import Handle

_CLIENTS: dict[Kind, int] = {"threads": 3, "shared": 3, "tasks": 3, "processes": 2}
_BUDGET_S, _BUDGET_MOST_S = 0.06, 2.0
_NOT_YET = frozenset({NotFound.__name__, Conflict.__name__})
"""Refusals after which one tries again: nobody has written to it yet, or somebody does now."""


@dataclass(frozen=True)
class Kept:
    """A snapshot's id, and the id of the session that it is of."""

    session: str
    snapshot: str


def one_moment(trial: Trial) -> None:
    """Take snapshots while clients write, and restore each under a new id; raises Broken.

    Counts snapshots that were taken while clients were at work.
    """
    kinds, load, budget_s = kinds_of(trial), Load(trial), _BUDGET_S
    least = math.ceil(trial.guarantee.least / len(kinds))
    share_s = trial.profile.share_s * trial.guarantee.weight / len(kinds)
    with crews(trial, {kind: _CLIENTS[kind] for kind in kinds}) as gathered:
        for one in gathered:
            started_s, counted = monotonic_s(), 0
            while counted < least or monotonic_s() - started_s < share_s:
                if trial.time_is_up():
                    break
                seen, worth = _round(trial, load, one, budget_s)
                if seen:
                    raise _broken(trial, load, one, budget_s, seen)
                counted += worth
                if not worth:
                    budget_s = min(2 * budget_s, _BUDGET_MOST_S)
            trial.count("snapshots", counted)
    if trial.examined["snapshots"] < trial.guarantee.least:
        raise CouldNotTell(
            f"{trial.examined['snapshots']} snapshots were taken while clients wrote, "
            f"{trial.guarantee.least} are needed: the machine or the store is too slow"
        )


def _round(trial: Trial, load: Load, one: Crew, budget_s: float) -> tuple[str, int]:
    """What is wrong with a snapshot of one round, and how many were taken beside writes."""

    def take(handle: Handle, _folder: Path, ended: Event, pause_s: float) -> list[Taken]:
        return _take(handle, one, ended, pause_s)

    load.play(one, Path(), budget_s, take)
    for taken in load.taken:
        require_end(trial, taken.outcome, f"took a snapshot while {one.named} wrote")
    good = [taken for taken in load.taken if taken.outcome.type == "ok"]
    refused = [taken.outcome.failure for taken in load.taken if taken.outcome.failure is not None]
    if refused and not good:
        return f"no snapshot can be taken: {refused[0].type}: {refused[0].text[:300]}", 0
    for number, taken in enumerate(good):
        seen = _judged(trial, load, taken, f"restored-{load.played}-{number}")
        if seen:
            return seen, 0
    return "", sum(map(load.beside, good))


def _take(handle: Handle, one: Crew, ended: Event, pause_s: float) -> list[Taken]:
    """Snapshots of the clients' sessions in turn, until the clients have ended."""
    taken: list[Taken] = []
    for turn in itertools.count():
        if (ended.is_set() and (taken or turn > len(one.ids))) or handle.dropped:
            return taken
        ids = [name for name in one.ids if name is not None]
        if ids:
            session, began = ids[turn % len(ids)], monotonic_ns()
            outcome = lifetime.snapshot(handle, session)
            done = monotonic_ns()
            if outcome.failure is None:
                outcome = Outcome("ok", Kept(session, outcome.value))
                taken.append(Taken(outcome, began, done))
            elif outcome.failure.type not in _NOT_YET:
                taken.append(Taken(outcome, began, done))
        ended.wait(pause_s / 4)
    return taken


def _judged(trial: Trial, load: Load, taken: Taken, name: str) -> str:
    """What is wrong with one snapshot; empty for nothing."""
    kept: Kept = taken.outcome.value
    handle = trial.handle()
    restored = lifetime.restore_snapshot(handle, kept.snapshot, session_id=name)
    if restored.type == "fail" and trial.claims.session_ids == "store":
        raise CouldNotTell("the store names its sessions, and restores none under an id of ours")
    trial.require_ok(restored, "restored a snapshot under a new id")
    read = insisted(lambda: handle.invoke(Read(name), restored.value))
    trial.require_ok(read, "read a session that was restored from a snapshot")
    texts = texts_of(read.value)
    for written in load.written:
        if kept.session in written.ids:
            at = written.ids.index(kept.session)
            found = never_so(written, taken, {at: texts}, trial.claims)
            if found is not None:
                return f"it has {len(texts)} messages, and was never so: {MEANINGS[found.anomaly]}"
            return ""
    return ""


def _broken(trial: Trial, load: Load, one: Crew, budget_s: float, seen: str) -> Broken:
    """The finding, after further rounds."""
    failed, tried = failed_again(trial, lambda: bool(_round(trial, load, one, budget_s)[0]))
    finding = Finding(
        anomaly=Anomaly.BAD_BACKUP,
        did=f"took snapshots while {one.named} wrote, and restored each under a new id",
        expected="the session as it was at one moment between the call and its answer: every "
        "message that was acknowledged before, whole batches, and nothing that came later",
        seen=seen,
        repeats=f"{failed} of {tried} rounds",
    )

    def lines() -> list[str]:
        setting = setting_of(trial)
        return [] if setting is None else moment_lines(setting)

    return trial.broken(finding, lines)
