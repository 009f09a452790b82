"""Drivers for asyncio that have threads of their own, under control: aiosqlite.

Its connections hand functions to a thread by a queue, one after the other. On a controlled loop
that thread is ours: what a connection is asked stays in its order, and so do its answers, which
stores rely on. Each function is carried out as the task that waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Any

from sessionproof.schedule.tasks import Loop


class Channel:
    """Stands for the queue of one connection."""

    def __init__(self, loop: Loop, connection: Any) -> None:
        self._loop = loop
        self._connection = connection
        self._crew = loop.crew("connection", quiet=True, last=self._close)

    def put_nowait(self, item: Any) -> None:
        """Take a function, with the future of who waits; whatever else is asked ends the thread."""
        if not isinstance(item, tuple) or item[0] is None:
            self._crew.end()  # nobody waits: versions differ in how they say so
            return
        future, function = item
        self._loop.submit(self._crew, function, future)

    def _close(self) -> None:
        """Close what was left open, in the thread that opened it."""
        inner, self._connection._connection = self._connection._connection, None
        if inner is not None:
            with suppress(Exception):
                inner.close()


class _NoThread:
    """In the place of a connection's thread: it never begins."""

    daemon = True

    def start(self) -> None:
        """Nothing."""

    def is_alive(self) -> bool:
        """Never."""
        return False


@contextmanager
def controlled_aiosqlite() -> Iterator[None]:
    """Within it, connections of aiosqlite made on a controlled loop are under control."""
    kind = _connections()
    if kind is None:
        yield
        return
    original = kind.__init__
    kind.__init__ = _controlled(original)
    try:
        yield
    finally:
        kind.__init__ = original


def _connections() -> Any:
    """The class of aiosqlite's connections; None where nobody can use them."""
    try:
        from aiosqlite.core import Connection
    except ImportError:
        return None
    return Connection


def _controlled(original: Callable[..., None]) -> Callable[..., None]:
    @wraps(original)
    def init(self: Any, *args: Any, **named: Any) -> None:
        original(self, *args, **named)
        loop = asyncio._get_running_loop()
        if not isinstance(loop, Loop):
            return
        self._tx = Channel(loop, self)
        if hasattr(self, "_thread"):
            self._thread = _NoThread()
        else:
            self.start = lambda: None  # it is its own thread until 0.21

    return init
