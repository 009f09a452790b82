"""Tasks, and which of them a thread is."""

from __future__ import annotations

import _thread
import threading
from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

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


_READY, _SLEEPING = State.READY, State.SLEEPING  # a member's name is looked up slowly


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


mine = threading.local()


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
