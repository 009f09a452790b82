"""Crews: clients of one kind that carry rounds out at the same time, and the history of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from sessionproof.contract.claims import Claims
from sessionproof.contract.lookup import StoreSpec
from sessionproof.contract.operations import Outcome
from sessionproof.history import files
from sessionproof.history.columns import ROW, F, History, Phase
from sessionproof.history.slots import SUFFIX
from sessionproof.workload.awaiting import waited
from sessionproof.workload.client import Job
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.guard import CannotOpen, Handle
from sessionproof.workload.processes import ProcessSeats
from sessionproof.workload.rounds import Call, Round
from sessionproof.workload.seats import Seats, Setting, TaskSeats, ThreadSeats, raw
from sessionproof.workload.sessions import begin, needs_create
from sessionproof.workload.speech import Speech, speech
from sessionproof.workload.threads import Stopped
from sessionproof.workload.vocabulary import vocabulary

Kind: TypeAlias = Literal["threads", "shared", "tasks", "processes"]

CLIENTS: dict[Kind, int] = {"threads": 8, "shared": 8, "tasks": 8, "processes": 4}
"""How many clients a crew has unless told otherwise."""

_NAMES: dict[Kind, tuple[str, str]] = {
    "threads": ("thread", "threads"),
    "shared": ("thread", "threads"),
    "tasks": ("task", "tasks"),
    "processes": ("process", "processes"),
}
_QUIET_S = 60.0  # for all final reads of a round; each of them is bounded by its own deadline


@dataclass(frozen=True)
class Worked:
    """What came of a round. ``stopped`` is a hang, a crash, or that the store does not open.

    A round that was stopped has no final reads. ``frames`` has the line of the store that raised,
    by the texts of the history's errors.
    """

    history: History
    stopped: Outcome | None = None
    frames: Mapping[str, str] = field(default_factory=dict)


class NothingToSay(Exception):
    """No message can be expressed by this store; the text says why."""


def kinds_for(claims: Claims, *, awaits: bool, hosted: bool) -> tuple[Kind, ...]:
    """Who may use the store at the same time, by its claims.

    ``awaits`` says that its methods answer awaitables, ``hosted`` that each handle is a process
    behind pipes: there, several handles are several processes, whoever calls them.
    """
    if hosted:
        return ("threads",) if claims.at_least("handles", "processes") else ()
    kinds: list[Kind] = []
    threads = claims.at_least("handles", "threads")
    if claims.at_least("handles", "tasks") and (awaits or not threads):
        kinds.append("tasks")
    if threads:
        kinds.append("threads")
        # An async handle belongs to the loop that it was opened on: tasks share it.
        kinds += ["shared"] if claims.shared_handle and not awaits else []
    if claims.at_least("handles", "processes"):
        kinds.append("processes")
    return tuple(kinds)


def is_hosted(store: StoreUnderTest) -> bool:
    """Whether each handle of the store is a process behind pipes."""
    return store.spec.name.startswith("cmd:")


def awaits(store: StoreUnderTest) -> bool:
    """Whether appends answer awaitables; asks by an append of its own unless it is known.

    It also reads: scripts do, and must await it. Raises CannotOpen, NothingToSay.
    """
    if "append" in store.awaited:
        return True
    handle = store.handle()
    begun = begin(handle, f"{store.next_program()}asked", store.claims, handle.capabilities)
    if begun.type == "ok":
        messages = said_by(store).messages(256, 1)
        handle.perform("append", lambda call: call("append", begun.value, messages))
        handle.perform("read", lambda call: call("read", begun.value))
    return "append" in store.awaited


def said_by(store: StoreUnderTest) -> Speech:
    """What clients say to this store; raises NothingToSay."""
    words = vocabulary(store.spec, store.claims)
    if not words.samples:
        raise NothingToSay(f"no message can be expressed: {'; '.join(words.refused)}")
    return speech(words.samples, store.claims)


class Crew:
    """Clients of one kind. They are opened with the first round, and anew with a new handle."""

    def __init__(self, kind: Kind, store: StoreUnderTest, clients: int) -> None:
        """Raises NothingToSay."""
        self.kind: Kind = kind
        self.clients = clients
        self.ids: list[str | None] = []  # by which the store knows the sessions of the last round
        self._store = store
        self._speech = said_by(store)
        self._seats: Seats | None = None
        self._handle: Handle | None = None

    @property
    def named(self) -> str:
        """As in "8 threads"."""
        one, many = _NAMES[self.kind]
        on = " on one handle" if self.kind == "shared" else ""
        return f"{self.clients} {one if self.clients == 1 else many}{on}"

    def work(
        self,
        round_: Round,
        folder: Path,
        *,
        under: AbstractContextManager[object] | None = None,
        later: int = 0,
    ) -> Worked:
        """Carry the round out, with its journals in this folder, which must be empty.

        It has at most one program for each client, and after them as many ``later`` ones: the
        first of them are carried out ``under`` a trouble, the later ones by the same handles once
        that has ended. After a hang or a crash the store is at a fresh location, where the next
        round opens it anew.
        """
        files.name_sessions(folder, round_.sessions)
        frames: dict[str, str] = {}
        try:
            stopped = self._work(round_, folder, under or nullcontext(), later, frames)
        except Stopped as stop:
            stopped = stop.outcome
        except CannotOpen as error:
            stopped = error.outcome("fail")
        if stopped is not None:
            self.close()
            self._store.fresh_location()
        return Worked(_history(folder, round_), stopped, frames)

    def close(self) -> None:
        """Close what the clients have opened."""
        seats, self._seats = self._seats, None
        if seats is not None:
            seats.close()

    def _work(
        self,
        round_: Round,
        folder: Path,
        under: AbstractContextManager[object],
        later: int,
        frames: dict[str, str],
    ) -> Outcome | None:
        seats = self._opened()
        by_store = self._store.claims.session_ids == "store"
        ids: list[str | None] = [*round_.sessions]
        made = round_.created and needs_create(self._store.claims, self._capabilities)
        if by_store and needs_create(self._store.claims, self._capabilities):
            ids = [None] * len(ids)
        self.ids = ids
        awaited = self._store.awaited
        setting = Setting(folder, self._speech, ids, by_store, awaited=awaited, frames=frames)
        jobs, steward = jobs_of(round_), Steward(round_, self._capabilities)
        stopped = seats.work([steward.creates()], setting) if made else None
        first, last = jobs[: len(jobs) - later], jobs[len(jobs) - later :]
        with under:
            stopped = stopped or seats.work(first, setting)
        if stopped is None and last:
            stopped = seats.work([replace(job, budget_s=_QUIET_S) for job in last], setting)
        if stopped is not None:
            return stopped
        fresh = seats.fresh()
        try:
            return fresh.work([steward.reads()], setting)
        finally:
            fresh.close()

    @property
    def _capabilities(self) -> frozenset[str]:
        return frozenset(self._store.handle().capabilities)

    def _opened(self) -> Seats:
        handle = self._store.handle()  # a location is known to open before many open it
        if self._seats is None or self._handle is not handle:
            self.close()
            self._handle = handle
            self._seats = _SEATS[self.kind](self._store, self.clients)
        return self._seats


def _history(folder: Path, round_: Round) -> History:
    """What the journals in this folder say; there are none when nobody came to begin."""
    if not any(folder.glob(f"*{SUFFIX}")):
        return History(np.zeros(0, ROW), sessions=round_.sessions)
    return files.load(folder)


@contextmanager
def crew(kind: Kind, store: StoreUnderTest, *, clients: int | None = None) -> Iterator[Crew]:
    """So many clients of this kind on the store's location; raises NothingToSay."""
    made = Crew(kind, store, CLIENTS[kind] if clients is None else clients)
    try:
        yield made
    finally:
        made.close()


def jobs_of(round_: Round) -> list[Job]:
    """What each client of the round is to do."""
    number = len(round_.programs)
    shortest = min(map(len, round_.programs), default=0)
    return [
        Job(
            program=program,
            client=at,
            clients=number + 1,
            first=round_.first + at,
            stride=number,
            budget_s=round_.budget_s,
            meets=round_.meets,
            meets_until=shortest,
            gathers=round_.gathers[at] if round_.gathers else (),
            pauses=round_.pauses[at] if round_.pauses else (),
        )
        for at, program in enumerate(round_.programs)
    ]


class Steward:
    """One more client, who makes sessions before the others begin and reads them afterwards."""

    def __init__(self, round_: Round, capabilities: frozenset[str]) -> None:
        self._round = round_
        self._counts = sum(name in capabilities for name in ("get", "count"))

    def creates(self) -> Job:
        """Make every session of the round."""
        sessions = range(len(self._round.sessions))
        return self._job(0, [Call(F.CREATE, at, phase=Phase.RAMP) for at in sessions])

    def reads(self) -> Job:
        """Read every session, and count it where the clients did."""
        sessions = range(len(self._round.sessions))
        calls = [Call(F.READ, at, phase=Phase.FINAL) for at in sessions]
        if any(call.f is F.COUNT for program in self._round.programs for call in program):
            calls += [
                Call(F.COUNT, at, phase=Phase.FINAL) for at in sessions for _ in range(self._counts)
            ]
        return self._job(len(sessions), calls)

    def _job(self, used: int, calls: Sequence[Call]) -> Job:
        programs = self._round.programs
        longest = max(map(len, programs), default=0)
        return Job(
            program=tuple(calls),
            client=len(programs),
            clients=len(programs) + 1,
            first=self._round.first + longest * len(programs) + used,
            stride=1,
            budget_s=_QUIET_S,
        )


def _threads(store: StoreUnderTest, clients: int) -> ThreadSeats:
    with ExitStack() as opened:
        handles = []
        for _ in range(clients):
            handle = store.another_handle()
            opened.callback(handle.close)
            handles.append(handle)
        opened.pop_all()  # all are open: the seats close them
    operation_s = store.deadlines.operation_s
    return ThreadSeats(handles, store.another_handle, operation_s=operation_s)


class _Nothing:
    """Stands where a thread has no store of its own."""

    def append(self, session_id: str, messages: Sequence[Any]) -> None: ...

    def read(self, session_id: str) -> Sequence[Any]:  # noqa: ARG002
        return ()

    def close(self) -> None: ...


def _shared(store: StoreUnderTest, clients: int) -> ThreadSeats:
    nothing = StoreSpec(store.spec.name, lambda _: _Nothing())
    handles = [Handle(nothing, store.location, deadlines=store.deadlines) for _ in range(clients)]
    return ThreadSeats(
        handles,
        store.another_handle,
        operation_s=store.deadlines.operation_s,
        shared=store.handle(),
    )


def _tasks(store: StoreUnderTest, clients: int) -> TaskSeats:
    handle, shared = store.handle(), store.claims.shared_handle
    opening, location = store.spec.open, store.location

    def another() -> Any:
        opened = handle.lend("open()", lambda _, wait: waited(opening(location), wait))
        if opened.failure is not None:
            why = opened.failure
            raise CannotOpen(f"a second time: {why}", why)
        return opened.value

    stores = [raw(handle)] * clients if shared else [another() for _ in range(clients)]
    return TaskSeats(
        handle, stores, another, operation_s=store.deadlines.operation_s, closes=not shared
    )


def _processes(store: StoreUnderTest, clients: int) -> ProcessSeats:
    return ProcessSeats(store.spec.name, store.location, number=clients, deadlines=store.deadlines)


_SEATS: dict[Kind, Callable[[StoreUnderTest, int], Seats]] = {
    "threads": _threads,
    "shared": _shared,
    "tasks": _tasks,
    "processes": _processes,
}
