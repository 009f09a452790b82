"""A few clients that call any method at the same time, each call with its times and its outcome.

Crews carry appends and reads out and write journals; here are sweeps, limits, snapshots and
searches, in short programs whose answers are kept in memory.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Barrier, BrokenBarrierError
from typing import Any, TypeAlias

from sessionproof.contract.clock import monotonic_ns, monotonic_s
from sessionproof.contract.errors import Conflict
from sessionproof.contract.lookup import StoreSpec
from sessionproof.contract.operations import Outcome
from sessionproof.host.client import open_hosted
from sessionproof.workload import lifetime
from sessionproof.workload.awaiting import waited
from sessionproof.workload.crews import Kind
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.guard import Handle, Wait, outcome_of
from sessionproof.workload.seats import frequent_switches, raw
from sessionproof.workload.threads import Stopped, Threads
from sessionproof.workload.upkeep import answered

_TOLD = frozenset(
    {"get", "pop_last", "read", "search", "snapshot", "snapshots", "sweep", "transact"}
)
"""Methods whose answers are looked at; of the others nothing is asked but that they return."""

_ATTEMPTS = 40  # of a call that is refused with Conflict, as a client would
_PATIENCE_S = 1.0  # for the others: a call comes in time, or it comes without them
_CALL_S = 0.2  # is added to the deadline of a race for each call of its longest program


@dataclass(frozen=True)
class Ask:
    """A call, to be made once so many calls of all clients have begun, and not before a time.

    ``not_before_ns`` is on the monotonic clock.
    """

    method: str
    arguments: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    after: int = 0
    not_before_ns: int = 0


@dataclass(frozen=True)
class Did:
    """A call with its times in nanoseconds of the monotonic clock."""

    ask: Ask
    outcome: Outcome
    began_ns: int
    ended_ns: int

    def overlaps(self, other: Did) -> bool:
        """Whether both were under way at some moment."""
        return self.began_ns < other.ended_ns and other.began_ns < self.ended_ns


Program: TypeAlias = Sequence[Ask]
_Steps: TypeAlias = Generator[Any, Any, None]


class _Race:
    """What the clients of a race have in common."""

    def __init__(self, programs: Sequence[Program], ends_s: float) -> None:
        self.begun = 0
        self.ends_s = ends_s
        self.calls = sum(map(len, programs))
        self.barrier = Barrier(len(programs))
        self.done: list[list[Did]] = [[] for _ in programs]

    def start(self) -> None:
        """Wait for the others."""
        with suppress(BrokenBarrierError):
            self.barrier.wait(_PATIENCE_S)

    def steps(self, at: int, program: Program, store: Any) -> _Steps:
        """One client's calls; gives out what must be awaited, or the seconds to sleep."""
        for ask in program:
            yield from self._turn(ask)
            if monotonic_s() > self.ends_s:
                break
            self.begun += 1  # of several threads at once one may be lost: it is a hint
            began = monotonic_ns()
            try:
                value = yield from _called(store, ask)
                outcome = Outcome("ok", value)
            except BaseException as error:  # noqa: BLE001 - a store may raise anything
                outcome = outcome_of(error)
            self.done[at].append(Did(ask, outcome, began, monotonic_ns()))
            yield 0.0

    def _turn(self, ask: Ask) -> _Steps:
        left_ns = ask.not_before_ns - monotonic_ns()
        if left_ns > 0:
            yield left_ns / 1e9
        until = monotonic_s() + _PATIENCE_S
        while self.begun < min(ask.after, self.calls - 1) and monotonic_s() < until:
            yield 0.0


def _called(store: Any, ask: Ask) -> Generator[Any, Any, Any]:
    for attempt in itertools.count(1):
        try:
            value = yield getattr(store, ask.method)(*ask.arguments, **ask.options)
        except Conflict:
            if attempt == _ATTEMPTS:
                raise
            yield attempt / 10_000
        else:
            break
    return answered(ask.method, value) if ask.method in _TOLD else value


def _in_thread(steps: _Steps, wait: Wait) -> None:
    """Carry a client's steps out: numbers are slept, everything else is what a call answered."""
    came: Any = None
    raised: BaseException | None = None
    with suppress(StopIteration):
        while True:
            given = steps.throw(raised) if raised is not None else steps.send(came)
            came = raised = None
            if type(given) is float:
                time.sleep(given)
                continue
            try:
                came = waited(given, wait)
            except BaseException as error:  # noqa: BLE001 - as above
                raised = error


async def _as_task(steps: _Steps) -> None:
    came: Any = None
    raised: BaseException | None = None
    with suppress(StopIteration):
        while True:
            given = steps.throw(raised) if raised is not None else steps.send(came)
            came = raised = None
            if type(given) is float:
                await asyncio.sleep(given)
                continue
            try:
                came = await given if isinstance(given, Awaitable) else given
            except BaseException as error:  # noqa: BLE001 - as above
                raised = error


class Racers:
    """So many clients of one kind on the store's location, each with a handle of its own.

    Of the kind ``shared`` all but the last one use one handle.
    """

    def __init__(self, kind: Kind, store: StoreUnderTest, number: int) -> None:
        """Raises CannotOpen."""
        self.kind: Kind = kind
        self.number = number
        self._store = store
        self._handle = store.handle()
        self._handles: list[Handle] = []
        self._stores: list[Any] = []
        self._threads: Threads | None = None
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    @property
    def named(self) -> str:
        """As in "4 threads"."""
        many = {"shared": "threads"}.get(self.kind, self.kind)
        return f"{self.number} {many}"

    def set_clocks(self, now_us: Sequence[int | None]) -> Outcome:
        """Let each client's clock stand at its time; the first outcome that is not ok, or ok."""
        for at, time_us in enumerate(now_us):
            if self.kind == "tasks":
                action = partial(_on_one, self._stores[at], "set_clock", time_us)
                outcome = self._handle.lend("set_clock", action)
            else:
                outcome = lifetime.set_clock(self._handle_of(at), time_us)
            if outcome.type != "ok":
                return outcome
        return Outcome("ok")

    def race(self, programs: Sequence[Program]) -> list[list[Did]]:
        """Each client's calls, begun together; raises Stopped for a hang.

        No call begins later than the deadline of a single one: slow stores come to less.
        """
        operation_s, longest = self._store.deadlines.operation_s, max(map(len, programs))
        race = _Race(programs, monotonic_s() + operation_s)
        deadline_s = 2 * operation_s + _CALL_S * longest
        with frequent_switches():
            _CARRIED[self.kind](self, race, programs, deadline_s)
        return race.done

    def close(self) -> None:
        """Close what was opened for them."""
        stores, self._stores = self._stores, []
        for store in stores if self.kind == "tasks" else ():
            self._handle.lend("close()", partial(_on_one, store, "close"))
        handles, self._handles = self._handles, []
        for handle in handles:
            handle.close()
        if self._threads is not None:
            self._threads.close()

    def _open(self) -> None:
        if self.kind == "tasks":
            for _ in range(self.number):
                self._stores.append(self._another_on_the_loop())
            return
        opened = 2 if self.kind == "shared" else self.number
        spec = self._store.spec
        if self.kind == "processes":
            spec = StoreSpec(f"cmd:{spec.name}", partial(open_hosted, spec.name))
        for _ in range(opened):
            self._handles.append(
                Handle(
                    spec, self._store.location,
                    deadlines=self._store.deadlines, awaited=self._store.awaited,
                )
            )  # fmt: skip
        if self.kind == "shared":
            self._threads = Threads(self.number)

    def _another_on_the_loop(self) -> Any:
        opening, location = self._store.spec.open, self._store.location
        outcome = self._handle.lend("open()", lambda _, wait: waited(opening(location), wait))
        if outcome.failure is not None:
            raise Stopped(outcome)
        return outcome.value

    def _handle_of(self, at: int) -> Handle:
        if self.kind == "shared":
            return self._handles[int(at == self.number - 1)]
        return self._handles[at]

    def _in_handles(self, race: _Race, programs: Sequence[Program], deadline_s: float) -> None:
        began = monotonic_s()
        for at, program in enumerate(programs):
            action = partial(_in_place, race, at, program)
            self._handles[at].begin(f"{self.named} at once", action)
        ended = [
            handle.ended(max(0.0, deadline_s - (monotonic_s() - began)))
            for handle in self._handles[: len(programs)]
        ]
        for outcome in ended:
            _require_end(outcome)

    def _in_threads(self, race: _Race, programs: Sequence[Program], deadline_s: float) -> None:
        assert self._threads is not None
        stores = [raw(self._handle_of(at)) for at in range(len(programs))]
        jobs = [
            partial(_in_place, race, at, program, stores[at], _no_wait)
            for at, program in enumerate(programs)
        ]
        self._threads.together(jobs, deadline_s=deadline_s)

    def _on_the_loop(self, race: _Race, programs: Sequence[Program], deadline_s: float) -> None:
        stores = self._stores

        async def all_of_them() -> None:
            each = (race.steps(at, one, stores[at]) for at, one in enumerate(programs))
            await asyncio.gather(*map(_as_task, each))

        self._handle.begin(f"{self.named} at once", lambda _, wait: wait(all_of_them()))
        _require_end(self._handle.ended(deadline_s))


_CARRIED: Mapping[Kind, Callable[[Racers, _Race, Sequence[Program], float], None]] = {
    "threads": Racers._in_handles,
    "processes": Racers._in_handles,
    "shared": Racers._in_threads,
    "tasks": Racers._on_the_loop,
}


def _in_place(race: _Race, at: int, program: Program, store: Any, wait: Wait) -> None:
    race.start()
    _in_thread(race.steps(at, program, store), wait)


def _no_wait(_: Awaitable[Any]) -> Any:
    raise RuntimeError("a handle that answers awaitables is not shared by threads")


def _on_one(store: Any, method: str, *given: Any) -> None:
    """The arguments end with the handle's own store, which is another one, and its ``wait``."""
    *arguments, _, wait = given
    waited(getattr(store, method)(*arguments), wait)


def _require_end(outcome: Outcome) -> None:
    """Raise Stopped for a hang; what our own steps raised, as what it is."""
    if outcome.failure is not None:
        raise Stopped(outcome)


@contextmanager
def racers(kind: Kind, store: StoreUnderTest, number: int) -> Iterator[Racers]:
    """So many clients of this kind; raises CannotOpen."""
    with ExitStack() as stack:
        made = Racers(kind, store, number)
        stack.callback(made.close)
        yield made
