"""Connections to one schema: kept in psycopg's pool, set up alike, and none that has died in use.

A connection that a restart of the server has cut shows it: there is something to be read on it
while nobody asked anything. So a write goes out on one that was alive the moment before, and only
what is cut in the middle has an open outcome.
"""

from __future__ import annotations

import os
import secrets
import select
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeVar

import psycopg
from psycopg import sql
from psycopg.types.numeric import Int8BinaryDumper, Int8Dumper
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from sessionproof.contract.errors import Refused
from sessionproof.reference.connections import CLOSED, FORKED
from sessionproof.reference.postgres.failures import (
    AGAIN,
    LostBeforeCommitError,
    as_store_error,
    is_lost,
)
from sessionproof.reference.presets import Preset

T = TypeVar("T")
Connection: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"
Work: TypeAlias = Callable[[Connection], T]

TRIES = 12
"""How often a transaction that others were faster than is carried out."""

LOCK_MS = 10_000
"""A lock that somebody holds for longer is an error."""

# Each statement has its index. Without statistics, as in a new schema, the planner would rather
# read a whole session or table and sort it, and keep that plan when they have grown.
_BY_INDEX = (
    "SET enable_seqscan = off; SET enable_sort = off; SET enable_hashjoin = off; "
    "SET enable_mergejoin = off; SET jit = off"
)

QUEUE_S = 8.0
CONNECT_S = 8

_open_pools: weakref.WeakSet[Pool] = weakref.WeakSet()
_left: list[object] = []  # a forked child must not end what belongs to its parent


def connect(conninfo: str, schema: str, *, synchronous: bool) -> Connection:
    """One connection, set up as those of a pool; raises psycopg.Error."""
    connection = psycopg.connect(conninfo, autocommit=True, connect_timeout=CONNECT_S)
    set_up(connection, schema, synchronous=synchronous)
    return connection


def set_up(connection: Connection, schema: str, *, synchronous: bool) -> None:
    """The settings on which the store relies, whatever the server's or the role's are."""
    connection.execute(
        sql.SQL(
            "SET search_path = {}; SET synchronous_commit = {}; SET lock_timeout = {}; "
            "SET default_transaction_isolation = 'read committed'; SET client_encoding = 'UTF8'; "
            "SET client_min_messages = warning; SET idle_in_transaction_session_timeout = 60000; "
            "SET bytea_output = 'hex'; " + _BY_INDEX
        ).format(sql.Identifier(schema), "on" if synchronous else "off", LOCK_MS)
    )
    # One type for all integers: else each size of a number is a statement of its own to prepare.
    connection.adapters.register_dumper(int, Int8Dumper)
    connection.adapters.register_dumper(int, Int8BinaryDumper)


class Pool:
    """Runs work on connections of one schema; ``where`` names it in errors."""

    def __init__(
        self, conninfo: str, schema: str, preset: Preset, *, synchronous: bool, where: str
    ) -> None:
        self._where = where
        self.most = preset.readers + preset.extra_readers
        self.ended: str | None = None
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            conninfo,
            min_size=1,
            max_size=self.most,
            kwargs={"autocommit": True, "connect_timeout": CONNECT_S},
            configure=lambda db: set_up(db, schema, synchronous=synchronous),
            max_lifetime=preset.recycle_s,
            timeout=QUEUE_S,
            reconnect_timeout=5,
            open=False,
        )
        self._pool.open()
        _open_pools.add(self)

    def close(self) -> None:
        """Close every connection; a second time does nothing."""
        if self.ended is None:
            self.ended = CLOSED
            self._pool.close(timeout=QUEUE_S)

    def forget(self) -> None:
        """In a forked child: refuse from now on, and leave the parent's connections alone."""
        self.ended = self.ended or FORKED
        _left.append(self._pool)

    def statistics(self) -> dict[str, int]:
        """What psycopg's pool counts: connections, requests, waiting."""
        return dict(self._pool.get_stats())

    def read(self, work: Work[T]) -> T:
        """The answer of ``work``, which changes nothing, so it may be done twice."""
        return self._done(work, writes=False)

    def write(self, work: Work[T]) -> T:
        """The answer of ``work``: a statement or a transaction. Raises the contract's errors."""
        return self._done(work, writes=True)

    def _done(self, work: Work[T], *, writes: bool) -> T:
        for attempt in range(TRIES):
            last = attempt == TRIES - 1
            connection = self._taken()
            try:
                return work(connection)
            except AGAIN as error:
                if last:
                    raise as_store_error(error, where=self._where, writes=writes) from error
            except LostBeforeCommitError as error:
                if attempt:
                    raise as_store_error(error, where=self._where, writes=writes) from error
            except UnicodeEncodeError as error:
                raise as_store_error(error, where=self._where, writes=writes) from error
            except psycopg.Error as error:
                lost = is_lost(error, connection)
                if lost:
                    connection.close()
                if writes or not lost or attempt:
                    raise as_store_error(error, where=self._where, writes=writes) from error
            finally:
                self._given_back(connection)
            time.sleep(secrets.randbelow(100) * 20e-6 * 2 ** min(attempt, 5))
        raise AssertionError  # the last attempt answers or raises

    def _taken(self) -> Connection:
        while True:
            if self.ended:
                raise Refused(self.ended)
            try:
                connection = self._pool.getconn()
            except PoolClosed:
                raise Refused(self.ended or CLOSED) from None
            except PoolTimeout:
                raise Refused(
                    f"{self._where}: no connection within {QUEUE_S:.0f} s: the server is not "
                    f"there, or all {self.most} connections are busy; nothing was stored"
                ) from None
            if not _something_to_read(connection):
                return connection
            connection.close()
            self._given_back(connection)

    def _given_back(self, connection: Connection) -> None:
        try:
            self._pool.putconn(connection)
        except (ValueError, PoolClosed):  # closed meanwhile
            connection.close()


@contextmanager
def transaction(db: Connection) -> Iterator[None]:
    """All that is done within, or nothing; others are seen as soon as they have committed.

    Raises LostBeforeCommitError where the connection was lost before the end was asked for.
    """
    try:
        db.execute("BEGIN")
        yield
    except psycopg.Error as error:
        if is_lost(error, db):
            db.close()
            raise LostBeforeCommitError(str(error)) from error
        db.execute("ROLLBACK")
        raise
    except BaseException:
        if not db.closed:
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


@contextmanager
def one_moment(db: Connection) -> Iterator[None]:
    """All reads within see the same moment."""
    db.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try:
        yield
    finally:
        if not db.closed:
            db.execute("ROLLBACK")


def _something_to_read(connection: Connection) -> bool:
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _forget_all() -> None:
    for pool in list(_open_pools):
        pool.forget()


os.register_at_fork(after_in_child=_forget_all)
