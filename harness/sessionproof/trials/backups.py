"""Backups: while clients write, and how many are kept."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.verdicts import Finding
from sessionproof.scripts.backups import read_at, restored, under_load_lines
from sessionproof.trials import backups_kept
from sessionproof.trials.again import failed_again
from sessionproof.trials.backup_load import Load, Taken, wrong_with
from sessionproof.trials.chats import (
    Chats,
    Unreadable,
    contents,
    difference,
    disorder,
    folder_for,
    in_order_at,
    require_end,
)
from sessionproof.trials.crowds import crews, kinds_of
from sessionproof.trials.lines import made, said
from sessionproof.trials.restore_lines import prepared
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed, Trial
from sessionproof.workload import upkeep
from sessionproof.workload.answers import texts_of
from sessionproof.workload.crews import Crew, Kind, is_hosted

_CLIENTS: dict[Kind, int | None] = {"threads": 4, "shared": 4, "tasks": 4, "processes": 2}
_BUDGET_S, _BUDGET_MOST_S = 0.08, 2.0
_ALONE = 4  # backups of the only client
_OF_EACH = 2  # backups beside each kind of clients, at least
_ROUNDS_MOST = 8  # by a kind of clients whose writes no backup meets


def under_load(trial: Trial) -> None:
    """Make backups while clients write, as many kinds of clients as are claimed; raises Broken.

    Each backup is restored into an empty directory. Where a location is for one client, backups
    are made between its writes. Counts backups that were made while clients were at work.
    """
    kinds = _kinds(trial)
    _between_writes(trial, 1 if kinds else _ALONE, counted=not kinds)
    if not kinds:
        return
    load, start = Load(trial), monotonic_s()
    budget_s, rounds, made_of = _BUDGET_S, 0, Counter[Kind]()
    with crews(trial, {kind: _CLIENTS[kind] for kind in kinds}) as gathered:
        while not (
            (_all_had(made_of, kinds) or rounds >= _ROUNDS_MOST * len(kinds))
            and trial.enough(monotonic_s() - start)
        ):
            if trial.time_is_up():
                break
            one = gathered[rounds % len(gathered)]
            rounds += 1
            seen, counted = _round(trial, load, one, budget_s)
            if seen:
                raise _broken(trial, load, one, budget_s, seen)
            trial.count("backups", counted)
            made_of[one.kind] += counted
            if counted < len(load.taken):
                budget_s = min(2 * budget_s, _BUDGET_MOST_S)
    if trial.examined["backups"] < trial.guarantee.least:
        raise CouldNotTell(
            f"{trial.examined['backups']} backups were made while clients wrote, "
            f"{trial.guarantee.least} are needed: the machine or the store is too slow"
        )


def _all_had(made_of: Counter[Kind], kinds: Sequence[Kind]) -> bool:
    """Whether each kind of clients was at work during enough backups."""
    return all(made_of[kind] >= _OF_EACH for kind in kinds)


def _kinds(trial: Trial) -> list[Kind]:
    """One kind within a process, and processes where they are claimed; none for one client."""
    try:
        kinds = kinds_of(trial)
    except NotClaimed:
        return []
    within: tuple[Kind, ...] = ("shared", "threads", "tasks")
    order: list[Kind] = [kind for kind in within if kind in kinds][:1]
    return [*order, *(kind for kind in kinds if kind == "processes")]


def _between_writes(trial: Trial, number: int, *, counted: bool) -> None:
    """Backups between the writes of one client: each restores what was there when it was made."""
    trial.store.fresh_location()
    chats, folder = Chats(trial, trial.store), folder_for(trial, "backups")
    chats.begin("alone-")
    did = "made a backup of a store in use, appended, then restored it into an empty directory"
    for _ in range(number):
        expected = chats.contents()
        backup = chats.backup(folder, script=prepared(trial))
        chats.grow(1)
        there = folder_for(trial, "restored")
        lines = [
            *prepared(trial),
            "empty = tempfile.mkdtemp()",
            *restored("made", "empty"),
            *read_at("empty"),
            "assert seen == saved, f'{len(seen)} messages instead of {len(saved)}'",
        ]
        done = upkeep.restore(chats.handle, backup, there)
        require_end(trial, done, did)
        try:
            seen, wrong = in_order_at(trial, there, chats.ids)
            wrong = difference(expected, seen) or wrong
        except Unreadable as error:
            wrong = str(error)
        if done.failure is not None:
            wrong = f"the backup cannot be restored: {done.failure.text[:300]}"
        trial.require(
            not wrong,
            Anomaly.BAD_BACKUP,
            did=did,
            expected="all that was there when the backup was made is read, and is in order",
            seen=wrong,
            script=lines,
        )
        trial.count("backups", int(counted))


def _round(trial: Trial, load: Load, one: Crew, budget_s: float) -> tuple[str, int]:
    """What is wrong with a backup of one round, and how many were made beside writes."""
    folder = folder_for(trial, "backups")
    load.play(one, folder, budget_s)
    refused = [taken.outcome for taken in load.taken if taken.outcome.type != "ok"]
    for outcome in refused:
        require_end(trial, outcome, f"made a backup while {one.named} wrote")
    good = [taken for taken in load.taken if taken.outcome.type == "ok"]
    if refused and not good and refused[0].failure is not None:
        return f"no backup can be made: {refused[0].failure.text[:300]}", 0
    for taken in good:
        there = folder_for(trial, "restored")
        seen = _judged(trial, load, taken, there)
        if seen:
            return seen, 0
        shutil.rmtree(there, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    return "", sum(map(load.beside, good))


def _judged(trial: Trial, load: Load, taken: Taken, there: Path) -> str:
    """What is wrong with one backup; empty for nothing."""
    done = upkeep.restore(trial.handle(), taken.outcome.value, there)
    require_end(trial, done, "restored a backup that was made while clients wrote")
    if done.failure is not None:
        return f"it cannot be restored: {done.failure.text[:300]}"
    ids = [name for written in load.written for name in written.ids if name is not None]
    try:
        seen, wrong = in_order_at(trial, there, ids)
    except Unreadable as error:
        return f"what was restored cannot be read: {error}"
    for written in load.written:
        texts = [texts_of(seen.sessions[name]) if name is not None else [] for name in written.ids]
        lacks = wrong_with(written, taken, texts, trial.claims)
        if lacks:
            return lacks
    if wrong and disorder(trial.handle(), contents(trial.handle(), ids)):
        return ""  # it is so without the backup, too
    return wrong


def _broken(trial: Trial, load: Load, one: Crew, budget_s: float, seen: str) -> Broken:
    """The finding, after further rounds."""
    failed, tried = failed_again(trial, lambda: bool(_round(trial, load, one, budget_s)[0]))
    finding = Finding(
        anomaly=Anomaly.BAD_BACKUP,
        did=f"made backups while {one.named} wrote, and restored each into an empty directory",
        expected="every message that was acknowledged before the backup began, whole batches, "
        "and nothing that nobody had sent",
        seen=seen,
        repeats=f"{failed} of {tried} rounds",
    )
    return trial.broken(finding, lambda: _load_lines(trial, one))


def _load_lines(trial: Trial, one: Crew) -> list[str]:
    if "append" in trial.store.awaited or is_hosted(trial.store):
        return []  # its clients are tasks, or processes behind pipes
    return under_load_lines(
        made(trial, "s0"),
        said(trial, "TEXT"),
        clients=one.clients,
        processes=one.kind == "processes",
        shared=one.kind == "shared",
    )


def kept(trial: Trial) -> None:
    """Make many backups in folders with other files; raises Broken."""
    backups_kept.kept(trial)
