"""One token for all managed threads: who has it runs, and at each point it says who is next.

There is no controller thread. A thread announces what it is about to do; the one that holds the
token asks the strategy who goes on, and hands the token over by a raw lock if that is another.
"""

from __future__ import annotations

import _thread
import itertools
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, Protocol

from sessionproof.contract.clock import monotonic_s

QUIET = -1
"""The number of who prepares the store, and reads it when all is quiet."""

STEPS_MOST = 20_000  # of one execution; a program of a few operations has some dozen
_BORN = 100  # the first number of threads and tasks that the store begins
_PATIENCE_S = 1.0  # without a point, before the token is taken from who has it
_PATIENCE_LEAST_S = 0.05  # once a store has shown that it waits where nobody sees it
_STUCK_S = 20.0  # without a point of anybody, before the execution is given up
_UNWIND_S = 2.0  # for threads that are given up, to leave


class Key(NamedTuple):
    """A decision: the ``k``-th of task ``task`` in its operation ``op``.

    It names no place in any code and no number of a step, so that it outlives operations that are
    dropped, and other versions of Python.
    """

    task: int
    op: int
    k: int


class Point(NamedTuple):
    """What a task is about to do: words for people, what it is done to, and whether it writes.

    ``detail`` is the whole of what is done, where ``what`` is short.
    """

    what: str
    on: Hashable = None
    writes: bool = True
    detail: str = ""


BEGIN = Point("begin")


class Step(NamedTuple):
    """What a task did when it had the token."""

    key: Key
    point: Point
    switched: bool  # another task had the token before


class State(Enum):
    """``AWAY`` is who lost the token as it waits where nobody sees it."""

    READY = "ready"
    SLEEPING = "sleeping"
    PARKED = "parked"
    AWAY = "away"
    DONE = "done"


_READY, _SLEEPING = State.READY, State.SLEEPING  # a member's name is looked up slowly
_NOBODY: frozenset[int] = frozenset()


class Decision(NamedTuple):
    """Who may go on. ``usual`` is who does, unless the strategy picks another of ``ready``.

    ``current`` is who decides, None where it can't go on itself; ``sleepers`` are those of
    ``ready`` who would wait for time to pass. ``points`` is what each is about to do.
    """

    key: Key
    current: int | None
    ready: tuple[int, ...]
    sleepers: frozenset[int]
    usual: int
    points: dict[int, Point]

    @property
    def preempts(self) -> bool:
        """Whether to pick another than ``usual`` would interrupt who could go on."""
        return self.current is not None and self.current not in self.sleepers


class Strategy(Protocol):
    """Decides who goes on."""

    def pick(self, decision: Decision) -> int:
        """One of ``decision.ready``."""
        ...


class Usual:
    """Nobody is ever interrupted."""

    def pick(self, decision: Decision) -> int:
        """As ever."""
        return decision.usual


class Abandoned(BaseException):
    """Raised in threads of an execution that is given up."""


def _shut() -> _thread.LockType:
    gate = _thread.allocate_lock()
    gate.acquire()
    return gate


@dataclass(eq=False)
class Carrier:
    """A thread that carries several tasks, a step of one at a time, as the loop of asyncio does.

    ``inside`` is the task whose step has begun and not ended.
    """

    gate: _thread.LockType = field(default_factory=_shut)
    inside: Task | None = None


@dataclass(eq=False)
class Task:
    """A managed thread, or what stands for one; ``carrier`` has the thread of several."""

    number: int
    name: str
    gate: _thread.LockType = field(default_factory=_shut)
    state: State = State.READY
    point: Point = BEGIN
    op: int = 0
    k: int = 0
    on: Hashable = None
    until: float = 0.0  # of virtual time, for sleepers and who waits no longer than this
    expired: bool = False
    carrier: Carrier | None = None

    @property
    def able(self) -> bool:
        """Whether it can go on when it is given the token."""
        if self.state is not _READY and self.state is not _SLEEPING:
            return False
        return self.carrier is None or self.carrier.inside in (None, self)

    def board(self, carrier: Carrier | None) -> None:
        """Be carried by this one from now on, or by a thread of its own."""
        self.carrier = carrier
        self.gate = _shut() if carrier is None else carrier.gate


class Ended(Enum):
    """How an execution ended.

    ``ENDLESS`` took more steps than any program needs, ``STUCK`` waits where nobody sees it.
    """

    DONE = "done"
    DEADLOCK = "deadlock"
    ENDLESS = "endless"
    STUCK = "stuck"


_NEVER = float("inf")
_mine = threading.local()


def current() -> Task | None:
    """The task of this thread, None where it is not managed."""
    return getattr(_mine, "task", None)


def active() -> Controller | None:
    """The controller of this thread, None where it is not managed."""
    return getattr(_mine, "controller", None)


class unmanaged:  # noqa: N801 - used as a word of the language
    """Within it, this thread meets everything as it is without control."""

    def __enter__(self) -> None:
        self._held = (current(), active())
        _mine.task = _mine.controller = None

    def __exit__(self, *_: object) -> None:
        _mine.task, _mine.controller = self._held


class Controller:
    """Holds the tasks of one location; executions follow one another on it.

    ``taken`` counts tokens that were taken from threads that waited unseen: since then the
    execution is not under control. ``reached`` counts points that were announced by a store's
    operations, by what announced them.
    """

    def __init__(self) -> None:
        self.tasks: dict[int, Task] = {}
        self.steps: list[Step] = []
        self.decisions: list[tuple[Key, int]] = []  # those that were not as ever
        self.ended = Ended.DONE
        self.taken = 0
        self.parked: list[str] = []  # what everybody waited for in a deadlock
        self.lines = False
        self.outside: Callable[[bool], bool] = lambda _: False
        """Asked when nobody can go on: whether something came that nobody saw coming."""
        self._strategy: Strategy = Usual()
        self._now = 0.0
        self._numbers = itertools.count(_BORN)
        self._holder: Task | None = None
        self._last: Task | None = None
        self._given_up = False
        self._patience_s = _PATIENCE_S
        self._beat = 0  # moves with each step
        self._ending = _thread.allocate_lock()  # let go when everybody who was asked for is done
        self._ending.acquire()
        self._awaited: set[int] = set()
        self._between = True  # the token is on its way, or somebody decides about it
        self._guard = _thread.allocate_lock()  # of what the watch may do at the same time

    # What the driver calls; it is no task.

    def begin(self, strategy: Strategy) -> None:
        """A new execution: nothing is recorded yet, and operations begin anew."""
        self.steps, self.decisions = [], []
        self.ended, self.taken, self.parked = Ended.DONE, 0, []  # time never goes back
        self._strategy = strategy
        ended = [n for n, task in self.tasks.items() if n >= _BORN and task.state is State.DONE]
        for number in ended:
            del self.tasks[number]
        self._numbers = itertools.count(max([_BORN - 1, *self.tasks]) + 1)
        for task in self.tasks.values():
            task.op = task.k = 0

    def add(self, number: int, name: str) -> Task:
        """A new task, which waits to be given the token."""
        task = Task(number, name)
        self.tasks = dict(sorted({**self.tasks, number: task}.items()))  # as they are asked for
        return task

    def run(self, numbers: set[int]) -> Ended:
        """Let tasks run until these are done; answers how it ended, and never raises."""
        self._awaited = {one for one in numbers if self.tasks[one].state is not State.DONE}
        self._ending.acquire(False)
        if self._awaited:
            self._last, self._between = None, True
            self._hand_on(None, Key(QUIET, 0, 0))
            self._watch()
        return self.ended

    def give_up(self) -> list[str]:
        """Have every task that is not done unwind; answers the names of those that do not."""
        self._given_up = True
        left = [one for one in list(self.tasks.values()) if one.state is not State.DONE]
        for gate in {id(one.gate): one.gate for one in left}.values():
            if gate.locked():
                gate.release()
        until_s = monotonic_s() + _UNWIND_S
        while self._left() and monotonic_s() < until_s:
            time.sleep(0.001)
        return self._left()

    def _left(self) -> list[str]:
        return [one.name for one in list(self.tasks.values()) if one.state is not State.DONE]

    # What managed threads call.

    def work(self, task: Task, action: Callable[[], object]) -> None:
        """Run this as the task, in the calling thread; raises what it raises but ``Abandoned``."""
        _mine.task, _mine.controller = task, self
        try:
            self._wait(task)
            action()
        except Abandoned:
            pass
        finally:
            _mine.task = _mine.controller = None
            self._finish(task)

    def point(self, point: Point) -> None:
        """Announce what the calling task does next; others may go first."""
        task = self._me()
        task.point = point
        self._decide(task)
        self._record(task)

    def sleep(self, seconds: float) -> None:
        """Let this much virtual time pass, and others go on before."""
        task = self._me()
        task.point = Point(f"sleep {seconds:g}", None, writes=False)
        task.state, task.until = State.SLEEPING, self._now + max(seconds, 0.0)
        self._decide(task)
        task.state = State.READY
        self._now = max(self._now, task.until)
        self._record(task)

    def park(self, on: Hashable, point: Point, *, seconds: float | None = None) -> bool:
        """Wait until somebody wakes who waits for ``on``; False when so much time has passed.

        Virtual time only passes while nobody else can go on.
        """
        task = self._me()
        task.point, task.on, task.expired = point, on, False
        task.until = _NEVER if seconds is None else self._now + seconds
        task.state = State.PARKED
        key = self._key(task)
        self._hand_on(task, key)
        self._wait(task)
        task.on = None
        self._record(task)
        return not task.expired

    def wake(self, on: Hashable) -> None:
        """Whoever waits for this may go on, when he is given the token."""
        for task in list(self.tasks.values()):
            if task.state is State.PARKED and task.on == on:
                task.state = State.READY

    def operation(self, number: int) -> None:
        """The calling task begins this operation."""
        task = current()
        if task is not None and task.op != number:  # a second attempt of one goes on counting
            task.op, task.k = number, 0

    def parted(self, task: Task) -> Task:
        """A task that has the place of this one, which goes on under another number."""
        other = Task(task.number, task.name, op=task.op, k=task.k)
        task.number = next(self._numbers)
        self.tasks[other.number], self.tasks[task.number] = other, task
        return other

    def born(self, name: str) -> Task:
        """A task for a thread that the store begins."""
        return self.add(next(self._numbers), name)

    # What threads call that carry several tasks, or a task for a while.

    @property
    def now(self) -> float:
        """The virtual time, in seconds; it never goes back."""
        return self._now

    @property
    def restless(self) -> bool:
        """Whether something that the store began could go on by itself."""
        return any(n >= _BORN and one.state is State.READY for n, one in self.tasks.items())

    @property
    def given_up(self) -> bool:
        """Whether every task is to unwind."""
        return self._given_up

    @property
    def holder(self) -> Task | None:
        """Who has the token."""
        return self._holder

    def enter(self, task: Task, *, told: bool = True) -> None:
        """The calling thread was let through the gate as this task; ``told`` is a step."""
        if self._given_up:
            raise Abandoned
        _mine.task, _mine.controller = task, self
        if task.carrier is not None:
            task.carrier.inside = task
        if told:
            self._record(task)
        else:
            self._beat, self._between = self._beat + 1, False

    def acting(self, task: Task, action: Callable[[], object]) -> None:
        """Do this in the name of the task, in a thread that is not its own."""
        with unmanaged():
            _mine.task, _mine.controller = task, self
            action()

    def resume(self) -> None:
        """The calling task has the token again, if it had lost it as it waited unseen."""
        self._me()

    def leave(self, task: Task, state: State, *, to: Task | None = None) -> None:
        """The calling thread is the task no more, which is left in this state.

        ``to`` goes on, without a decision; otherwise one is made.
        """
        _mine.task = _mine.controller = None
        if task.carrier is not None and task.carrier.inside is task:
            task.carrier.inside = None
        if state is State.DONE:
            self._finish(task)
            return
        task.state = state
        if to is not None:
            self._give(to)
        else:
            self._hand_on(task, self._key(task))

    # How the token goes from one to the next.

    def _me(self) -> Task:
        task = current()
        if task is None:
            raise RuntimeError("only managed threads come to points")
        if self._given_up:
            raise Abandoned
        with self._guard:
            away, task.state = task.state is State.AWAY, _READY
            if away and self._holder is None:  # everybody else waits, perhaps for this one
                self._holder, away = task, False
            self._between = self._between or not away
            self._beat += 1
        if away:  # back from where it waited unseen: it queues
            self._wait(task)
        return task

    def _key(self, task: Task) -> Key:
        task.k += 1
        return Key(task.number, task.op, task.k)

    def _decide(self, task: Task) -> None:
        """Go on, or let another go on and wait for the token."""
        key = self._key(task)
        chosen = self._pick(task, key)
        if chosen is not None and chosen is not task:
            self._give(chosen)
            self._wait(task)

    def _hand_on(self, task: Task | None, key: Key) -> None:
        """Give the token to somebody else: the task can't go on."""
        chosen = self._pick(task, key)
        if chosen is not None:
            self._give(chosen)
            return
        with self._guard:
            self._holder, self._between = None, False
            waiting = [one for one in self.tasks.values() if one.state is State.PARKED]
            if any(one.state is State.AWAY for one in self.tasks.values()):
                return  # who comes back takes the token
            self.ended = Ended.DEADLOCK
            self.parked = [f"{one.name} waits: {one.point.what}" for one in waiting]
            self._end()

    def _pick(self, task: Task | None, key: Key) -> Task | None:
        ready = self._ready()
        if not ready:
            late = min(
                (one for one in self.tasks.values() if one.state is State.PARKED),
                key=lambda one: (one.until, one.number),
                default=None,
            )
            hopeless = late is None or late.until == _NEVER
            if self.outside(hopeless):
                return self._pick(task, key)
            if late is None or hopeless:
                return None
            late.expired, late.state = True, State.READY
            self._now = max(self._now, late.until)
            return late
        usual = self._usual(task, ready)
        if len(ready) == 1:
            return usual
        able = task is not None and (task.state is _READY or task.state is _SLEEPING)
        points = {one.number: one.point for one in ready}
        asleep = [one.number for one in ready if one.state is _SLEEPING]
        chosen = self._strategy.pick(
            Decision(
                key,
                task.number if task is not None and able else None,
                tuple(points),
                frozenset(asleep) if asleep else _NOBODY,
                usual.number,
                points,
            )
        )
        if chosen != usual.number:
            self.decisions.append((key, chosen))
        return self.tasks[chosen]

    def _ready(self) -> list[Task]:
        return [one for one in self.tasks.values() if one.able]

    def _usual(self, task: Task | None, ready: list[Task]) -> Task:
        """Who is awake goes on, or the first of those who are; sleepers when nobody is."""
        if task is not None and task.state is _READY:
            return task
        awake = [one for one in ready if one.state is _READY]
        return awake[0] if awake else min(ready, key=lambda one: (one.until, one.number))

    def _give(self, task: Task) -> None:
        if task.state is State.SLEEPING:
            self._now = max(self._now, task.until)
            task.state = State.READY
        self._holder = task
        self._beat += 1
        task.gate.release()

    def _wait(self, task: Task) -> None:
        task.gate.acquire()
        if self._given_up:
            raise Abandoned

    def _record(self, task: Task) -> None:
        key = Key(task.number, task.op, task.k)
        self.steps.append(Step(key, task.point, self._last is not task))
        self._last = task
        self._beat += 1
        self._between = False
        if len(self.steps) > STEPS_MOST and self.ended is Ended.DONE:
            self.ended = Ended.ENDLESS
            self._end()
            self._wait(task)  # until all are given up

    def _finish(self, task: Task) -> None:
        with self._guard:
            away, task.state = task.state is State.AWAY, State.DONE
            self.wake(("done", task.number))
            self._awaited.discard(task.number)
            self._beat += 1
            if self._given_up:
                return
            if not self._awaited:
                self._holder = None
                self._end()
                return
            if away and self._holder is not None:
                return
            self._between = True
        self._hand_on(None, self._key(task))

    def _end(self) -> None:
        if self._ending.locked():
            self._ending.release()

    def _watch(self) -> None:
        """Wait for the end; take the token from who waits where nobody sees it."""
        seen, since_s = -1, monotonic_s()
        while not self._ending.acquire(timeout=self._patience_s):
            if self._beat != seen:
                seen, since_s = self._beat, monotonic_s()
                continue
            if monotonic_s() - since_s > _STUCK_S:
                self.ended = Ended.STUCK
                return
            with self._guard:
                holder = self._holder
                if self._beat != seen or self._between or holder is None:
                    continue
                holder.state, self._holder = State.AWAY, None
                self._between = True
            self.taken += 1
            self._patience_s = _PATIENCE_LEAST_S if self.taken > 1 else self._patience_s
            self._last = None
            self._hand_on(None, Key(holder.number, holder.op, -self.taken))


def steps_of(steps: list[Step]) -> Iterator[Step]:
    """The steps of clients, without those of who prepares and reads."""
    return (step for step in steps if step.key.task != QUIET)
