"""One token for all managed threads: who has it runs, and at each point it says who is next.

There is no controller thread. A thread announces what it is about to do; the one that holds the
token asks the strategy who goes on, and hands the token over by a raw lock if that is another.
"""

from __future__ import annotations

import _thread
import itertools
from collections.abc import Callable, Hashable, Iterable

from sessionproof.contract.clock import monotonic_s
from sessionproof.schedule.decisions import (
    QUIET,
    Decision,
    Ended,
    Key,
    Point,
    Step,
    Strategy,
    Usual,
)
from sessionproof.schedule.managed import (
    Abandoned,
    State,
    Task,
    current,
    first_late,
    mine,
    shut,
    unfinished,
    unmanaged,
    unwound,
    usual_of,
)

STEPS_MOST = 20_000  # of one execution; a program of a few operations has some dozen
_BORN = 100  # the first number of threads and tasks that the store begins
_ASIDE = 1 << 20  # the first of those that outlive a stage, when another takes their number
_PATIENCE_S = 1.0  # without a point, before the token is taken from who has it
_PATIENCE_LESS_S = 0.1  # where a store is known to wait where nobody sees it
_PATIENCE_LEAST_S = 0.05  # once it has shown that it does so
_STUCK_S = 20.0  # without a point of anybody, before the execution is given up
_NOBODY: frozenset[int] = frozenset()
_READY, _SLEEPING = State.READY, State.SLEEPING  # a member's name is looked up slowly
_NEVER = float("inf")


class Controller:
    """Holds the tasks of one location; executions follow one another on it.

    ``taken`` counts tokens that were taken from threads that waited unseen: since then the
    execution is not under control. ``holder`` is who has the token.
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
        self.now = 0.0  # virtual seconds; they never go back
        self._numbers, self._aside = itertools.count(_BORN), itertools.count(_ASIDE)
        self._spared: set[Task] = set()  # they have outlived a stage
        self.holder: Task | None = None
        self._last: Task | None = None
        self.given_up = False  # every task is to unwind
        self._patience_s = self._usual_s = _PATIENCE_S
        self._beat = 0  # moves with each step
        self._ending = shut()  # let go when everybody who was asked for is done
        self._awaited: set[int] = set()
        self._between = True  # the token is on its way, or somebody decides about it
        self._guard = _thread.allocate_lock()  # of what the watch may do at the same time

    # What the driver calls; it is no task.

    def begin(self, strategy: Strategy) -> None:
        """A new execution: nothing is recorded yet, and operations begin anew."""
        self.steps, self.decisions = [], []
        self.ended, self.taken, self.parked = Ended.DONE, 0, []  # time never goes back
        self._strategy = strategy
        alive = {
            n: one for n, one in self.tasks.items() if n < _BORN or one.state is not State.DONE
        }
        own = (n for n, one in alive.items() if one not in self._spared)
        self.tasks, self._numbers = alive, itertools.count(max([_BORN - 1, *own]) + 1)
        for task in alive.values():
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

    def give_up(self, *, spared: Iterable[Task] = ()) -> list[str]:
        """Have every task that is not done unwind; answers the names of those that do not.

        Those that are ``spared`` wait, for ``go_on``.
        """
        self.given_up, self._spared = True, set(spared)
        return [one.name for one in unwound(self.tasks, self._spared)]

    def go_on(self) -> None:
        """Serve others, if nobody is left but those that were spared."""
        self.given_up = any(one not in self._spared for one in unfinished(self.tasks))
        self._patience_s = self._usual_s

    def hurry(self) -> None:
        """Be less patient from now on: the store is known to wait where nobody sees it."""
        self._usual_s = self._patience_s = _PATIENCE_LESS_S

    # What managed threads call.

    def work(self, task: Task, action: Callable[[], object]) -> None:
        """Run this as the task, in the calling thread; raises what it raises but ``Abandoned``."""
        mine.task, mine.controller = task, self
        try:
            self._wait(task)
            action()
        except BaseException:  # who unwinds may meet locks that it did not take
            if not self.given_up:
                raise
        finally:
            mine.task = mine.controller = None
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
        task.state, task.until = State.SLEEPING, self.now + max(seconds, 0.0)
        self._decide(task)
        task.state = State.READY
        self.now = max(self.now, task.until)
        self._record(task)

    def park(self, on: Hashable, point: Point, *, seconds: float | None = None) -> bool:
        """Wait until somebody wakes who waits for ``on``; False when so much time has passed.

        Virtual time only passes while nobody else can go on.
        """
        task = self._me()
        task.point, task.on, task.expired = point, on, False
        task.until = _NEVER if seconds is None else self.now + seconds
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

    def born(self, name: str, *, lasting: bool = False) -> Task:
        """A task for a thread that the store begins.

        It has the number that it would have if no earlier stage had left anybody.
        """
        number = next(self._numbers)
        earlier = self.tasks.get(number)
        if earlier is not None:
            earlier.number = next(self._aside)
            self.tasks = {**self.tasks, earlier.number: earlier}
        task = self.add(number, name)
        task.lasting = lasting
        return task

    # What threads call that carry several tasks, or a task for a while.

    @property
    def restless(self) -> bool:
        """Whether something that the store began could go on by itself."""
        return any(n >= _BORN and one.state is State.READY for n, one in self.tasks.items())

    def enter(self, task: Task, *, told: bool = True) -> None:
        """The calling thread was let through the gate as this task; ``told`` is a step."""
        if self.given_up:
            raise Abandoned
        mine.task, mine.controller = task, self
        if task.carrier is not None:
            task.carrier.inside = task
        if told:
            self._record(task)
        else:
            self._beat, self._between = self._beat + 1, False

    def acting(self, task: Task, action: Callable[[], object]) -> None:
        """Do this in the name of the task, in a thread that is not its own."""
        with unmanaged():
            mine.task, mine.controller = task, self
            action()

    def resume(self) -> None:
        """The calling task has the token again, if it had lost it as it waited unseen."""
        self._me()

    def leave(self, task: Task, state: State, *, to: Task | None = None) -> None:
        """The calling thread is the task no more, which is left in this state.

        ``to`` goes on, without a decision; otherwise one is made.
        """
        mine.task = mine.controller = None
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
        if self.given_up:
            raise Abandoned
        with self._guard:
            away, task.state = task.state is State.AWAY, _READY
            if away and self.holder is None and self._awaited:  # all wait, perhaps for this one
                self.holder, away = task, False
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
            self.holder, self._between = None, False
            if any(one.state is State.AWAY for one in self.tasks.values()):
                return  # who comes back takes the token
            self.ended = Ended.DEADLOCK
            parked = (one for one in self.tasks.values() if one.state is State.PARKED)
            self.parked = [f"{one.name} waits: {one.point.what}" for one in parked]
            self._end()

    def _pick(self, task: Task | None, key: Key) -> Task | None:
        ready = [one for one in self.tasks.values() if one.able]
        if not ready:
            late = first_late(self.tasks)
            hopeless = late is None or late.until == _NEVER
            if self.outside(hopeless):
                return self._pick(task, key)
            if late is None or hopeless:
                return None
            late.expired, late.state = True, State.READY
            self.now = max(self.now, late.until)
            return late
        usual = usual_of(task, ready)
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

    def _give(self, task: Task) -> None:
        if task.state is State.SLEEPING:
            self.now = max(self.now, task.until)
            task.state = State.READY
        self.holder = task
        self._beat += 1
        task.gate.release()

    def _wait(self, task: Task) -> None:
        task.gate.acquire()
        if self.given_up:
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
            self.wake(("done", id(task)))
            self._awaited.discard(task.number)
            self._beat += 1
            if self.given_up:
                return
            if not self._awaited:
                self.holder = None
                self._end()
                return
            if away and self.holder is not None:
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
                holder = self.holder
                if self._beat != seen or self._between or holder is None:
                    continue
                holder.state, self.holder = State.AWAY, None
                self._between = True
            self.taken += 1
            self._patience_s = _PATIENCE_LEAST_S if self.taken > 1 else self._patience_s
            self._last = None
            self._hand_on(None, Key(holder.number, holder.op, -self.taken))
