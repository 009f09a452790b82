"""Seeing the connections that a store opens in this process, and asking them while they are idle.

An audit hook of the interpreter sees each connection of Python's sqlite3 as it is opened. A hook
cannot be removed, so there is one for the process, switched on for a while.

The hook comes shortly before the connection is ready, and nothing comes after it. What is to be
done with each connection before the store uses it waits for the thread's next call or return, of
which the interpreter tells its profiler.
"""

from __future__ import annotations

import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any


@dataclass(frozen=True, eq=False)
class Opened:
    """A connection as it was opened; ``reads`` says that its address allows reading alone."""

    connection: sqlite3.Connection
    reads: bool


@dataclass(frozen=True)
class Setting:
    """What an open connection to a file answers. ``enforces`` is its ``PRAGMA foreign_keys``."""

    enforces: bool
    writes: bool  # neither its address nor query_only forbids it
    wrote: bool  # rows were changed through it


class _Watch:
    def __init__(self) -> None:
        self.seen: Callable[[Opened], None] | None = None
        self._address = threading.local()

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Note a connection; one comparison while it is switched off."""
        seen = self.seen
        if seen is None or not event.startswith("sqlite3.connect"):
            return
        if event == "sqlite3.connect":  # comes first, with the address
            self._address.last = arguments[0]
        elif event == "sqlite3.connect/handle":
            seen(Opened(arguments[0], _reads(getattr(self._address, "last", ""))))


@cache
def _watch() -> _Watch:
    watch = _Watch()
    sys.addaudithook(watch.hook)
    return watch


@contextmanager
def watched() -> Iterator[list[Opened]]:
    """The connections that are opened in this process within the block, as they come."""
    seen: list[Opened] = []
    with _seeing(seen.append):
        try:
            yield seen
        finally:
            seen.clear()  # nothing of the store stays open for our sake


@contextmanager
def met(opened: Callable[[], None], ready: Callable[[sqlite3.Connection], None]) -> Iterator[None]:
    """Meet each connection that is opened in this process within the block; none is kept.

    ``opened()`` comes with each of them. ``ready(connection)`` follows in the same thread, before
    the store uses the connection; it does not where a profiler written in C has the thread.
    """

    def meet(one: Opened) -> None:
        opened()
        _soon(ready, one.connection)

    with _seeing(meet):
        yield


@contextmanager
def unwatched() -> Iterator[None]:
    """Connections of our own, opened within this block, are nobody's business."""
    with _seeing(None):
        yield


@contextmanager
def _seeing(seen: Callable[[Opened], None] | None) -> Iterator[None]:
    watch = _watch()
    watch.seen, before = seen, watch.seen
    try:
        yield
    finally:
        watch.seen = before


def _soon(action: Callable[[sqlite3.Connection], None], connection: sqlite3.Connection) -> None:
    """Run the action at the next call or return of this thread."""
    before = sys.getprofile()
    if before is not None and not callable(before):
        return  # such a profiler cannot be put back

    def once(frame: FrameType, event: Any, argument: object) -> None:
        sys.setprofile(before)
        with suppress(Exception):  # it would be raised in the store
            action(connection)
        if before is not None:
            before(frame, event, argument)

    sys.setprofile(once)


def asked(seen: list[Opened], path: str) -> dict[int, Setting]:
    """What the open connections to this file answer, by their identity.

    Left out are closed ones, and those that only their own thread, which is not this one, may use.
    """
    out = {}
    for one in list(seen):
        with suppress(sqlite3.Error, OSError, ValueError):
            files = _answers(one.connection, "PRAGMA database_list")
            if not any(row[1] == "main" and _same(row[2], path) for row in files):
                continue
            query_only = bool(_answers(one.connection, "PRAGMA query_only")[0][0])
            out[id(one.connection)] = Setting(
                enforces=bool(_answers(one.connection, "PRAGMA foreign_keys")[0][0]),
                writes=not (one.reads or query_only),
                wrote=one.connection.total_changes > 0,
            )
    return out


def file_of(connection: sqlite3.Connection) -> str:
    """The file of a connection's main database, empty for one in memory."""
    files = _answers(connection, "PRAGMA database_list")
    return next((str(row[2] or "") for row in files if row[1] == "main"), "")


def _answers(connection: sqlite3.Connection, sql: str) -> list[Any]:
    cursor = sqlite3.Connection.cursor(connection, sqlite3.Cursor)
    try:
        cursor.row_factory = None  # the store may have one of its own
        return cursor.execute(sql).fetchall()
    finally:
        cursor.close()


def _same(one: str, other: str) -> bool:
    return bool(one) and Path(one).samefile(other)


def _reads(address: object) -> bool:
    text = address if isinstance(address, str) else ""
    return "mode=ro" in text or "immutable=1" in text
