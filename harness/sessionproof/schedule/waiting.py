"""What one connection of ``sqlite3`` holds and waits for, while its threads are controlled.

SQLite waits for locks in C, where nobody sees it. So while it is managed, a connection has no
timeout; the store's is remembered, and who would wait is parked until another thread lets go, or
until so much virtual time has passed.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

from sessionproof.schedule.busy import Statement, waits
from sessionproof.schedule.control import Controller
from sessionproof.schedule.decisions import Point
from sessionproof.schedule.managed import active

T = TypeVar("T")
On = tuple[str, str]
_REMEMBERED = 4_096


@lru_cache(maxsize=_REMEMBERED)
def point_of(statement: Statement, on: On) -> Point:
    """To carry it out."""
    return Point(statement.what, on, statement.writes, statement.text)


@lru_cache(maxsize=_REMEMBERED)
def fetch_of(statement: Statement, on: On) -> Point:
    """To fetch what it answers."""
    return Point(f"fetch: {statement.what}", on, writes=False, detail=statement.text)


class Waiting:
    """Beside a connection.

    ``on`` is what others wait for, ``wait_ms`` the store's timeout. ``reading`` says that a cursor
    may not be at its end.
    """

    def __init__(self, connection: sqlite3.Connection, database: Any, timeout: Any) -> None:
        self.on: On = ("db", _place(database) or f"memory {id(connection):x}")
        self.wait_ms = int(timeout * 1000) if isinstance(timeout, (int, float)) else 0
        self.reading = False
        self.at_once = False  # SQLite's own timeout is none
        self._holding = False  # a lock, since the transaction began
        self._connection = connection

    def controller(self) -> Controller | None:
        """Who controls this thread; SQLite's timeout is made to fit."""
        controller = active()
        if (controller is not None) is not self.at_once:
            wait_ms = 0 if controller is not None else self.wait_ms
            sqlite3.Connection.execute(self._connection, f"PRAGMA busy_timeout = {wait_ms}")
            self.at_once = controller is not None
        return controller

    def carried(self, controller: Controller, statement: Statement, attempt: Callable[[], T]) -> T:
        """Have it carried out; where SQLite would wait for a lock, wait for who has it."""
        until: float | None = None
        expired = False
        held = self.reading or self._connection.in_transaction
        while True:
            try:
                out = attempt()
            except sqlite3.OperationalError as error:
                self._settled(controller, held=held)
                # What it let go, it let go once: two who wait would wake each other for ever.
                held = self._connection.in_transaction
                if expired or not self._waits(error, statement):
                    raise
                if until is None:
                    until = controller.now + self.wait_ms / 1000
                left_s = max(until - controller.now, 0.0)
                point = point_of(statement, self.on)
                expired = not controller.park(self.on, point, seconds=left_s)
            except BaseException:
                self._settled(controller, held=held)
                raise
            else:
                self._holding = self._holding or statement.holds
                self._settled(controller, held=held, freed=statement.frees)
                return out

    def let_go(self) -> None:
        """A cursor came to its end: who waits may try again, if that was all there was."""
        controller = active()
        if self.reading and controller is not None and not self._connection.in_transaction:
            controller.wake(self.on)
        self.reading = False

    def _waits(self, error: sqlite3.OperationalError, statement: Statement) -> bool:
        code = getattr(error, "sqlite_errorcode", 0)
        return waits(code, statement, wait_ms=self.wait_ms, holding=self._holding)

    def _settled(self, controller: Controller, *, held: bool, freed: bool = False) -> None:
        """After a call: who waits may try again, if a lock was let go.

        ``freed``: a transaction has ended, also where Python has begun another one at once.
        """
        if freed or not self._connection.in_transaction:
            self._holding = False
            if held:
                controller.wake(self.on)


def _place(database: Any) -> str:
    """The file, or what names memory that connections share; nothing for memory of one alone."""
    try:
        name = os.fsdecode(database)
    except TypeError:
        return ""  # sqlite3 will say what is wrong with it
    if name.startswith("file:"):
        path, _, options = name.removeprefix("file:").partition("?")
        if "mode=memory" in options or path == ":memory:":
            return name if "cache=shared" in options else ""
        name = path.removeprefix("//") if path.startswith("///") else path
    return "" if name in ("", ":memory:") else os.path.realpath(name)
