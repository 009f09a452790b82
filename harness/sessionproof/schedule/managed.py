"""Tasks, and which of them a thread is."""

from __future__ import annotations

import _thread
import os
import threading
import time
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from sessionproof.contract.clock import monotonic_s
from sessionproof.schedule.decisions import BEGIN, Point

if TYPE_CHECKING:
    from sessionproof.schedule.control import Controller


class State(Enum):
    """``AWAY`` is who lost the token as it waits where nobody sees it."""

    READY = "ready"
    SLEEPING = "sleeping"
    PARKED = "parked"
    AWAY = "away"
    DONE = "done"


_UNWIND_S = 2.0  # for threads that are given up, to leave
_READY, _SLEEPING = State.READY, State.SLEEPING  # a member's name is looked up slowly


class Abandoned(BaseException):
    """Raised in threads of an execution that is given up."""


def shut() -> _thread.LockType:
    """A lock that is taken."""
    gate = _thread.allocate_lock()
    gate.acquire()
    return gate


@dataclass(eq=False)
class Carrier:
    """A thread that carries several tasks, a step of one at a time, as the loop of asyncio does.

    ``inside`` is the task whose step has begun and not ended.
    """

    gate: _thread.LockType = field(default_factory=shut)
    inside: Task | None = None


@dataclass(eq=False)
class Task:
    """A managed thread, or what stands for one; ``carrier`` has the thread of several."""

    number: int
    name: str
    gate: _thread.LockType = field(default_factory=shut)
    state: State = State.READY
    point: Point = BEGIN
    op: int = 0
    k: int = 0
    on: Hashable = None
    until: float = 0.0  # of virtual time, for sleepers and who waits no longer than this
    expired: bool = False
    carrier: Carrier | None = None
    lasting: bool = False  # a thread that the store began, and that may outlive its stage

    @property
    def able(self) -> bool:
        """Whether it can go on when it is given the token."""
        if self.state is not _READY and self.state is not _SLEEPING:
            return False
        return self.carrier is None or self.carrier.inside in (None, self)

    def board(self, carrier: Carrier | None) -> None:
        """Be carried by this one from now on, or by a thread of its own."""
        self.carrier = carrier
        self.gate = shut() if carrier is None else carrier.gate


def usual_of(task: Task | None, ready: Sequence[Task]) -> Task:
    """Who is awake goes on, or the first of those who are; sleepers when nobody is."""
    if task is not None and task.state is _READY:
        return task
    awake = [one for one in ready if one.state is _READY]
    return awake[0] if awake else min(ready, key=lambda one: (one.until, one.number))


def first_late(tasks: Mapping[int, Task]) -> Task | None:
    """Of those who are parked, who will not wait longest."""
    parked = (one for one in tasks.values() if one.state is State.PARKED)
    return min(parked, key=lambda one: (one.until, one.number), default=None)


def unfinished(tasks: Mapping[int, Task]) -> list[Task]:
    """Those who are not done."""
    return [one for one in list(tasks.values()) if one.state is not State.DONE]


def lasting(tasks: Mapping[int, Task]) -> list[Task]:
    """Threads that the store began, and that go on."""
    return [one for one in unfinished(tasks) if one.lasting]


def unwound(tasks: Mapping[int, Task], spared: Collection[Task]) -> list[Task]:
    """Let all go on but these, as they are to leave, and wait for it; answers who has not left."""

    def left() -> list[Task]:
        return [one for one in unfinished(tasks) if one not in spared]

    for gate in {id(one.gate): one.gate for one in left()}.values():
        if gate.locked():
            gate.release()
    until_s = monotonic_s() + _UNWIND_S
    while left() and monotonic_s() < until_s:
        time.sleep(0.001)
    return left()


mine = threading.local()


def _nobody() -> None:
    mine.task = mine.controller = None


if hasattr(os, "register_at_fork"):  # in a process that a store forks, nobody controls
    os.register_at_fork(after_in_child=_nobody)


def current() -> Task | None:
    """The task of this thread, None where it is not managed."""
    return getattr(mine, "task", None)


def active() -> Controller | None:
    """The controller of this thread, None where it is not managed."""
    return getattr(mine, "controller", None)


class unmanaged:  # noqa: N801 - used as a word of the language
    """Within it, this thread meets everything as it is without control."""

    def __enter__(self) -> None:
        self._held = (current(), active())
        mine.task = mine.controller = None

    def __exit__(self, *_: object) -> None:
        mine.task, mine.controller = self._held
