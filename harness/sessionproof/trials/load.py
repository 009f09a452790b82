"""Many clients at once: throughput, and latency against offered rate.

Nothing here judges a time. But a store that loses what it acknowledged must not shine for it: after
the load its sessions are read back, and each holds as many messages as were acknowledged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from sessionproof.bench.blocks import failures
from sessionproof.bench.clients import Appends, Block, Shift, Work
from sessionproof.bench.crews import CannotMeasure, ProcessCrew
from sessionproof.bench.floors import Synchronous, synchronous_for
from sessionproof.bench.throughput import at_rates, beside_floor, by_number
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.measurements import Speed
from sessionproof.contract.message import Message
from sessionproof.contract.operations import CRASH, Append, Failure, Outcome, Read
from sessionproof.contract.seed import derive
from sessionproof.trials.beside import own_folder
from sessionproof.trials.clients import CLIENTS, Crew, alone, crew_for, floors
from sessionproof.trials.single import NotClaimed, Trial
from sessionproof.workload.sessions import begin
from sessionproof.workload.texts import ZEROS, said, text_bytes
from sessionproof.workload.threads import Stopped

PROCESSES = 4
NUMBERS = (1, 2, 4, 8)  # of threads or tasks; processes up to half of all
_GATE_ROUNDS = 200  # of the profile to which the times below belong
_ROUNDS = 5  # the profile's rounds over ours: a block here is many calls
_LEAST_ROUNDS = 16
_TURNS_S, _ONE_SESSION_S, _SWEEP_S, _OFFERED_S = 0.6, 0.3, 0.06, 3.0
_LEAST_S = 0.15
_LATEST_S = 12.0  # after which no further part begins
_BEGIN_S = 1.0  # after which no call of a block begins


@dataclass
class _Bench:
    """The store with its sessions, and an account of what it acknowledged in each of them."""

    trial: Trial
    message: Message
    appends: Appends
    floor: Path
    sessions: tuple[str, ...] = ()
    kept: Counter[str] = field(default_factory=Counter)
    unsure: Counter[str] = field(default_factory=Counter)
    started_s: float = field(default_factory=monotonic_s)

    @property
    def whole(self) -> bool:
        """Whether the profile has time for more than threads beside a floor."""
        return self.trial.profile.rounds >= _GATE_ROUNDS

    @property
    def rounds(self) -> int:
        """How often a store and its floor take turns."""
        return max(_LEAST_ROUNDS, self.trial.profile.rounds // _ROUNDS)

    @property
    def longest_s(self) -> float:
        """How long clients may go on: one deadline of a call bounds all that a handle is lent."""
        return self.trial.store.deadlines.operation_s / 10

    @property
    def most_s(self) -> float:
        """How long calls of a block may begin."""
        return min(_BEGIN_S, self.longest_s)

    @property
    def synchronous(self) -> Synchronous:
        """That of the floor."""
        return synchronous_for(self.trial.claims.durability)

    def seconds(self, of_gate: float) -> float:
        """A time of the gate profile, in this one."""
        return of_gate * self.trial.profile.rounds / _GATE_ROUNDS

    def part(self, name: str, measure: Callable[[], object]) -> None:
        """Measure one part, unless time is over; why it was not measured becomes a note."""
        if monotonic_s() - self.started_s > max(_LEAST_S, self.seconds(_LATEST_S)):
            self.trial.notes.append(f"{name}: not measured: no time was left for it")
            return
        try:
            measure()
        except CannotMeasure as reason:
            self.trial.notes.append(f"{name}: not measured: {reason}")

    def counted(self, work: Work) -> Work:
        """The same with its calls in the account."""

        def counting(shift: Shift) -> Block:
            try:
                block = work(shift)
            except CannotMeasure:  # what one of ours did not tell, others may have appended
                for session in shift.sessions:
                    self.unsure[session] += shift.calls or len(shift.due)
                raise
            for session, did in zip(shift.sessions, block.did, strict=True):
                self.kept[session] += did.number("ok")
                self.unsure[session] += did.number("info")
            self.appends.stock()
            for text in failures([block]):
                if text.startswith(f"{CRASH}: "):  # of a store behind a pipe
                    raise Stopped(Outcome("info", failure=Failure(CRASH, text)))
            return block

        return counting


def many_clients(trial: Trial) -> None:
    """Have as many clients append at the same time as the claims allow, and measure them.

    Raises Broken for messages that are lost or too many afterwards, a call that hangs, and a
    process that ends; NotClaimed where the claims allow one client alone.
    """
    trial.store.fresh_location()
    parent = trial.store.location.root.parent
    with own_folder("floor-", below=parent) as folder:
        bench = _prepared(trial, Path(folder) / "floor.db")
        gathering = crew_for(trial)
        try:
            with gathering(trial, bench.appends) as crew:
                counted = replace(crew, work=bench.counted(crew.work))
                _beside_floors(bench, counted)
                if trial.claims.handles == "processes" and bench.whole:
                    bench.part("processes", lambda: _of_processes(bench))
                if bench.whole:
                    _by_load(bench, counted)
        except Stopped as stopped:
            trial.require_ok(stopped.outcome, "appended by many clients at the same time")
    _read_back(bench)
    if gathering is alone:
        raise NotClaimed(
            f"the store does not claim several clients at once (handles={trial.claims.handles})"
        )
    if not trial.claims.costs:
        raise NotClaimed("the store claims no costs; what was measured is in the report")


def _prepared(trial: Trial, floor: Path) -> _Bench:
    """Sessions with a message each: what a first append does beside is not measured."""
    sample, text = trial.several(1)[0], ZEROS[: text_bytes(trial.claims, len(ZEROS))]
    message = said(sample, text, at_us=sample.created_at_us)
    bench = _Bench(trial, message, Appends(message), floor)
    handle, prefix = trial.handle(), trial.store.next_program()
    for number in range(CLIENTS):
        begun = begin(handle, f"{prefix}client{number}", trial.claims, trial.capabilities)
        trial.require_ok(begun, "created a session")
        session = str(begun.value)
        _, messages = bench.appends(session)
        appended = handle.invoke(Append(f"s{number}", tuple(messages)), session)
        trial.require_ok(appended, "appended to a session")
        bench.kept[session] += 1
        bench.sessions += (session,)
    return bench


def _beside_floors(bench: _Bench, crew: Crew) -> None:
    """Threads or tasks beside as many of raw SQLite: on a session each, then all on one."""
    if crew.number == 1:
        return
    sessions, name = bench.sessions[: crew.number], crew.named(crew.number)
    with floors(bench.floor, crew.number, synchronous=bench.synchronous) as floor:
        turns = partial(_beside, bench, crew, floor)
        bench.part(name, lambda: turns(sessions, name, _TURNS_S))
        if bench.whole and bench.trial.claims.writes == "append":  # else each undoes others
            one, of_one = sessions[:1] * crew.number, f"{name}, one session"
            bench.part(of_one, lambda: turns(one, of_one, _ONE_SESSION_S))


def _by_load(bench: _Bench, crew: Crew) -> None:
    """Threads or tasks by their number, and at offered rates."""
    numbers = [number for number in NUMBERS if number <= crew.number]
    bench.part("throughput by clients", lambda: _swept(bench, crew, numbers))
    bench.part("offered rates", lambda: _offered(bench, crew, bench.sessions[: crew.number]))


def _offered(bench: _Bench, crew: Crew, sessions: tuple[str, ...]) -> None:
    """Latency at rates around what all clients together reached in a closed loop."""
    rows = [row for row in bench.trial.measured if isinstance(row, Speed)]
    reached = next((row for row in rows if row.clients == crew.named(crew.number)), None)
    if reached is None:
        raise CannotMeasure("it is not known what the clients reach without")
    load = at_rates(
        crew.work,
        sessions,
        reached,
        total_s=bench.seconds(_OFFERED_S),
        longest_s=bench.longest_s,
        seed=derive(bench.trial.seed, "offered"),
    )
    if load is None:
        raise CannotMeasure("the store is too slow for rates with enough calls")
    bench.trial.measured.append(load)


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
        synchronous=bench.synchronous,
        awaits="append" in trial.store.awaited,
        open_s=deadlines.open_s,
        operation_s=deadlines.operation_s,
    )
    try:
        processes = Crew("process", PROCESSES, bench.counted(partial(crew.work, "store")))
        sessions = bench.sessions[:PROCESSES]
        floor = partial(crew.work, "floor")
        _beside(bench, processes, floor, sessions, f"{PROCESSES} processes", _TURNS_S)
        numbers = [number for number in NUMBERS if number < PROCESSES]
        bench.part("throughput by processes", lambda: _swept(bench, processes, numbers))
    finally:
        crew.close()


def _beside(
    bench: _Bench, crew: Crew, floor: Work, sessions: tuple[str, ...], name: str, seconds: float
) -> None:
    """The row of clients beside a floor; ``seconds`` are those of the gate profile."""
    row = beside_floor(
        crew.work,
        floor,
        sessions,
        clients=name,
        words=f"raw SQLite, synchronous={bench.synchronous}, a connection for each client",
        rounds=bench.rounds,
        seconds=max(_LEAST_S, bench.seconds(seconds)),
        most_s=bench.most_s,
        seed=derive(bench.trial.seed, name),
    )
    bench.trial.measured.append(row)
    if row.ratio is not None:
        bench.trial.count("rounds", row.ratio.rounds)


def _swept(bench: _Bench, crew: Crew, numbers: Sequence[int]) -> None:
    """Rows for so many clients each."""
    bench.trial.measured += by_number(
        crew.work,
        bench.sessions,
        numbers,
        crew.named,
        seconds=bench.seconds(_SWEEP_S),
        most_s=bench.most_s,
    )


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
