"""A loop of asyncio whose outside is chosen: when calls come in, jobs end, and time passes.

Its own queue stays what asyncio promises: callbacks and steps in the order in which they were
asked for. A correct store may rely on that order, so to choose another would be a false alarm;
what no store can rely on is when its callers come, and how long a thread or a timer takes.
"""

from __future__ import annotations

import _thread
import asyncio
import heapq
import inspect
from asyncio import futures
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from sessionproof.schedule.asked import called, name_of, place_of, task_of
from sessionproof.schedule.control import Controller
from sessionproof.schedule.decisions import BEGIN, Point
from sessionproof.schedule.jobs import Crew, Job
from sessionproof.schedule.managed import Abandoned, Carrier, State, Task, active, current

CLOCK = 99
"""The number of the task that lets time pass for timers of the loop."""

LOOP = "the loop"
"""``Point.on`` of the steps of a loop."""

_THREADS = 32  # of the default executor, as on a machine with many processors
_PATIENCE_S = 1.0  # for what comes from beyond control, when nobody can go on
_PATIENCE_LEAST_S = 0.05  # once nothing came
_NEVER = float("inf")


class Loop(asyncio.SelectorEventLoop):
    """Served by a thread of its own; its tasks are tasks of the controller, carried by it.

    A step of a task runs when its task is given the token: the first of the queue can be, and who
    was started or arrives, which comes from outside and so may come at any time.
    """

    patience_s = _PATIENCE_S

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self.controller = controller
        self.carrier = Carrier()
        self.set_exception_handler(lambda *_: None)
        self._clock = controller.add(CLOCK, "time")
        self._clock.board(self.carrier)
        self._clock.state, self._clock.on = State.DONE, "time"
        self._known: dict[Any, Task] = {}  # by asyncio's own
        self._arriving: dict[Task, Callable[[], object]] = {}
        self._submitted: list[Job] = []
        self._lent: dict[Task, Job] = {}
        self._announced: Task | None = None  # who goes on with a step that is told already
        self._errand: Callable[[], None] | None = None
        self._thread = 0
        self._crews: list[Crew] = []
        self._pool = self.crew("thread", most=_THREADS)
        controller.outside = self._outside

    # What others ask of it.

    def start(self, task: Task, action: Callable[[], object]) -> None:
        """Have a task do this, and await what it answers, when it is given the token first."""
        task.board(self.carrier)
        self._arriving[task] = lambda: self.create_task(_done(action))

    def arrival(self, number: int, point: Point) -> asyncio.Future[bool]:
        """The running task awaits that it is chosen to begin this operation."""
        task = current()
        future: asyncio.Future[bool] = self.create_future()
        if task is None:
            raise RuntimeError("only tasks arrive")
        self.controller.operation(number)
        task.point = point
        self._arriving[task] = lambda: future.set_result(True)
        return future

    def crew(
        self,
        name: str,
        *,
        most: int = 1,
        quiet: bool = False,
        last: Callable[[], None] | None = None,
    ) -> Crew:
        """Threads for jobs of this loop."""
        crew = Crew(self, name, most=most, quiet=quiet, last=last)
        self._crews.append(crew)
        return crew

    def submit(self, crew: Crew, function: Callable[[], Any], future: asyncio.Future[Any]) -> None:
        """Have a crew carry this out, when the step that asks for it has ended."""
        self._submitted.append(Job(function, future, called(function), crew))

    def serve(self) -> None:
        """Carry tasks, in the calling thread, until the controller gives up."""
        self._thread = _thread.get_ident()
        try:
            with suppress(Abandoned):
                self.run_forever()
        finally:
            self._unwind()

    def end(self) -> None:
        """Wake the thread that serves, after the controller gave up."""
        if self.carrier.gate.locked():
            self.carrier.gate.release()

    # What asyncio asks of its loop.

    def time(self) -> float:
        """The virtual time."""
        return self.controller.now

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Any, *args: Any
    ) -> Any:
        """The default executor is ours; others are made of threads and locks, and follow."""
        if executor is not None or getattr(self, "_default_executor", None) is not None:
            return super().run_in_executor(executor, func, *args)
        future = self.create_future()
        self.submit(self._pool, partial(func, *args), future)
        return future

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Any, *args: Any, context: Any = None
    ) -> Any:
        """A thread that is controlled tells the loop at once."""
        if active() is not self.controller:
            return super().call_soon_threadsafe(callback, *args, context=context)
        self.controller.resume()
        handle: Any = self._call_soon(callback, args, context)  # type: ignore[attr-defined]
        self._run_errand()
        return handle

    def _run_once(self) -> None:
        """One step of one task, and all that follows by itself."""
        task = self._turn()
        asked = None
        if task is self._clock:
            self._fire()
        else:
            asked = self._step(task)
        self.controller.resume()
        self._plumb()
        lent = self._send_out(task, asked)
        if asked is not None and asked.done():
            self._known.pop(asked, None)
            state = State.DONE
        else:
            state = self._state_of(task, asked)
        if lent is not None:
            self.carrier.inside = None
            begun = lent.crew.put(lent)
            state = task.state
            if begun and not lent.told:
                self._mark()
                self.controller.leave(task, state, to=task)
                return
        self._mark()
        if task is self._clock:
            state = self._clock.state
        self.controller.leave(task, state)

    # The parts of a step.

    def _turn(self) -> Task:
        """Wait for the token; in between, run what others have left in the queue."""
        while True:
            self.carrier.gate.acquire()
            errand, self._errand = self._errand, None
            if errand is None:
                task = self.controller.holder
                assert task is not None or self.controller.given_up
                task = task or self._clock
                told = task.point is not BEGIN and task is not self._announced
                self._announced = None
                self.controller.enter(task, told=told)
                return task
            errand()

    def _settle(self, task: Task) -> None:
        """Run what is in the queue in the name of a task."""

        def settle() -> None:
            self.carrier.inside = task
            try:
                self._plumb()
                self._send_out(None, None)
                self._mark()
                if task is not self._clock:
                    self.controller.resume()
            finally:
                self.carrier.inside = None

        self.controller.acting(task, settle)

    def _step(self, task: Task) -> Any:
        arrive = self._arriving.pop(task, None)
        if arrive is not None:
            arrive()
            handle = self._queue.pop()
        else:
            handle = self._queue.popleft()
        asked = task_of(handle)
        self._known[asked] = task
        handle._run()
        return asked

    def _fire(self) -> None:
        """Put timers that are due into the queue."""
        due, timers = self.time() + 1e-9, self._timers
        while timers and timers[0]._when <= due:
            handle = heapq.heappop(timers)
            handle._scheduled = False
            self._queue.append(handle)

    def _plumb(self) -> None:
        """Run callbacks until a step of a task is next."""
        queue = self._queue
        while queue and (queue[0]._cancelled or task_of(queue[0]) is None):
            handle = queue.popleft()
            if not handle._cancelled:
                handle._run()

    def _send_out(self, task: Task | None, asked: Any) -> Job | None:
        """Give jobs to threads, but the one that the task waits for: that it carries itself."""
        submitted, self._submitted = self._submitted, []
        lent = None
        for job in submitted:
            waits = asked is not None and getattr(asked, "_fut_waiter", None) is job.future
            if waits and lent is None:
                assert task is not None
                lent, job.task, job.lent, job.told = job, task, True, not job.crew.quiet
                self._lent[task] = job
            else:
                job.task = self.controller.born(f"a thread for {job.what}")
                job.crew.put(job)
        return lent

    def _state_of(self, task: Task, asked: Any) -> State:
        """Whether a task that is not done can go on with its next step."""
        if task in self._arriving:
            return State.READY
        task.on, task.until = ("step", task.number), _NEVER
        queue = self._queue
        first = bool(queue) and asked is not None and task_of(queue[0]) is asked
        if asked is not None:
            task.point = Point(place_of(asked), LOOP)
        if first:
            return State.READY
        task.point = Point(f"to {task.point.what}", LOOP, writes=False)
        return State.PARKED

    def _mark(self) -> None:
        """Say of the first of the queue that it can go on, and of the clock what it waits for."""
        if self._queue:
            asked = task_of(self._queue[0])
            owner = self._owner(asked)
            owner.point = Point(place_of(asked), LOOP)
            owner.state = State.READY
        timers, clock = self._timers, self._clock
        while timers and timers[0]._cancelled:
            self._timer_cancelled_count -= 1  # type: ignore[attr-defined]
            heapq.heappop(timers)._scheduled = False
        if not timers:
            clock.state = State.DONE
            return
        first = timers[0]
        clock.until = first._when
        clock.point = Point(f"time passes: {max(first._when - self.time(), 0):.3g} s", LOOP)
        # A sleep may be over at any time; a deadline runs out when nothing else can happen.
        sleeps = first._callback is futures._set_result_unless_cancelled  # type: ignore[attr-defined]
        clock.state = State.SLEEPING if sleeps else State.PARKED

    def _owner(self, asked: Any) -> Task:
        task = self._known.get(asked)
        if task is None:
            task = self.controller.born(name_of(asked))
            task.board(self.carrier)
        elif task in self._lent:  # cancelled, while a thread still carries what it waited for
            self._lent.pop(task).lent = False
            task = self.controller.parted(task)
            task.board(self.carrier)
        self._known[asked] = task
        return task

    def answer(self, task: Task, job: Job) -> Point:
        """As in ``Home``."""
        asked = self._asked_by(task)
        return Point(f"end of {job.what}" if asked is None else place_of(asked), LOOP)

    def _asked_by(self, task: Task) -> Any:
        return next((one for one, known in self._known.items() if known is task), None)

    def returns(self, task: Task, job: Job) -> None:
        """As in ``Home``."""
        if job.lent:
            self._lent.pop(task)
        self._call_soon(job.settle, (), None)  # type: ignore[attr-defined]
        if self.carrier.inside is not None:
            self._take_back(task, job)
            return
        self._errand = partial(self._take_back, task, job, settles=True)
        self.carrier.gate.release()

    def _take_back(self, task: Task, job: Job, *, settles: bool = False) -> None:
        if settles:
            self._settle(task)
        if not job.lent:
            self.controller.leave(task, State.DONE)
            return
        task.board(self.carrier)
        state = self._state_of(task, self._asked_by(task))
        if state is State.READY:
            self._announced = task
        self.controller.leave(task, state, to=self._announced)

    def _run_errand(self) -> None:
        """Have the loop's thread run what is in the queue, unless it is inside of a step."""
        task = current()
        if task is None or self.carrier.inside is not None or _thread.get_ident() == self._thread:
            return
        back = _thread.allocate_lock()
        back.acquire()

        def errand() -> None:
            try:
                self._settle(task)
            finally:
                back.release()

        self._errand = errand
        self.carrier.gate.release()
        back.acquire()

    def _outside(self, hopeless: bool) -> bool:
        """Wait for sockets, and for threads that nobody controls, when nobody can go on."""
        selector = self._selector  # type: ignore[attr-defined]
        if self.carrier.inside is not None or not (hopeless or len(selector.get_map()) > 1):
            return False
        while events := selector.select(self.patience_s):
            self.controller.taken += 1
            self._process_events(events)  # type: ignore[attr-defined]
            here = _thread.get_ident() == self._thread
            if here:
                self._settle(self._clock)
            else:
                self.controller.acting(self._clock, self._run_errand)
            if any(task.able for task in self.controller.tasks.values()):
                return True
        Loop.patience_s = _PATIENCE_LEAST_S
        return False

    def _unwind(self) -> None:
        """Leave nothing behind that would speak up later."""
        for crew in self._crews:
            crew.end()
        self.controller.acting(self._clock, self._drop)
        for task in [self._clock, *self._known.values(), *self._arriving]:
            task.state = State.DONE
        self._arriving.clear()
        self._queue.clear()
        self._timers.clear()
        self.controller.outside = lambda _: False
        self.close()

    def _drop(self) -> None:
        for asked in list(self._known):
            asked._log_destroy_pending = False
            with suppress(BaseException):
                asked.get_coro().close()

    @property
    def _queue(self) -> Any:
        return self._ready  # type: ignore[attr-defined]

    @property
    def _timers(self) -> Any:
        return self._scheduled  # type: ignore[attr-defined]


async def _done(action: Callable[[], object]) -> None:
    answer = action()
    if inspect.isawaitable(answer):
        await answer
