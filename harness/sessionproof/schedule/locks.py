"""Locks, threads and sleeps that managed threads meet in the place of the interpreter's own.

They serve any thread: one that is not managed meets the lock as it is. Everything else of
``threading``, ``queue`` and ``concurrent.futures`` is made of these, and follows by itself.
"""

from __future__ import annotations

import _thread
import queue
import threading
import time
from collections.abc import Iterator
from concurrent.futures import thread as executors
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from sessionproof.schedule.decisions import Point
from sessionproof.schedule.managed import active, unmanaged

_allocate = _thread.allocate_lock
_start, _join, _sleep = threading.Thread.start, threading.Thread.join, time.sleep


class Lock:
    """A lock; to take it is a point."""

    _announced = True

    def __init__(self) -> None:
        self._lock = _allocate()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As that of ``threading.Lock``."""
        controller = active()
        if controller is None:
            return self._lock.acquire(blocking, timeout)
        point = Point("take the lock", id(self))
        if self._announced:
            controller.point(point)
        until = None if timeout < 0 else timeout
        while not self._lock.acquire(False):
            if not blocking or not controller.park(id(self), point, seconds=until):
                return False
        return True

    def release(self) -> None:
        """As that of ``threading.Lock``."""
        self._lock.release()
        controller = active()
        if controller is not None:
            controller.wake(id(self))

    def locked(self) -> bool:
        """Whether somebody has it."""
        return self._lock.locked()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def _at_fork_reinit(self) -> None:
        self._lock = _allocate()


class _Waiter(Lock):
    """The lock by which a condition waits: nobody else can be in its way."""

    _announced = False


class RLock(threading._RLock):  # type: ignore[misc]
    """A lock that its owner may take again; to take it first is a point."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As that of ``threading.RLock``."""
        controller = active()
        if controller is not None and not self._is_owned():  # type: ignore[attr-defined]
            controller.point(Point("take the lock", id(self)))
        return bool(super().acquire(blocking, timeout))

    __enter__ = acquire


def start(self: threading.Thread) -> None:
    """Begin a thread: what a managed one begins is managed."""
    controller = active()
    if controller is None:
        _start(self)
        return
    controller.point(Point(f"start {self.name}", id(self)))
    task, run = controller.born(self.name, lasting=True), self.run
    self.run = lambda: controller.work(task, run)  # type: ignore[method-assign]
    self._sessionproof_task = task  # type: ignore[attr-defined]
    with unmanaged():
        _start(self)


def join(self: threading.Thread, timeout: float | None = None) -> None:
    """Wait for a thread."""
    controller, task = active(), getattr(self, "_sessionproof_task", None)
    if controller is None or task is None:
        _join(self, timeout)
        return
    point = Point(f"wait for the end of {self.name}", ("done", id(task)), writes=False)
    controller.point(point)
    if task.state.name != "DONE" and not controller.park(point.on, point, seconds=timeout):
        return
    with unmanaged():
        _join(self, timeout)


def sleep(seconds: float) -> None:
    """Wait; for managed threads no real time passes."""
    controller = active()
    if controller is None:
        _sleep(seconds)
    else:
        controller.sleep(seconds)


_FROM = {
    "Lock": threading.Lock,
    "RLock": threading.RLock,
    "_allocate_lock": threading._allocate_lock,  # type: ignore[attr-defined]
    "SimpleQueue": queue.SimpleQueue,
    "sleep": time.sleep,
}


def patched(module: ModuleType) -> None:
    """Put ours in the place of what a module took by name, as ``from threading import Lock``."""
    to = {id(_FROM["Lock"]): Lock, id(_FROM["RLock"]): RLock, id(_FROM["sleep"]): sleep,
          id(_FROM["SimpleQueue"]): queue._PySimpleQueue}  # type: ignore[attr-defined]  # fmt: skip
    for name, value in list(vars(module).items()):
        if id(value) in to:
            setattr(module, name, to[id(value)])


@contextmanager
def controlled_threads() -> Iterator[None]:
    """Within it, locks that are made, threads that begin and sleeps can be controlled."""
    before = [
        (threading, "Lock", Lock),
        (threading, "RLock", RLock),
        (threading, "_allocate_lock", _Waiter),
        (threading.Thread, "start", start),
        (threading.Thread, "join", join),
        (time, "sleep", sleep),
        (queue, "SimpleQueue", queue._PySimpleQueue),  # type: ignore[attr-defined]
        (executors, "_global_shutdown_lock", Lock()),
    ]
    held: list[tuple[Any, str, Any]] = []
    for owner, name, ours in before:
        held.append((owner, name, getattr(owner, name)))
        setattr(owner, name, ours)
    try:
        yield
    finally:
        for owner, name, theirs in held:
            setattr(owner, name, theirs)
