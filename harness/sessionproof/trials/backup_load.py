"""Backups that are made while clients write: a backup is a read of every session.

It is put into the clients' history as such a read: begun and ended when the backup was, and with
the answer that the restored backup gives. What judges histories says then whether it may be so.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any, TypeAlias, cast

import numpy as np

from sessionproof.checks.history import judge_history
from sessionproof.checks.incidents import Incident
from sessionproof.contract.anomalies import MEANINGS, Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.clock import monotonic_ns
from sessionproof.contract.operations import HANG, Failure, Outcome
from sessionproof.contract.seed import generator
from sessionproof.history.answers import answers_of
from sessionproof.history.columns import BATCH, NONE, ROW, F, History, Lists, Phase, Type
from sessionproof.trials.chats import folder_for
from sessionproof.trials.refusals import came_to_an_end
from sessionproof.trials.single import Trial
from sessionproof.workload import upkeep
from sessionproof.workload.awaiting import settled
from sessionproof.workload.crews import Crew
from sessionproof.workload.guard import Handle, outcome_of
from sessionproof.workload.mixes import round_of
from sessionproof.workload.seats import raw

_MIX = "writes"
_WARM = 6  # calls of a client before backups begin
_CALLS = 2_000  # and at most while they are made
_BACKUPS = 3  # that are judged in a round
_PAUSES = 8  # between backups, of the time that clients have
_EXCUSED = frozenset({Anomaly.NON_MONOTONIC})
"""A message that nobody had been told of may be in a backup, and not yet in the next."""


@dataclass(frozen=True)
class Taken:
    """A call of backup, with its times on the clock of the histories."""

    outcome: Outcome
    began_ns: int
    ended_ns: int


Take: TypeAlias = "Callable[[Handle, Path, Event, float], list[Taken]]"
"""Asks a handle until an event is set, with pauses of so many seconds."""


@dataclass(frozen=True)
class Written:
    """What clients did, and the ids by which the store knows the sessions of their history."""

    history: History
    ids: list[str | None]


@dataclass
class Load:
    """Rounds of clients that write while backups are made; gives numbers and names once."""

    trial: Trial
    first: int = 1
    played: int = 0
    taken: list[Taken] = field(default_factory=list)
    written: list[Written] = field(default_factory=list)

    def play(self, one: Crew, folder: Path, budget_s: float, take: Take | None = None) -> None:
        """A round at a fresh location: some writes, then more with backups beside them.

        ``take`` makes something else than backups. Raises Broken, CannotOpen.
        """
        self.trial.store.fresh_location()
        self.written = [self._work(one, _WARM, budget_s=60.0)]
        handle = self.trial.store.handle()
        operation_s = self.trial.store.deadlines.operation_s
        asked = on_its_loop(handle, operation_s) if one.kind == "tasks" else handle
        ended = Event()
        with ThreadPoolExecutor(1) as aside:
            taking = aside.submit(take or _take, asked, folder, ended, budget_s / _PAUSES)
            try:
                self.written.append(self._work(one, _CALLS, budget_s=budget_s))
            finally:
                ended.set()
                while one.kind == "tasks" and not taking.done() and not handle.dropped:
                    handle.lend("a backup", lambda _, wait: wait(asyncio.sleep(0.005)))
            self.taken = self._chosen(taking.result())

    def _work(self, one: Crew, calls: int, *, budget_s: float) -> Written:
        trial, self.played = self.trial, self.played + 1
        made = round_of(
            _MIX,
            generator=generator(trial.seed, one.kind, self.played),
            capabilities=trial.capabilities,
            claims=trial.claims,
            clients=one.clients,
            first=self.first,
            prefix=f"b{self.played}-",
            length=calls,
        )
        made = replace(made, budget_s=budget_s, meets=0)
        self.first += made.numbers
        folder = folder_for(trial, "journals")
        try:
            worked = one.work(made, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        came_to_an_end(worked, one)
        return Written(worked.history, [*one.ids])

    def _chosen(self, taken: list[Taken]) -> list[Taken]:
        """What is judged of them: those made beside writes first, and no more than a few."""
        good = [one for one in taken if one.outcome.type == "ok"]
        refused = [one for one in taken if one.outcome.type != "ok"]
        met = [one for one in good if self.beside(one)]
        return [*refused[:1], *(met or good)[-_BACKUPS:]]

    def beside(self, taken: Taken) -> bool:
        """Whether clients were at work while this backup was made."""
        rows = self.written[-1].history.rows
        appends = rows[(rows["f"] == F.APPEND) & (rows["type"] == Type.OK)]
        begun = (appends["inv"] < taken.ended_ns).any()
        return bool(begun and (appends["ret"] > taken.began_ns).any())


def _take(handle: Handle, folder: Path, ended: Event, pause_s: float) -> list[Taken]:
    """Backups one after the other, until the clients have ended.

    Clients take a while to begin, which a fast store would spend on backups that nobody disturbs.
    """
    taken: list[Taken] = []
    while not (ended.is_set() and taken) and not handle.dropped:
        began = monotonic_ns()
        outcome = upkeep.backup(handle, folder)
        taken.append(Taken(outcome, began, monotonic_ns()))
        ended.wait(pause_s)
    return taken


def on_its_loop(handle: Handle, operation_s: float) -> Handle:
    """What asks the store of a handle in tasks of its loop, while others run there."""

    async def running() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    loop = handle.lend("its loop", lambda _, wait: wait(running())).value
    return cast(Handle, _OnLoop(raw(handle), loop, operation_s))


@dataclass(frozen=True)
class _OnLoop:
    """As much of a handle as is needed to ask for a backup."""

    store: Any
    loop: asyncio.AbstractEventLoop
    operation_s: float
    dropped: bool = False

    def perform(self, _name: str, action: Callable[[Callable[..., Any]], Any]) -> Outcome:
        """As ``Handle.perform``, but the call is a task among others."""
        try:
            return Outcome("ok", action(self._call))
        except Late:
            text = f"no answer within {self.operation_s:g} s"
            return Outcome("info", failure=Failure(HANG, text))
        except BaseException as error:  # noqa: BLE001 - a store may raise anything
            return outcome_of(error)

    def _call(self, method: str, *arguments: Any, **options: Any) -> Any:
        async def asked() -> Any:
            return await settled(getattr(self.store, method)(*arguments, **options))

        return asyncio.run_coroutine_threadsafe(asked(), self.loop).result(self.operation_s)


def wrong_with(
    written: Written, taken: Taken, texts: Sequence[Sequence[str]], claims: Claims
) -> str:
    """What a backup has that it may not have, or lacks; empty for nothing.

    ``texts`` are those of each session of the history, as the restored backup has them. Sessions
    in which something is wrong without the backup are not judged.
    """
    one = never_so(written, taken, dict(enumerate(texts)), claims)
    if one is None:
        return ""
    missing, owed = _missing(written.history, taken, one.session, texts[one.session])
    if missing:
        return f"{missing} of {owed} messages that were acknowledged before it began are gone"
    return MEANINGS[one.anomaly]


def never_so(
    written: Written, taken: Taken, texts: Mapping[int, Sequence[str]], claims: Claims
) -> Incident | None:
    """Why sessions cannot have had these texts while it was taken; None when they can.

    ``texts`` are those of sessions of the history by their places. Sessions in which something is
    wrong without them are not judged.
    """
    base = written.history
    ill = {one.session for one in judge_history(base, claims).incidents}
    judged = {at: read for at, read in texts.items() if at not in ill}
    for one in judge_history(with_read(base, taken, judged), claims).incidents:
        if one.session in judged and one.anomaly not in _EXCUSED:
            return one
    return None


def _missing(history: History, taken: Taken, session: int, texts: Sequence[str]) -> tuple[int, int]:
    """How many messages are missing of those that were acknowledged when the backup began."""
    rows = history.rows
    owed = rows[
        (rows["session"] == session)
        & (rows["f"] == F.APPEND)
        & (rows["type"] == Type.OK)
        & (rows["ret"] < taken.began_ns)
    ]
    ids = [int(row["id"]) + at for row in owed for at in range(int(row["n"]))]
    there = {int(one) for one in answers_of([tuple(texts)]).ids}
    return sum(one not in there for one in ids), len(ids)


def with_read(history: History, taken: Taken, texts: Mapping[int, Sequence[str]]) -> History:
    """The history with a read of these sessions, by one more client for each."""
    sessions = list(texts)
    answers = answers_of([tuple(read) for read in texts.values()])
    before = len(history.rows)
    rows = np.zeros(len(sessions), ROW)
    number = np.arange(len(sessions))
    highest = int(history.rows["id"].max(initial=0)) // BATCH + 1
    rows["id"] = (highest + number) * BATCH
    rows["inv"], rows["ret"] = taken.began_ns, taken.ended_ns
    rows["client"] = int(history.rows["client"].max(initial=0)) + 1 + number
    rows["session"] = sessions
    rows["value"], rows["f"], rows["type"], rows["phase"] = NONE, F.READ, Type.OK, Phase.LOAD
    rows["length"], rows["digest"], rows["last"] = answers.lengths, answers.digests, answers.lasts
    added = answers.of(np.ones(len(sessions), np.bool_), before + number)
    kept = history.lists
    return replace(
        history,
        rows=np.concatenate([history.rows, rows]),
        lists=Lists(
            np.concatenate([kept.row, added.row]),
            np.concatenate([kept.start, kept.start[-1] + added.start[1:]]),
            np.concatenate([kept.ids, added.ids]),
        ),
        odd=(*history.odd, *((before + read, text) for read, text in answers.odd)),
    )
