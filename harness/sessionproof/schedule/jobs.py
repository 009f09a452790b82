"""What asyncio has done in threads, under control: by executors, and by drivers.

A job is carried out by a thread, and as the task that waits for it: what it does are points of
that task, and it may be parked as any thread while the loop goes on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from sessionproof.schedule.control import Controller
from sessionproof.schedule.decisions import Point
from sessionproof.schedule.managed import Abandoned, State, Task, unmanaged
from sessionproof.schedule.seats import Seat

_ON = "the queue of a thread"


class Home(Protocol):
    """The loop that jobs return to."""

    controller: Controller

    def answer(self, task: Task, job: Job) -> Point:
        """What is done next, when the job has ended."""
        ...

    def returns(self, task: Task, job: Job) -> None:
        """Tell who waits for the job that it is done, and hand on the token of its task."""
        ...


@dataclass(eq=False)
class Job:
    """A function, and who waits for what it answers: ``lent`` is that task, on leave from the loop.

    ``told`` says that its beginning is a step of its own.
    """

    function: Callable[[], Any]
    future: asyncio.Future[Any]
    what: str
    crew: Crew
    task: Task | None = None
    lent: bool = False
    told: bool = True
    answer: Any = None
    error: BaseException | None = None

    def settle(self) -> None:
        """Tell who waits."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.answer)


class Crew:
    """So many threads at most, which take jobs in the order in which they came.

    ``quiet``: a job begins at once where a thread is free, as its own first point is its
    beginning. ``last`` is what each thread does before it ends.
    """

    def __init__(
        self,
        home: Home,
        name: str,
        *,
        most: int,
        quiet: bool = False,
        last: Callable[[], None] | None = None,
    ) -> None:
        self.quiet = quiet
        self._last = last
        self._ended = False
        self._home = home
        self._name = name
        self._most = most
        self._made = 0
        self._idle: list[tuple[int, Seat]] = []
        self._waiting: deque[Job] = deque()

    def put(self, job: Job) -> bool:
        """Take the job, which has a task; whether a thread was free for it."""
        task = job.task
        assert task is not None
        task.board(None)
        task.point = Point(f"in a thread: {job.what}", None)
        if not self._idle and self._made < self._most:
            with unmanaged():
                self._idle.append((self._made, Seat(f"{self._name} {self._made}")))
            self._made += 1
        if not self._idle:
            task.point = Point(f"wait for a thread: {job.what}", None, writes=False)
            task.state, task.on, task.until = State.PARKED, _ON, float("inf")
            self._waiting.append(job)
            return False
        self._idle.sort(key=lambda one: one[0])
        self._begin(job, self._idle.pop(0))
        return True

    def end(self) -> None:
        """Have the threads end when they have done what they are at."""
        self._ended = True
        for job in self._waiting:
            if job.task is not None:
                job.task.state = State.DONE
        self._waiting.clear()
        while self._idle:
            self._dismiss(self._idle.pop()[1])

    def _dismiss(self, seat: Seat) -> None:
        if self._last is not None:
            seat.give(self._last)
        seat.give(None)

    def _begin(self, job: Job, seat: tuple[int, Seat]) -> None:
        assert job.task is not None
        job.task.state = State.READY
        seat[1].give(lambda: self._carry(job, seat))

    def _carry(self, job: Job, seat: tuple[int, Seat]) -> None:
        """Carry the job out, in the thread of the seat."""
        with unmanaged():  # whose task the thread is, ends with the job
            self._carry_as(job.task, job, seat)

    def _carry_as(self, task: Task | None, job: Job, seat: tuple[int, Seat]) -> None:
        controller = self._home.controller
        assert task is not None
        try:
            task.gate.acquire()
            controller.enter(task, told=job.told)
            try:
                job.answer = job.function()
            except Abandoned:
                raise
            except BaseException as error:  # noqa: BLE001 - goes to who waits for the job
                job.error = error
            # Whose answer comes first is chosen here; then its task goes on without a decision.
            controller.point(self._home.answer(task, job))
            self._free(seat)
            self._home.returns(task, job)
        except Abandoned:
            task.state = State.DONE
            self._dismiss(seat[1])

    def _free(self, seat: tuple[int, Seat]) -> None:
        if self._waiting:
            job = self._waiting.popleft()
            job.told = True
            assert job.task is not None
            job.task.point = Point(f"in a thread: {job.what}", None)
            self._begin(job, seat)
        elif self._ended:
            self._dismiss(seat[1])
        else:
            self._idle.append(seat)
