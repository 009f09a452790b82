"""Connections of ``sqlite3`` under control: each statement is a point, and so is the first fetch.

Threads that are not managed meet SQLite as it is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from sqlite3 import dbapi2
from typing import Any

from sessionproof.schedule.busy import Statement, statement_of
from sessionproof.schedule.decisions import Point
from sessionproof.schedule.managed import active
from sessionproof.schedule.waiting import Waiting, fetch_of, point_of

_connect = sqlite3.connect
_LEGACY = -1  # of ``Connection.autocommit``: Python begins transactions as it ever did
_COMMIT = statement_of("commit")
_ROLLBACK = statement_of("rollback")
_TIMEOUT_S = 5.0  # where none is given
_FACTORY_AT = 5  # of the positional arguments of ``connect``


class Connection(sqlite3.Connection):
    """A connection whose calls are points.

    It stands behind a store's own factory: what that does itself is done as ever, and what it
    hands on comes here.
    """

    def __init__(self, database: Any, *args: Any, **named: Any) -> None:
        timeout = args[0] if args else named.get("timeout", _TIMEOUT_S)
        self._sessionproof = waiting = Waiting(self, database, timeout)
        controller = active()
        if controller is not None:
            controller.point(Point("connect", waiting.on, writes=False, detail=str(database)))
            waiting.at_once = True
            if isinstance(timeout, (int, float)):
                args, named = _with_timeout(0, args, named)
        super().__init__(database, *args, **named)

    def cursor(self, factory: Any = sqlite3.Cursor) -> Any:
        """As that of ``sqlite3``."""
        if factory is sqlite3.Cursor:
            return super().cursor(Cursor)
        is_class = isinstance(factory, type) and issubclass(factory, sqlite3.Cursor)
        return super().cursor(_behind(factory, Cursor) if is_class else factory)

    def execute(self, *args: Any) -> Any:
        """As that of ``sqlite3``."""
        return Connection.cursor(self).execute(*args)

    def executemany(self, *args: Any) -> Any:
        """As that of ``sqlite3``."""
        return Connection.cursor(self).executemany(*args)

    def executescript(self, *args: Any) -> Any:
        """As that of ``sqlite3``."""
        return Connection.cursor(self).executescript(*args)

    def commit(self) -> None:
        """As that of ``sqlite3``; a point where there is something to commit."""
        self._end_by(_COMMIT, super().commit)

    def rollback(self) -> None:
        """As that of ``sqlite3``; a point where there is something to roll back."""
        self._end_by(_ROLLBACK, super().rollback)

    def _end_by(self, statement: Statement, attempt: Callable[[], None]) -> None:
        waiting = self._sessionproof
        controller = waiting.controller()
        if controller is None or not self.in_transaction:
            attempt()
            return
        controller.point(point_of(statement, waiting.on))
        waiting.carried(controller, statement, attempt)

    def __exit__(self, kind: Any, *_: object) -> Any:
        if kind is not None:
            Connection.rollback(self)
            return False
        try:
            Connection.commit(self)
        except sqlite3.Error:
            Connection.rollback(self)
            raise
        return False

    def close(self) -> None:
        """As that of ``sqlite3``."""
        controller = active()
        if controller is None:
            super().close()
            return
        on = self._sessionproof.on
        try:
            controller.point(Point("close", on))
        finally:  # also when all is given up: it would stay open
            super().close()
        controller.wake(on)


class Cursor(sqlite3.Cursor):
    """A cursor whose calls are points."""

    _ahead: Statement | None = None  # its first fetch is still to come
    _rows: Iterator[Any] | None = None  # what was fetched already, as fetching commits
    _before = 0  # rows of ``executemany`` that earlier attempts have counted

    @property
    def _waiting(self) -> Waiting:
        return self.connection._sessionproof  # type: ignore[attr-defined, no-any-return]

    def execute(self, sql: Any, parameters: Any = (), /) -> Any:
        """As that of ``sqlite3``."""
        run, waiting = super().execute, self._waiting
        controller = waiting.controller()
        if not isinstance(sql, str):
            return run(sql, parameters)
        statement = statement_of(sql)
        if statement.wait_ms is not None:
            waiting.wait_ms = statement.wait_ms
        if controller is None:
            return run(sql, parameters)
        if statement.asks_wait:
            return run(f"SELECT {waiting.wait_ms} AS timeout")
        if not statement.aside:
            controller.point(point_of(statement, waiting.on))
        attempt = partial(run, sql, parameters)
        if statement.returns:
            attempt = partial(self._returning, attempt, super().fetchall)
        self._before, self._rows = 0, None
        out = waiting.carried(controller, statement, attempt)
        self._ahead = statement if self.description is not None else None
        waiting.reading = waiting.reading or self._ahead is not None
        return out

    def _returning(self, run: Callable[[], Any], fetch: Callable[[], Any]) -> Any:
        """Outside of a transaction the last fetch commits: it would be too late to try again."""
        out = run()
        if not self.connection.in_transaction:
            self._rows = iter(fetch())
        return out

    def executemany(self, sql: Any, rows: Any, /) -> Any:
        """As that of ``sqlite3``; what was not carried out yet is tried again."""
        run, waiting = super().executemany, self._waiting
        controller = waiting.controller()
        if controller is None or not isinstance(sql, str):
            return run(sql, rows)
        statement, left, taken = statement_of(sql), list(rows), 0
        self._before, self._ahead, self._rows = 0, None, None

        def counted() -> Iterator[Any]:
            nonlocal taken
            for row in left:
                taken += 1
                yield row

        def attempt() -> Any:
            nonlocal taken
            if taken:  # the last that was taken met the lock, those before it are done
                del left[: taken - 1]
                self._before += taken - 1
                taken = 0
            return run(sql, counted())

        controller.point(point_of(statement, waiting.on))
        return waiting.carried(controller, statement, attempt)

    @property
    def rowcount(self) -> int:
        """As that of ``sqlite3``; with rows that an earlier attempt has done."""
        count = super().rowcount
        return count + self._before if count >= 0 else count

    def executescript(self, script: Any, /) -> Any:
        """As that of ``sqlite3``, statement by statement: none is carried out twice."""
        fetch, waiting, connection = super().fetchall, self._waiting, self.connection
        controller = waiting.controller()
        if controller is None or not isinstance(script, str):
            return super().executescript(script)
        if getattr(connection, "autocommit", _LEGACY) == _LEGACY:
            Connection.commit(connection)  # type: ignore[arg-type]
        self._before, self._ahead, self._rows = 0, None, None
        for text in statements_of(script):
            statement = statement_of(text)
            if statement.wait_ms is not None:
                waiting.wait_ms = statement.wait_ms
            if statement.asks_wait:
                continue
            if not statement.aside:
                controller.point(point_of(statement, waiting.on))
            waiting.carried(controller, statement, partial(self._of_script, text, fetch))
        return self

    def _of_script(self, text: str, fetch: Callable[[], Any]) -> None:
        """Carry one out as a script does: Python begins no transaction by itself."""
        connection = self.connection
        level = connection.isolation_level
        bare = level is None or connection.in_transaction
        if not bare:
            connection.isolation_level = None
        try:
            super().execute(text)
            fetch()
        finally:
            if not bare:
                connection.isolation_level = level

    def fetchone(self) -> Any:
        """As that of ``sqlite3``."""
        self._fetch()
        row = super().fetchone() if self._rows is None else next(self._rows, None)
        if row is None:
            self._waiting.let_go()
        return row

    def fetchmany(self, size: int | None = None) -> Any:
        """As that of ``sqlite3``."""
        self._fetch()
        number = self.arraysize if size is None else size
        kept = self._rows
        rows = (
            super().fetchmany(number)
            if kept is None
            else list(islice(kept, number if number > 0 else None))
        )
        if not rows:
            self._waiting.let_go()
        return rows

    def fetchall(self) -> Any:
        """As that of ``sqlite3``."""
        self._fetch()
        rows = super().fetchall() if self._rows is None else list(self._rows)
        self._waiting.let_go()
        return rows

    def __next__(self) -> Any:
        self._fetch()
        try:
            return super().__next__() if self._rows is None else next(self._rows)
        except StopIteration:
            self._waiting.let_go()
            raise

    def close(self) -> None:
        """As that of ``sqlite3``."""
        super().close()
        self._waiting.let_go()

    def _fetch(self) -> None:
        """The first fetch of what was carried out is a point."""
        statement = self._ahead
        if statement is not None:
            self._ahead = None
            waiting = self._waiting
            controller = waiting.controller()
            if controller is not None:
                controller.point(fetch_of(statement, waiting.on))


def _with_timeout(
    timeout: float, args: tuple[Any, ...], named: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments with this timeout, in the place where it was."""
    if args:
        return (timeout, *args[1:]), named
    return args, {**named, "timeout": timeout}


def statements_of(script: str) -> Iterator[str]:
    """The statements of a script, one by one."""
    begun = ""
    for piece in script.split(";"):
        begun += piece + ";"
        if sqlite3.complete_statement(begun):
            if statement_of(begun).what != ";":
                yield begun
            begun = ""
    if statement_of(begun).what not in ("", ";"):
        yield begun.removesuffix(";")


_classes: dict[tuple[type, type], type] = {}


def _behind(theirs: type, ours: type) -> type:
    """Their class with ours behind it."""
    for known, other in ((theirs, ours), (ours, theirs)):
        if issubclass(known, other):
            return known
    made = _classes.get((theirs, ours))
    if made is None:
        made = type(theirs.__name__, (theirs, ours), {"__module__": theirs.__module__})
        _classes[theirs, ours] = made
    return made


def connect(*args: Any, **named: Any) -> Any:
    """As that of ``sqlite3``; a factory that is no class is beyond control."""
    given = args[_FACTORY_AT] if len(args) > _FACTORY_AT else named.get("factory")
    factory = sqlite3.Connection if given is None else given
    if not (isinstance(factory, type) and issubclass(factory, sqlite3.Connection)):
        return _connect(*args, **named)
    return _behind(factory, Connection)(*args, **named)


@contextmanager
def controlled_sqlite() -> Iterator[None]:
    """Within it, connections that are made can be controlled."""
    modules: list[Any] = [sqlite3, dbapi2]
    held = [module.connect for module in modules]
    for module in modules:
        module.connect = connect
    try:
        yield
    finally:
        for module, theirs in zip(modules, held, strict=True):
            module.connect = theirs
