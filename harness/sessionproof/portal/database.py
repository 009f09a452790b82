"""A portal's database: reads and writes as functions of a session, with the contract's errors."""

from __future__ import annotations

import os
import secrets
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Executable
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.errors import Refused, StoreError
from sessionproof.portal.engine import BEGIN, Address, PoolSize, engine_of
from sessionproof.portal.failures import ERRORS, as_store_error, is_again, is_lost, one_line
from sessionproof.portal.opening import prepare

T = TypeVar("T")

TRIES = 12
"""How often a transaction that others were faster than is carried out."""

_AGAIN_S = 0.05  # between attempts to connect to a server that is away

_open: weakref.WeakSet[Database] = weakref.WeakSet()
_left: list[object] = []  # a forked child must not end what belongs to its parent

CLOSED = "the portal is closed: open it again"
FORKED = "the portal was opened before this process was forked: open it again here"


@dataclass(frozen=True, slots=True)
class _Way:
    """How work is carried out: on which of an engine's faces, and whether its end can be open.

    ``at_once``: each statement is a transaction of its own, so its end is asked for with it.
    """

    engine: Engine
    writes: bool
    at_once: bool


class Database:
    """Runs work in transactions on pooled connections; any number of threads may share it.

    Work is a function of a ``Session`` of SQLAlchemy. It may be carried out several times, each
    time from its beginning, so it changes nothing but the database. Models that it answers are
    detached: they are what was read, and nothing more.
    """

    def __init__(self, address: Address, pool: PoolSize | None = None) -> None:
        """Open it, and make or upgrade its tables; raises ``Refused`` in one line."""
        self.address = address
        self.pool = pool or PoolSize()
        self._ended: str | None = None
        self._engine = engine_of(address, self.pool)
        try:
            prepare(self._engine, address)
        except BaseException as error:
            self._engine.dispose()
            if isinstance(error, ERRORS):
                raise as_store_error(error, where=address.where, open_ended=False) from error
            raise
        self._ways = _ways(self._engine)
        _open.add(self)

    @property
    def where(self) -> str:
        """The database's name for people, without a password."""
        return self.address.where

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    @property
    def engine(self) -> Engine:
        """SQLAlchemy's own: for tools that want it. What is done with it has its own errors."""
        return self._engine

    def read(self, work: Callable[[Session], T]) -> T:
        """The answer of work that changes nothing; each statement sees what was committed then."""
        return self._done(work, self._ways["read"])

    def moment(self, work: Callable[[Session], T]) -> T:
        """The same, where all statements see one moment."""
        return self._done(work, self._ways["moment"])

    def write(self, work: Callable[[Session], T]) -> T:
        """The answer of work that is done as a whole or not at all."""
        return self._done(work, self._ways["write"])

    def write_once(self, work: Callable[[Session], T]) -> T:
        """The same for work whose first statement that changes something is its last one.

        A server is asked once, where a transaction asks it three times.
        """
        return self._done(work, self._ways["once"])

    def close(self) -> None:
        """Give every connection back, those in use when they are done; again does nothing.

        A forked child leaves its parent's alone: to close them would tell the server so.
        """
        if self._ended != FORKED:
            self._ended = CLOSED
            self._engine.dispose()

    def forget(self) -> None:
        """In a forked child: refuse from now on, and leave the parent's connections alone."""
        self._ended = self._ended or FORKED
        _left.append(self._engine.pool)

    def _done(self, work: Callable[[Session], T], way: _Way) -> T:
        until_s = monotonic_s() + self.pool.wait_s
        for attempt in range(TRIES):
            connection = self._connected(way, until_s)
            committing = way.at_once and way.writes
            try:
                with Session(connection, expire_on_commit=False) as session:
                    answer = work(session)
                    session.flush()
                    committing = way.writes
                    session.commit()
                    return answer
            except ERRORS as error:
                lost = is_lost(error)
                if lost:
                    connection.invalidate()
                again = is_again(error) or (lost and not committing and attempt == 0)
                if not again or attempt == TRIES - 1:
                    raise as_store_error(error, where=self.where, open_ended=committing) from error
            finally:
                self._given_back(connection)
            time.sleep(secrets.randbelow(100) * 20e-6 * 2 ** min(attempt, 5))
        raise AssertionError  # the last attempt answers or raises

    def _connected(self, way: _Way, until_s: float) -> Connection:
        """A connection of the pool; while a server is away, as soon as it is back."""
        while True:
            if self._ended:
                raise Refused(self._ended)
            try:
                return way.engine.connect()
            except ERRORS as error:
                if not isinstance(error, DBAPIError):
                    raise self._exhausted(error) from error
                if self.address.path is not None or monotonic_s() > until_s:
                    raise self._unreachable(error) from error
            time.sleep(_AGAIN_S)

    def _given_back(self, connection: Connection) -> None:
        if self._ended == CLOSED and not connection.closed:
            connection.invalidate()  # its pool was given up
        connection.close()

    def _exhausted(self, error: Exception) -> StoreError:
        told = as_store_error(error, where=self.where, open_ended=False)
        if "of the pool" not in str(told):
            return told
        return Refused(
            f"{self.where}: all {self.pool.most} connections were busy for "
            f"{self.pool.wait_s:g} s; nothing was stored, try again"
        )

    def _unreachable(self, error: DBAPIError) -> StoreError:
        if self.address.path is not None:
            return as_store_error(error, where=self.where, open_ended=False)
        said = one_line(error.orig or error)
        return Refused(f"{self.where}: no connection: {said}; nothing was stored")


def changed(
    session: Session, statement: Executable, values: Mapping[str, Any] | None = None
) -> int:
    """Carry a statement out within a transaction; answers how many rows it changed."""
    options = {"synchronize_session": False}
    result = session.execute(statement, values, execution_options=options)
    return int(result.rowcount)  # type: ignore[attr-defined]


def _ways(engine: Engine) -> dict[str, _Way]:
    if engine.dialect.name == "sqlite":
        reading = engine.execution_options(**{BEGIN: "BEGIN"})
        return {
            "read": _Way(reading, writes=False, at_once=False),
            "moment": _Way(reading, writes=False, at_once=False),
            "write": _Way(engine, writes=True, at_once=False),
            "once": _Way(engine, writes=True, at_once=False),
        }
    alone = engine.execution_options(isolation_level="AUTOCOMMIT")
    moment = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return {
        "read": _Way(alone, writes=False, at_once=True),
        "moment": _Way(moment, writes=False, at_once=False),
        "write": _Way(engine, writes=True, at_once=False),
        "once": _Way(alone, writes=True, at_once=True),
    }


def _forget_all() -> None:
    for database in list(_open):
        database.forget()


if hasattr(os, "register_at_fork"):  # elsewhere nothing is forked
    os.register_at_fork(after_in_child=_forget_all)
