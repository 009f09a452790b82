"""Many clients at once: throughput, and latency against offered rate.

Nothing here judges a time. But a store that loses what it acknowledged must not shine for it: after
the load its sessions are read back, and each holds as many messages as were acknowledged.
"""

from __future__ import annotations

import inspect
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sessionproof.bench.blocks import failures
from sessionproof.bench.clients import Block, Did, Shift, Work, appending, tasks
from sessionproof.bench.crews import CannotMeasure, ProcessCrew, Seat, Stopped, ThreadCrew
from sessionproof.bench.floors import Floor, synchronous_for
from sessionproof.bench.throughput import at_rates, beside_floor, by_number
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.measurements import Speed
from sessionproof.contract.message import Message
from sessionproof.contract.operations import CRASH, Append, Create, Failure, Outcome, Read
from sessionproof.contract.seed import derive
from sessionproof.trials.single import NotClaimed, Trial
from sessionproof.workload.guard import Handle, Wait

T = TypeVar("T")

CLIENTS = 10
PROCESSES = 4
_GATE_ROUNDS = 200  # of the profile to which the times below belong
_ROUNDS = 5  # the profile's rounds over ours: a block here is many calls
_LEAST_ROUNDS = 16
_TURNS_S, _ONE_SESSION_S, _SWEEP_S, _OFFERED_S = 0.8, 0.4, 0.06, 2.2
_LATEST_S = 5.0  # after which no further part begins
_BEGIN_S = 1.0  # after which no call of a block begins
_FLOOR_S = 60.0  # for a call of raw SQLite, which waits for its lock at most half of it


@dataclass
class _Bench:
    """The store with its sessions, and an account of what it acknowledged in each of them."""

    trial: Trial
    message: Message
    floor: Path
    sessions: tuple[str, ...] = ()
    kept: Counter[str] = field(default_factory=Counter)
    unsure: Counter[str] = field(default_factory=Counter)
    started_s: float = field(default_factory=monotonic_s)

    @property
    def rounds(self) -> int:
        """How often a store and its floor take turns."""
        return max(_LEAST_ROUNDS, self.trial.profile.rounds // _ROUNDS)

    @property
    def most_s(self) -> float:
        """How long calls of a block may begin: its end stays far from the deadline of a call."""
        return min(_BEGIN_S, self.trial.store.deadlines.operation_s / 10)

    @property
    def floor_words(self) -> str:
        """What stands beside the store."""
        synchronous = synchronous_for(self.trial.claims.durability)
        return f"raw SQLite, synchronous={synchronous}, a connection for each client"

    def seconds(self, of_gate: float) -> float:
        """A time of the gate profile, in this one."""
        return of_gate * self.trial.profile.rounds / _GATE_ROUNDS

    def has_time(self, part: str) -> bool:
        """Whether a further part may begin; notes it when not."""
        if monotonic_s() - self.started_s < self.seconds(_LATEST_S):
            return True
        self.trial.notes.append(f"{part}: not measured, as the store is slow")
        return False

    def counted(self, work: Work) -> Work:
        """The same with its calls in the account."""

        def counting(shift: Shift) -> Block:
            block = work(shift)
            for session, did in zip(shift.sessions, block.did, strict=True):
                self.kept[session] += did.number("ok")
                self.unsure[session] += did.number("info")
            for text in failures([block]):
                if text.startswith(f"{CRASH}: "):  # of a store behind a pipe
                    raise Stopped(Outcome("info", failure=Failure(CRASH, text)))
            return block

        return counting


@dataclass(frozen=True)
class _Crew:
    """Clients of one kind ("thread"), so many of them, and what has them work."""

    kind: str
    number: int
    work: Work

    def named(self, number: int) -> str:
        """As in "10 threads"."""
        plural = "es" if self.kind.endswith("s") else "s"
        return f"{number} {self.kind}{plural if number > 1 else ''}"


def many_clients(trial: Trial) -> None:
    """Have as many clients append at the same time as the claims allow, and measure them.

    Raises Broken for messages that are lost or too many afterwards, a call that hangs, and a
    process that ends; NotClaimed where the claims allow one client alone.
    """
    trial.store.fresh_location()
    parent = trial.store.location.root.parent
    with tempfile.TemporaryDirectory(prefix="floor-", dir=parent) as folder:
        bench = _prepared(trial, Path(folder) / "floor.db")
        crew_of = _crew_for(trial)
        try:
            with crew_of(bench) as crew:
                _of_one_process(bench, crew)
            if trial.claims.handles == "processes" and bench.has_time("processes"):
                _of_processes(bench)
        except Stopped as stopped:
            trial.require_ok(stopped.outcome, "appended by many clients at the same time")
        except CannotMeasure as reason:
            trial.notes.append(f"many clients: {reason}")
    _read_back(bench)
    if crew_of is _alone:
        raise NotClaimed(
            f"the store does not claim several clients at once (handles={trial.claims.handles})"
        )
    if not trial.claims.costs:
        raise NotClaimed("the store claims no costs; what was measured is in the report")


def _prepared(trial: Trial, floor: Path) -> _Bench:
    """Sessions with a message each: what a first append does beside is not measured."""
    bench = _Bench(trial, trial.several(1)[0], floor)
    claims, handle = trial.claims, trial.handle()
    by_store = claims.session_ids == "store"
    creates = by_store or claims.missing_session == "refuses"
    arguments, prefix = appending(bench.message), trial.store.next_program()
    for number in range(CLIENTS):
        session = f"{prefix}client{number}"
        if creates and "create" in trial.capabilities:
            made = handle.invoke(Create(f"s{number}"), None if by_store else session)
            trial.require_ok(made, "created a session")
            session = made.value
        _, messages = arguments(session)
        appended = handle.invoke(Append(f"s{number}", tuple(messages)), session)
        trial.require_ok(appended, "appended to a session")
        bench.kept[session] += 1
        bench.sessions += (session,)
    return bench


def _of_one_process(bench: _Bench, crew: _Crew) -> None:
    """Threads or tasks: beside a floor, on one session, by their number, at offered rates."""
    trial, sessions = bench.trial, bench.sessions[: crew.number]
    whole = trial.profile.rounds >= _GATE_ROUNDS
    reached: Speed | None = None
    if crew.number > 1:
        with _floors(bench, crew.number) as floor:
            reached = _beside(bench, crew, floor, sessions, crew.named(crew.number), _TURNS_S)
            if whole and bench.has_time("one session"):
                one = sessions[:1] * crew.number
                name = f"{crew.named(crew.number)}, one session"
                _beside(bench, crew, floor, one, name, _ONE_SESSION_S)
    if not whole:
        return
    if bench.has_time("throughput by clients"):
        swept = _swept(bench, crew, (1, 2, 4, 8)[: crew.number])
        reached = reached or swept[0]
    if reached is not None and bench.has_time("offered rates"):
        load = at_rates(
            crew.work,
            sessions,
            reached,
            total_s=bench.seconds(_OFFERED_S),
            seed=derive(trial.seed, "offered"),
        )
        if load is None:
            trial.notes.append("offered rates: not measured, as the store is slow")
        else:
            trial.measured.append(load)


def _of_processes(bench: _Bench) -> None:
    """Processes: beside a floor, and by their number."""
    trial = bench.trial
    deadlines = trial.store.deadlines
    crew = ProcessCrew(
        trial.store.spec.name,
        trial.store.location,
        bench.message,
        number=PROCESSES,
        floor=bench.floor,
        synchronous=synchronous_for(trial.claims.durability),
        awaits="append" in trial.store.awaited,
        open_s=deadlines.open_s,
        operation_s=deadlines.operation_s,
    )
    try:
        processes = _Crew("process", PROCESSES, bench.counted(partial(crew.work, "store")))
        sessions = bench.sessions[:PROCESSES]
        floor = partial(crew.work, "floor")
        _beside(bench, processes, floor, sessions, f"{PROCESSES} processes", _TURNS_S)
        if bench.has_time("throughput by processes"):
            _swept(bench, processes, (1, 2))
    finally:
        crew.close()


def _beside(
    bench: _Bench, crew: _Crew, floor: Work, sessions: tuple[str, ...], name: str, seconds: float
) -> Speed:
    row = beside_floor(
        crew.work,
        floor,
        sessions,
        clients=name,
        words=bench.floor_words,
        rounds=bench.rounds,
        seconds=bench.seconds(seconds),
        most_s=bench.most_s,
        seed=derive(bench.trial.seed, name),
    )
    bench.trial.measured.append(row)
    if row.ratio is not None:
        bench.trial.count("rounds", row.ratio.rounds)
    return row


def _swept(bench: _Bench, crew: _Crew, numbers: tuple[int, ...]) -> list[Speed]:
    rows = by_number(
        crew.work,
        bench.sessions,
        numbers,
        crew.named,
        seconds=bench.seconds(_SWEEP_S),
        most_s=bench.most_s,
    )
    bench.trial.measured += rows
    return rows


@contextmanager
def _floors(bench: _Bench, number: int) -> Iterator[Work]:
    """So many connections of raw SQLite in as many threads."""
    synchronous = synchronous_for(bench.trial.claims.durability)
    with ExitStack() as stack:
        floors = [Floor(bench.floor, synchronous=synchronous) for _ in range(number)]
        for floor in floors:
            stack.callback(floor.close)
        seats = [partial(_call, floor.append) for floor in floors]
        crew = ThreadCrew(seats, lambda session: (session, "x"), deadline_s=_FLOOR_S)
        stack.callback(crew.close)
        yield crew.work


_CrewOf = Callable[[_Bench], AbstractContextManager[_Crew]]


def _crew_for(trial: Trial) -> _CrewOf:
    """The kind of clients that may use the store at the same time within one process."""
    if "append" in trial.store.awaited:
        return _as_tasks if trial.claims.at_least("handles", "tasks") else _alone
    if not trial.claims.at_least("handles", "threads"):
        return _alone
    # A pipe takes one call at a time: many are only served by a process for each.
    shares = trial.claims.shared_handle and not trial.store.spec.name.startswith("cmd:")
    return _on_one_handle if shares else _on_own_handles


@contextmanager
def _on_one_handle(bench: _Bench) -> Iterator[_Crew]:
    """Threads that share the handle."""
    append = _lent(bench.trial.handle(), lambda store, _: store.append)
    with _threads(bench, [partial(_call, append)] * CLIENTS) as crew:
        yield crew


@contextmanager
def _on_own_handles(bench: _Bench) -> Iterator[_Crew]:
    """Threads with a handle each."""
    with ExitStack() as stack:
        seats = []
        for _ in range(CLIENTS):
            handle = bench.trial.store.another_handle()
            stack.callback(handle.close)
            seats.append(partial(_call_on, handle))
        yield stack.enter_context(_threads(bench, seats))


@contextmanager
def _alone(bench: _Bench) -> Iterator[_Crew]:
    """The one client that the claims allow."""
    if "append" in bench.trial.store.awaited:
        append = _lent(bench.trial.handle(), lambda store, _: store.append)
        yield _of_tasks(bench, [append])
        return
    with _threads(bench, [partial(_call_on, bench.trial.handle())]) as crew:
        yield crew


@contextmanager
def _as_tasks(bench: _Bench) -> Iterator[_Crew]:
    """Tasks on the event loop of the handle: on the handle itself, or on one each beside it."""
    handle, location = bench.trial.handle(), bench.trial.store.location
    if bench.trial.claims.shared_handle:
        append = _lent(handle, lambda store, _: store.append)
        yield _of_tasks(bench, [append] * CLIENTS)
        return
    opening = bench.trial.store.spec.open
    with ExitStack() as stack:
        stores = []
        for _ in range(CLIENTS):
            store = _lent(handle, lambda _, wait: _settled(opening(location), wait))
            stack.callback(_close_beside, handle, store)
            stores.append(store)
        yield _of_tasks(bench, [store.append for store in stores])


@contextmanager
def _threads(bench: _Bench, seats: Sequence[Seat]) -> Iterator[_Crew]:
    deadline_s = bench.trial.store.deadlines.operation_s
    crew = ThreadCrew(seats, appending(bench.message), deadline_s=deadline_s)
    try:
        yield _Crew("thread", len(seats), bench.counted(crew.work))
    finally:
        crew.close()


def _of_tasks(bench: _Bench, appends: list[Callable[..., Any]]) -> _Crew:
    handle, arguments = bench.trial.handle(), appending(bench.message)

    def work(shift: Shift) -> Block:
        block: Block = _lent(handle, lambda _, wait: wait(tasks(appends, arguments, shift)))
        return block

    return _Crew("task", len(appends), bench.counted(work))


def _call(append: Callable[..., object], work: Callable[[Callable[..., object]], Did]) -> Did:
    return work(append)


def _call_on(handle: Handle, work: Callable[[Callable[..., object]], Did]) -> Did:
    return _lent(handle, lambda store, _: work(store.append))


def _lent(handle: Handle, action: Callable[[Any, Wait], T]) -> T:
    """What the action answers in the handle's own thread; raises Stopped when it does not end."""
    outcome = handle.lend("appends by many clients", action)
    if outcome.failure is None:
        answer: T = outcome.value
        return answer
    raise Stopped(outcome)


def _settled(value: Any, wait: Wait) -> Any:
    return wait(value) if inspect.isawaitable(value) else value


def _close_beside(handle: Handle, store: Any) -> None:
    handle.lend("store.close()", lambda _, wait: _settled(store.close(), wait))


def _read_back(bench: _Bench) -> None:
    """Each session holds what was acknowledged, and beyond that at most what nobody knows of."""
    trial, handle = bench.trial, bench.trial.handle()
    retention = trial.claims.limits.retention
    for number, session in enumerate(bench.sessions):
        read = handle.invoke(Read(f"s{number}"), session)
        trial.require_ok(read, "read a session after many clients had appended to it")
        there, kept, unsure = len(read.value), bench.kept[session], bench.unsure[session]
        least, most = kept, kept + unsure
        if retention is not None:
            least, most = min(least, retention), min(most, retention)
        doubt = f", and of {unsure:,} more nobody knows" if unsure else ""
        trial.require(
            least <= there <= most,
            Anomaly.LOST_MESSAGE if there < least else Anomaly.DUPLICATE,
            did=f"appended single messages by {len(bench.sessions)} clients at the same time, "
            "then read a session",
            expected=f"{least:,} messages: so many appends were acknowledged{doubt}",
            seen=f"{there:,} messages",
        )
