"""Connections to one schema: kept for the next call, set up alike, and none that has died in use.

A connection that a restart of the server has cut shows it: there is something to be read on it
while nobody asked anything. So a write goes out on one that was alive the moment before, and only
what is cut in the middle has an open outcome. While the server is away, whoever calls tries to
connect again and again, so the store goes on within a moment of its return.

psycopg's own pool waits one, two, four seconds between its attempts, has four threads for each
handle, and writes a line for each attempt on the error output.
"""

from __future__ import annotations

import os
import secrets
import select
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias, TypeVar

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8BinaryDumper, Int8Dumper

from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.errors import Refused
from sessionproof.reference.connections import CLOSED, FORKED
from sessionproof.reference.postgres.failures import (
    AGAIN,
    REPLACED,
    LostBeforeCommitError,
    as_store_error,
    is_lost,
    one_line,
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
"""How long a call waits for a connection: for its turn, and for a server that is away."""

CONNECT_S = 8
_AGAIN_S = 0.05  # between attempts to connect
_IDLE_S = 60.0  # that an extra connection is kept for
_WAITS = 1_000  # that are remembered: when they ended, and how long they were

_open_pools: weakref.WeakSet[Pool] = weakref.WeakSet()
_left: list[object] = []  # a forked child must not end what belongs to its parent


def connect(conninfo: str, schema: str, *, synchronous: bool) -> Connection:
    """One connection, set up as those of a pool; raises psycopg.Error."""
    connection = psycopg.connect(conninfo, autocommit=True, connect_timeout=CONNECT_S)
    try:
        set_up(connection, schema, synchronous=synchronous)
    except BaseException:
        connection.close()
        raise
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


@dataclass(slots=True)
class _Kept:
    """A connection, when it was opened, and when it was used last."""

    connection: Connection
    opened_s: float
    used_s: float


class Pool:
    """Runs work on connections of one schema; ``where`` names it in errors."""

    def __init__(
        self, conninfo: str, schema: str, preset: Preset, *, synchronous: bool, where: str
    ) -> None:
        self.most = preset.readers + preset.extra_readers
        self.ended: str | None = None
        self.waited: deque[tuple[float, float]] = deque(maxlen=_WAITS)
        self._where = where
        self._preset = preset
        self._connect = partial(connect, conninfo, schema, synchronous=synchronous)
        self._lock = threading.Lock()
        self._places = self.most  # that nobody has
        self._queue: deque[threading.Event] = deque()
        self._idle: deque[_Kept] = deque()  # the one that was used last at the right
        _open_pools.add(self)

    def close(self) -> None:
        """Close every connection, those in use when they come back; a second time does nothing."""
        with self._lock:
            self.ended = self.ended or CLOSED
            idle, self._idle = self._idle, deque()
        for kept in idle:
            kept.connection.close()

    def forget(self) -> None:
        """In a forked child: refuse from now on, and leave the parent's connections alone.

        They are kept, as whoever closes one tells the server so; and a thread that is not here may
        have had the lock.
        """
        self.ended = self.ended or FORKED
        _left.append(self._idle)
        self._idle, self._lock = deque(), threading.Lock()

    def statistics(self) -> dict[str, int]:
        """How many connections are in use, how many are kept, and how many calls queue for one."""
        with self._lock:
            busy = self.most - self._places
            return {"busy": busy, "idle": len(self._idle), "waiting": len(self._queue)}

    def read(self, work: Work[T]) -> T:
        """The answer of ``work``, which changes nothing, so it may be done twice."""
        return self._done(work, writes=False)

    def write(self, work: Work[T]) -> T:
        """The answer of ``work``: a statement or a transaction. Raises the contract's errors."""
        return self._done(work, writes=True)

    def _done(self, work: Work[T], *, writes: bool) -> T:
        until_s = monotonic_s() + QUEUE_S
        self._require_open()
        with self._place(until_s):
            for attempt in range(TRIES):
                kept = self._taken(until_s)
                try:
                    return work(kept.connection)
                except (LostBeforeCommitError, UnicodeEncodeError, psycopg.Error) as error:
                    if is_lost(error, kept.connection):
                        kept.connection.close()
                    lost = kept.connection.closed
                    if isinstance(error, REPLACED):
                        self._let_go(kept)
                    if not _is_tried_again(error, attempt, lost_read=lost and not writes):
                        raise as_store_error(error, where=self._where, writes=writes) from error
                finally:
                    self._given_back(kept)
                time.sleep(secrets.randbelow(100) * 20e-6 * 2 ** min(attempt, 5))
        raise AssertionError  # the last attempt answers or raises

    def _require_open(self) -> None:
        if self.ended:
            raise Refused(self.ended)

    def _let_go(self, kept: _Kept) -> None:
        """Close what knows tables that others have taken the place of: all that was opened yet."""
        with self._lock:
            idle, self._idle = self._idle, deque()
        for one in (kept, *idle):
            one.connection.close()

    @contextmanager
    def _place(self, until_s: float) -> Iterator[None]:
        """The right to one of the connections; whoever waits longest has it next."""
        with self._lock:
            turn = None if self._places else threading.Event()
            if turn is None:
                self._places -= 1
            else:
                self._queue.append(turn)
        try:
            if turn is not None and not self._waits(turn, until_s) and not self._has(turn):
                raise Refused(
                    f"{self._where}: all {self.most} connections are busy for "
                    f"{QUEUE_S:.0f} s; nothing was stored, try again"
                )
            yield
        finally:
            if turn is None or self._has(turn):
                self._hand_on()

    def _waits(self, turn: threading.Event, until_s: float) -> bool:
        """Wait in the queue, and remember for how long; whether the turn came."""
        begun_s = monotonic_s()
        came = turn.wait(until_s - begun_s)
        now_s = monotonic_s()
        self.waited.append((now_s, now_s - begun_s))
        return came

    def _has(self, turn: threading.Event) -> bool:
        """Stand no longer in the queue; whether the place was ours by then."""
        with self._lock:
            if turn in self._queue:
                self._queue.remove(turn)
            return turn.is_set()

    def _hand_on(self) -> None:
        with self._lock:
            if self._queue:
                self._queue.popleft().set()
            else:
                self._places += 1

    def _taken(self, until_s: float) -> _Kept:
        """A living connection for our place; a new one as soon as the server answers."""
        while True:
            self._require_open()
            with self._lock:
                kept = self._idle.pop() if self._idle else None
            if kept is not None:
                if not _something_to_read(kept.connection):
                    return kept
                kept.connection.close()
                continue
            try:
                return _Kept(self._connect(), monotonic_s(), 0.0)
            except psycopg.Error as error:
                if monotonic_s() > until_s:
                    raise Refused(
                        f"{self._where}: no connection within {QUEUE_S:.0f} s: "
                        f"{one_line(error)}; nothing was stored"
                    ) from error
            time.sleep(_AGAIN_S)

    def _given_back(self, kept: _Kept) -> None:
        """Keep it for the next call, unless it is old; close one that was not used for long.

        One that an interrupt has left within a transaction would show old rows, or keep new ones
        to itself.
        """
        if kept.connection.pgconn.transaction_status != TransactionStatus.IDLE:
            kept.connection.close()
            return
        kept.used_s = monotonic_s()
        left = None
        with self._lock:
            if kept.used_s - kept.opened_s > self._preset.recycle_s or self.ended:
                left = kept
            else:
                self._idle.append(kept)
                many = len(self._idle) > self._preset.readers
                if many and kept.used_s - self._idle[0].used_s > _IDLE_S:
                    left = self._idle.popleft()
        if left is not None:
            left.connection.close()


def _is_tried_again(error: Exception, attempt: int, *, lost_read: bool) -> bool:
    """Whether the work is done once more: nothing of it has remained."""
    if isinstance(error, (*AGAIN, *REPLACED)):
        return attempt < TRIES - 1
    return (lost_read or isinstance(error, LostBeforeCommitError)) and attempt == 0


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


if hasattr(os, "register_at_fork"):  # elsewhere nothing is forked
    os.register_at_fork(after_in_child=_forget_all)
