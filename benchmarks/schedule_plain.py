"""Small programs by plain clients: what threads and tasks find without control.

Clients begin together at a barrier, with handles of their own, and the interpreter is told to
change between threads as often as it can. Programs and judge are those of controlled schedules.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count, cycle, islice
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import StoreSpec, find_store
from sessionproof.contract.store import capabilities_of
from sessionproof.history.columns import F, Phase
from sessionproof.history.notes import Notes, history_of
from sessionproof.history.overlap import overlapping
from sessionproof.schedule.hands import came
from sessionproof.schedule.program import Kind, Numbered, Program, Run
from sessionproof.schedule.programs import programs_for
from sessionproof.schedule.seats import Seat
from sessionproof.trials.exploring import Request
from sessionproof.trials.exploring_main import Judging
from sessionproof.workload.client import Client, Job, run, run_as_task
from sessionproof.workload.rounds import Call
from sessionproof.workload.speech import Speech

SWITCH_S = 1e-6
HANGS_S = 10.0  # without an answer: the clients wait for each other
_EACH_LOCATION = 50  # runs, as on a stage
_QUIET_FIRST = 1 << 20


@dataclass(frozen=True)
class Chance:
    """What so many runs without control came to; ``first`` is the number of the first finding.

    In ``together`` of them operations of both clients ran at the same time.
    """

    runs: int
    found: int
    first: int | None
    together: int
    seconds: float
    hung: bool = False


def by_chance(request: Request, kind: Kind, runs: int) -> Chance:
    """Run the small programs of this store in turn, two clients at once, and judge each run.

    After clients that hang nothing more can be run in this process.
    """
    spec, judge = find_store(request.store), Judging(request)
    programs = programs_for(request.capabilities, request.claims, request.seed).small
    sys.setswitchinterval(SWITCH_S)
    start_s = monotonic_s()
    found, first, done, together = 0, None, 0, 0
    turns = islice(cycle(programs), runs)
    while done < runs:
        location = Location(Path(tempfile.mkdtemp(dir=request.root)))
        stage = _Plain(request, spec, kind, location)
        stage.open()
        for program in islice(turns, min(_EACH_LOCATION, runs - done)):
            done += 1
            try:
                made = stage.run(program)
            except Empty:
                spent_s = monotonic_s() - start_s
                return Chance(done, found + 1, first or done, together, spent_s, True)
            together += bool(overlapping(made.history).any())
            if judge(made) is not None:
                found, first = found + 1, first or done
        stage.close()
    return Chance(done, found, first, together, monotonic_s() - start_s)


class _Plain:
    """One location with two clients, who have used the store before."""

    def __init__(self, request: Request, spec: StoreSpec, kind: Kind, location: Location) -> None:
        self._request, self._spec, self._kind, self._location = request, spec, kind, location
        threads = 1 if kind == "tasks" else 2
        self._seats = [Seat(f"client {at}") for at in range(threads)]
        self._shares = kind == "shared" or (kind == "tasks" and request.shared)
        self._stores: list[Any] = []
        self._capabilities: frozenset[str] = frozenset()
        self._numbers = count(1)
        self._loop = asyncio.new_event_loop()

    def open(self) -> None:
        """Open the handles, and have each client use its own once."""

        async def opened() -> None:
            self._stores.append(await came(self._spec.open(self._location)))

        for at in (0,) if self._shares else (0, 1):
            self._one(at, opened)
        if self._shares:
            self._stores *= 2
        self._capabilities = capabilities_of(self._stores[0])
        calls = ((1, Call(F.APPEND, 0, 1)), (2, Call(F.READ, 0)))
        if self._request.creates:
            calls = ((3, Call(F.CREATE, 0)), *calls)
        for at in (0, 1):
            notes = Notes(at, count(1).__next__, _unheard)
            self._play(at, self._client(calls, [f"warm-{at}"], notes, at))

    def close(self) -> None:
        """Close the handles, and end the threads."""
        for at, store in enumerate(self._stores[:1] if self._shares else self._stores):

            async def close(store: Any = store) -> None:
                await came(store.close())

            self._one(at, close)
        for seat in self._seats:
            seat.give(None)
        self._loop.close()

    def run(self, program: Program) -> Run:
        """Carry the program out, on sessions of its own; raises Empty when clients hang."""
        number = next(self._numbers)
        ids: list[str | None] = [f"e{number}-{at}" for at in range(program.sessions)]
        tick = count(1).__next__
        quiet = Notes(len(program.clients), tick, _unheard)
        self._prepare(program, ids, quiet)
        notes = [Notes(at, tick, _unheard) for at in range(len(program.clients))]
        self._together(
            [self._client(calls, ids, notes[at], at) for at, calls in enumerate(program.clients)]
        )
        self._look(program, ids, quiet)
        sessions = tuple(f"s{at}" for at in range(program.sessions))
        return Run((), (), history_of([quiet, *notes], sessions), program=program)

    def _prepare(self, program: Program, ids: list[str | None], notes: Notes) -> None:
        calls: list[Numbered] = list(program.before)
        making = any(call.f is F.CREATE for one in program.clients for _, call in one)
        if self._request.creates and not making:
            made = range(program.sessions)
            calls[:0] = [(_QUIET_FIRST + at, Call(F.CREATE, at, phase=Phase.RAMP)) for at in made]
            if self._request.by_store:
                ids[:] = [None] * len(ids)
        if calls:
            self._play(0, self._client(tuple(calls), ids, notes, len(program.clients)))

    def _look(self, program: Program, ids: list[str | None], notes: Notes) -> None:
        first = _QUIET_FIRST + 1_000
        sessions = range(program.sessions)
        calls = [Call(F.READ, at, phase=Phase.FINAL) for at in sessions]
        if any(call.f is F.COUNT for one in program.clients for _, call in one):
            ways = len(self._capabilities & {"get", "count"})
            calls += [Call(F.COUNT, at, phase=Phase.FINAL) for at in sessions for _ in range(ways)]
        numbered = tuple(enumerate(calls, first))

        async def look() -> None:
            store = await came(self._spec.open(self._location))
            client = self._client(numbered, ids, notes, len(program.clients), store=store)
            if self._kind == "tasks":
                await run_as_task(client)
            else:
                run(client, _no_await)
            await came(store.close())

        self._one(0, look)

    def _client(
        self,
        calls: tuple[Numbered, ...],
        ids: list[str | None],
        notes: Notes,
        at: int,
        *,
        store: Any = None,
    ) -> Client:
        request = self._request
        job = Job(
            program=tuple(call for _, call in calls),
            client=at,
            clients=3,
            first=1,
            stride=1,
            budget_s=1e6,
            numbers=tuple(number for number, _ in calls),
        )
        return Client(
            job,
            self._stores[at % 2] if store is None else store,
            notes,
            speech=Speech(request.sample, request.counted, request.timed),
            ids=ids,
            capabilities=self._capabilities,
            by_store=request.by_store,
            as_task=self._kind == "tasks",
        )

    # How clients are carried out.

    def _together(self, clients: list[Client]) -> None:
        if self._kind == "tasks":

            async def both() -> None:
                await asyncio.gather(*map(run_as_task, clients))

            self._one(0, both)
            return
        there: list[int] = []
        answers: SimpleQueue[BaseException | None] = SimpleQueue()
        for at, client in enumerate(clients):

            def work(client: Client = client) -> None:
                there.append(0)
                while len(there) < len(clients):
                    pass  # who sleeps at a barrier wakes when the other has done its work
                run(client, _no_await)

            self._seats[at].give(_answering(work, answers))
        for _ in clients:
            _raised(answers.get(timeout=HANGS_S))

    def _play(self, at: int, client: Client) -> None:
        async def play() -> None:
            if self._kind == "tasks":
                await run_as_task(client)
            else:
                run(client, _no_await)

        self._one(at % 2, play)

    def _one(self, at: int, action: Callable[[], Any]) -> None:
        """Have one client do this alone."""
        answers: SimpleQueue[BaseException | None] = SimpleQueue()

        def order() -> None:
            if self._kind == "tasks":
                self._loop.run_until_complete(action())
            else:
                _at_once(action)

        self._seats[at % len(self._seats)].give(_answering(order, answers))
        _raised(answers.get(timeout=HANGS_S))


def _at_once(action: Callable[[], Any]) -> None:
    """Carry out what never awaits."""
    steps = action()
    try:
        steps.send(None)
    except StopIteration:
        return
    steps.close()
    _no_await(None)


def _answering(
    order: Callable[[], None], answers: SimpleQueue[BaseException | None]
) -> Callable[[], None]:
    def answered() -> None:
        try:
            order()
        except BaseException as error:  # noqa: BLE001 - whoever waits for the answer raises it
            answers.put(error)
        else:
            answers.put(None)

    return answered


def _raised(error: BaseException | None) -> None:
    if error is not None:
        raise error


def _no_await(_: Any) -> Any:
    raise TypeError("the store answered an awaitable where it had not before")


def _unheard(_: int) -> None:
    """Nobody listens to beginnings."""
