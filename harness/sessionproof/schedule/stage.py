"""A stage: clients on a store at one location, whose programs are run under a strategy.

Clients are threads that outlive executions, as stores keep connections by thread. An execution
takes sessions of its own; before the first, every client has used the store once, so that what is
done only at a first use is not a part of what is explored.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import Any

from sessionproof.contract.location import Location
from sessionproof.contract.store import capabilities_of
from sessionproof.history.columns import F, Phase
from sessionproof.history.notes import Notes, history_of
from sessionproof.schedule.control import Controller
from sessionproof.schedule.decisions import QUIET, Ended, Point, Strategy, Usual
from sessionproof.schedule.hands import Action, Hands, Tasks, Threads, came
from sessionproof.schedule.lines import Lines, files_of
from sessionproof.schedule.managed import lasting
from sessionproof.schedule.program import OPERATION, Numbered, Program, Run, Setup
from sessionproof.workload.client import Client, Job
from sessionproof.workload.meeting import Meet
from sessionproof.workload.rounds import Call

_NO_BUDGET_S = 1e6
_BATCH = 256
_SPARED_MOST = 12  # threads; where there are more, each handle leaves some behind
_QUIET_FIRST = 1 << 20  # numbers of what is done before and after the clients


@dataclass(frozen=True)
class _Last:
    """The last execution, before anybody looked at what is there: ``before`` are quiet's rows."""

    run: Run
    ids: list[str | None]
    quiet: Notes
    notes: list[Notes]
    before: int


class Stage:
    """One location with its clients; it is used until ``broken``, then a new one is needed."""

    def __init__(
        self, setup: Setup, location: Location, controller: Controller | None = None
    ) -> None:
        self.broken = False
        self._setup = setup
        self._location = location
        self._controller = controller or Controller()
        self._lines = Lines() if setup.lines else None  # before the threads that it is to watch
        if self._lines is not None:
            self._lines.add(files_of(setup.spec.open))
        self._hands: Hands = (
            Tasks(self._controller)
            if setup.kind == "tasks"
            else Threads(self._controller, (QUIET, *range(setup.clients)))
        )
        self._stores: dict[int, Any] = {}
        self._reader: Any = None  # the handle that reads what is there at the end
        self._last: _Last | None = None
        self._executions = count(1)
        self._problem = ""
        self._capabilities: frozenset[str] = frozenset()
        self._open()

    def run(self, program: Program, strategy: Strategy, *, fresh: bool = True) -> Run:
        """Carry the program out, with sessions of its own; never raises.

        What is there at the end is read by a handle that is opened for it; unless ``fresh``, by one
        that has never seen these sessions, which is much quicker.
        """
        if self._problem:
            return self._failed()
        number = next(self._executions)
        ids: list[str | None] = [f"e{number}-{at}" for at in range(program.sessions)]
        ticks = count(1)
        quiet = self._notes(QUIET, program, ticks, named=len(program.clients))
        self._controller.begin(Usual())
        self._prepare(program, ids, quiet)
        if self._problem:
            return self._failed()
        self._settle()
        notes = self._work(program, ids, ticks, strategy)
        controller = self._controller
        run = Run(
            tuple(controller.decisions),
            tuple(controller.steps),
            history_of([], ()),
            controller.ended,
            controller.taken == 0,
            tuple(controller.parked),
            program=program,
        )
        self.broken = self.broken or controller.ended is not Ended.DONE
        self._last = _Last(run, ids, quiet, notes, len(quiet.rows))
        return self.looked_at(fresh=fresh)

    def looked_at(self, *, fresh: bool = True) -> Run:
        """The last execution, with what is there now; never raises."""
        last = self._last
        if last is None:
            raise RuntimeError("nothing was carried out")
        last.quiet.back_to(last.before)
        if last.run.ended is Ended.DONE:
            self._look(last.run.program, last.ids, last.quiet, fresh=fresh)
        if self._problem:
            return self._failed()
        sessions = tuple(f"s{at}" for at in range(last.run.program.sessions))
        return replace(last.run, history=history_of([last.quiet, *last.notes], sessions))

    def close(self) -> bool:
        """Close the stores, and end every thread; a thread that does not end is left.

        A thread that the store began, and that goes on without its handles, may serve them all: it
        is spared, for the next stage with this controller. Answers whether such threads have ended
        although nobody was in a deadlock.
        """
        if not self.broken and not self._problem:
            self._controller.begin(Usual())
            reader, self._reader = self._reader, None
            if reader is not None:
                self._act(QUIET, partial(_close, reader))
            for at in list(self._stores):
                store = self._stores.pop(at)
                if at == self._first or not self._setup.shares:
                    self._act(at, partial(_close, store))
        controller = self._controller
        left, sound = lasting(controller.tasks), controller.ended is Ended.DONE
        controller.give_up(spared=left if sound and len(left) <= _SPARED_MOST else ())
        self._hands.end()
        if sound:
            controller.go_on()
        if self._lines is not None:
            self._lines.close()
        return bool(left) and controller.ended in (Ended.ENDLESS, Ended.STUCK)

    # The parts of an execution.

    def _open(self) -> None:
        setup, controller = self._setup, self._controller
        controller.begin(Usual())
        for at in [self._first] if setup.shares else range(setup.clients):
            self._act(at, partial(self._opened, at))
            if self._problem:
                return
        if setup.shares:
            self._stores.update(dict.fromkeys(range(setup.clients), self._stores[self._first]))
        self._capabilities = capabilities_of(self._stores[0])
        if self._lines is not None:
            self._lines.add(file for store in self._stores.values() for file in files_of(store))
        for at in range(setup.clients):
            self._warm(at)

    @property
    def _first(self) -> int:
        """Who opens the handle that all share, and does what comes before."""
        return QUIET if self._setup.shares else 0

    async def _opened(self, at: int) -> None:
        self._stores[at] = await came(self._setup.spec.open(self._location))

    def _warm(self, at: int) -> None:
        """Have the client use the store once."""
        calls = [(_QUIET_FIRST, Call(F.APPEND, 0, 1)), (_QUIET_FIRST + 1, Call(F.READ, 0))]
        if self._setup.creates:
            calls.insert(0, (_QUIET_FIRST + 2, Call(F.CREATE, 0)))
        program = Program((tuple(calls),))
        notes = self._notes(at, program, count(1), named=at)
        client = self._client(tuple(calls), [f"warm-{at}"], notes, self._stores[at], at, 1)
        self._act(at, partial(self._hands.play, client))

    def _prepare(self, program: Program, ids: list[str | None], notes: Notes) -> None:
        """Make the sessions, and do what comes before."""
        numbers = count(_QUIET_FIRST)
        calls: list[Numbered] = []
        creating = any(call.f is F.CREATE for one in program.clients for _, call in one)
        if self._setup.creates and not creating:
            made = range(program.sessions)
            calls = [(next(numbers), Call(F.CREATE, at, phase=Phase.RAMP)) for at in made]
            if self._setup.by_store:
                ids[:] = [None] * len(ids)
        calls += program.before
        if not calls:
            return
        at = self._first
        store = self._stores[at]
        client = self._client(tuple(calls), ids, notes, store, len(program.clients), 1)
        self._act(at, partial(self._hands.play, client))

    def _settle(self) -> None:
        """Let threads of the store's own come to rest: an execution begins where others began."""
        if self._setup.kind == "tasks" or not self._controller.restless:
            return

        async def rest() -> None:
            self._controller.sleep(0.0)  # who is awake goes first

        self._act(QUIET, rest)

    def _work(
        self, program: Program, ids: list[str | None], ticks: Any, strategy: Strategy
    ) -> list[Notes]:
        controller, number = self._controller, len(program.clients)
        controller.begin(strategy)
        notes = []
        for at, calls in enumerate(program.clients):
            mine = self._notes(at, program, ticks, named=at)
            notes.append(mine)
            arrivals = [(n, Point(said(call), OPERATION)) for n, call in calls]
            meet = self._hands.arrive(arrivals)
            client = self._client(calls, ids, mine, self._stores[at], at, number + 1, meet=meet)
            task = controller.add(at, f"client {at}")
            self._hands.begin(task, partial(self._hands.play, client), self._wrong)
        controller.lines = self._setup.lines
        controller.run(set(range(number)))
        controller.lines = False
        return notes

    def _look(self, program: Program, ids: list[str | None], notes: Notes, *, fresh: bool) -> None:
        """Read every session, and count it where clients did."""
        first = _QUIET_FIRST + 1_000
        sessions = range(program.sessions)
        calls = [(first + at, Call(F.READ, at, phase=Phase.FINAL)) for at in sessions]
        if any(call.f is F.COUNT for one in program.clients for _, call in one):
            numbers = count(first + program.sessions)
            ways = sum(name in self._capabilities for name in ("get", "count"))
            calls += [
                (next(numbers), Call(F.COUNT, at, phase=Phase.FINAL))
                for at in sessions
                for _ in range(ways)
            ]

        async def look() -> None:
            store = None if fresh else self._reader
            if store is None:
                store = await came(self._setup.spec.open(self._location))
            try:
                number = len(program.clients)
                client = self._client(tuple(calls), ids, notes, store, number, number + 1)
                await self._hands.play(client)
            finally:
                if fresh:
                    await came(store.close())
                else:
                    self._reader = store

        self._controller.begin(Usual())
        self._act(QUIET, look)

    def _act(self, at: int, action: Action) -> None:
        """Have one client carry this out alone; what it raises is a problem."""
        controller = self._controller
        task = controller.add(at, f"client {at}")
        self._hands.begin(task, action, self._wrong)
        ended = controller.run({at})
        if ended is not Ended.DONE:
            self._problem = f"alone, it ended as {ended.value}: {'; '.join(controller.parked)}"

    def _wrong(self, error: BaseException) -> None:
        text = "no text"
        with suppress(Exception):
            text = " ".join(str(error).split())[:300]
        self._problem = f"{type(error).__name__}: {text}"

    def _client(
        self,
        calls: Sequence[Numbered],
        ids: list[str | None],
        notes: Notes,
        store: Any,
        client: int,
        clients: int,
        *,
        meet: Meet | None = None,
    ) -> Client:
        job = Job(
            program=tuple(call for _, call in calls),
            client=client,
            clients=clients,
            first=1,
            stride=1,
            budget_s=_NO_BUDGET_S,
            numbers=tuple(number for number, _ in calls),
            gathers=() if meet is None else tuple(range(len(calls))),
        )
        return Client(
            job,
            store,
            notes,
            speech=self._setup.speech,
            ids=ids,
            capabilities=self._capabilities,
            by_store=self._setup.by_store,
            as_task=self._setup.kind == "tasks",
            meet=meet,
        )

    def _notes(self, at: int, program: Program, ticks: Any, *, named: int) -> Notes:
        controller, tick = self._controller, ticks.__next__
        calls = dict(call for one in (*program.clients, program.before) for call in one)

        def begins(first: int) -> None:
            number = first // _BATCH
            controller.operation(number)
            call = calls.get(number)
            if at >= 0 and call is not None and self._setup.kind != "tasks":
                controller.point(Point(said(call), OPERATION))

        return Notes(named, tick, begins)

    def _failed(self) -> Run:
        self.broken = True
        return Run((), (), history_of([], ()), problem=self._problem)


def said(call: Call) -> str:
    """The call in a few words."""
    name = call.f.name.lower()
    return f"{name}({call.n})" if call.n > 1 or call.f is F.READ_LAST else name


async def _close(store: Any) -> None:
    await came(store.close())
