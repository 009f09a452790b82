"""The store's connections: how one is opened, waits for locks and begins; a pool of readers."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TypeAlias, TypeVar

from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.errors import Refused
from sessionproof.contract.seed import fresh_seed, generator
from sessionproof.reference.failures import is_busy
from sessionproof.reference.opening import uri
from sessionproof.reference.presets import Preset

T = TypeVar("T")

Pauses: TypeAlias = Callable[[float, float], float]
"""A random number of seconds between two."""

WAIT_S = 5.0
"""How long an operation waits for a lock that another connection holds."""

CACHE_KIB = 2_000
"""The most that a connection keeps in memory of the file."""

LOG_PAGES = 1_000
"""From so many pages on a commit empties the log."""

QUEUE_S = 30.0
"""How long a thread waits for the other threads of its own handle."""

WAITS = 1_000
"""So many waits for other threads are remembered."""

Wait: TypeAlias = tuple[float, float]
"""When a thread had waited for others, on the clock that never steps, and how many seconds."""

# Four processes that pause 1 ms between appends: p99 is 0.4 of that of SQLite's own waiting. With
# a disk that syncs, the longest wait is an eighth; the price is throughput when nobody ever pauses.
_FIRST_PAUSE_S = 0.00002
_LONGEST_PAUSE_S = 0.0005

_OUTERMOST = ("BEGIN IMMEDIATE", "COMMIT", ("ROLLBACK",))
_WITHIN = ("SAVEPOINT one", "RELEASE one", ("ROLLBACK TO one", "RELEASE one"))

CLOSED = "the store is closed: open the location again"
FORKED = "the store was opened before this process was forked: open the location again here"

_inherited: list[object] = []
"""Connections of a parent process. Closing one here could end the parent's log, so none is."""


def connect(path: Path, *, writes: bool, synchronous: str) -> sqlite3.Connection:
    """A connection with all settings made, then read back; raises ``Refused`` if one is not."""
    connection = sqlite3.connect(
        uri(path, "mode=rw"),
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=WAIT_S,
    )
    settings = {
        "busy_timeout": int(WAIT_S * 1000),  # first: the others may meet a lock
        "foreign_keys": 1,
        "synchronous": {"NORMAL": 1, "FULL": 2}[synchronous],
        "fullfsync": 1 if synchronous == "FULL" else 0,  # macOS: through the disk's own cache
        "temp_store": 2,  # in memory: nothing is written outside the location
        "query_only": 0 if writes else 1,
        # A build of SQLite may have other defaults: large caches for each connection, maps of a
        # file that a restore makes shorter.
        "cache_size": -CACHE_KIB,
        "mmap_size": 0,
        "wal_autocheckpoint": LOG_PAGES,
    }
    try:
        for name, value in settings.items():
            connection.execute(f"PRAGMA {name} = {value}").close()
        seen = {name: _value(connection, name) for name in settings}
        mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
        if mode != "wal" and writes:  # a copy made by VACUUM INTO, say
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if seen != settings or mode != "wal":
            raise Refused(f"{path}: SQLite did not take the settings ({seen}, {mode})")
    except BaseException:
        connection.close()
        raise
    return connection


def _value(connection: sqlite3.Connection, name: str) -> int:
    """The value of a setting; 0 where this SQLite has no such setting, as it has no maps."""
    row = connection.execute(f"PRAGMA {name}").fetchone()
    return int(row[0]) if row else 0


class transaction:  # noqa: N801 - it is used as a statement
    """The statements of the block, all or none. Takes the write lock at once.

    Within a transaction it is a savepoint: what surrounds it stays. No generator, as Ctrl-C could
    leave one waiting in the middle, and it would undo what others write when it is collected.
    """

    __slots__ = ("_commit", "_connection", "_undo")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        within = self._connection.in_transaction
        begin, self._commit, undo = _WITHIN if within else _OUTERMOST
        self._undo: tuple[str, ...] = undo
        self._connection.execute(begin)

    def __exit__(
        self,
        _type: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self._take_back()
            return
        try:
            self._connection.execute(self._commit)
        except BaseException:
            self._take_back()
            raise

    def _take_back(self) -> None:
        for statement in self._undo:
            if self._connection.in_transaction:
                with suppress(sqlite3.Error):  # the first error says more
                    self._connection.execute(statement)


def patiently(work: Callable[[], T], *, pause_s: Pauses | None = None) -> T:
    """The answer of ``work``, tried again after short random pauses while the database is locked.

    SQLite's own waiting sleeps for up to 100 ms at a time, and others pass meanwhile; ours starts
    at the length of a write and never sleeps longer than ``_LONGEST_PAUSE_S``. After ``WAIT_S``
    the last error is raised.
    """
    pause_s = pause_s or fresh_pauses()
    longest_s = _FIRST_PAUSE_S
    ends = monotonic_s() + WAIT_S
    while True:
        try:
            return work()
        except sqlite3.Error as error:
            if not is_busy(error) or monotonic_s() >= ends:
                raise
        time.sleep(pause_s(0.0, longest_s))
        longest_s = min(2 * longest_s, _LONGEST_PAUSE_S)


def leave(connections: object) -> None:
    """In a forked child: keep the parent's connections open as long as this process lives."""
    _inherited.append(connections)


def fresh_pauses() -> Pauses:
    """A source of random pauses, other than that of any other handle."""
    return generator(fresh_seed(), "pauses").uniform


_Reader: TypeAlias = tuple[sqlite3.Connection, float]
"""A connection and when it was opened."""


def _end_transaction(held: list[_Reader]) -> None:
    """Ctrl-C may strike right after a BEGIN: whoever read next would see that state for ever."""
    with suppress(sqlite3.Error):  # the first error says more
        if held and held[0][0].in_transaction:
            held[0][0].execute("ROLLBACK").close()


class Readers:
    """Connections for reading. Each is used by one thread at a time; the newest is used first.

    Ctrl-C may strike after any call, before what it answered is kept: so a reader moves between
    ``_idle`` and the ``held`` of its thread by one call into C.
    """

    def __init__(self, open_connection: Callable[[], sqlite3.Connection], preset: Preset) -> None:
        self._open = open_connection
        self._preset = preset
        self._idle: deque[_Reader] = deque()
        self._lock = threading.RLock()  # a condition's own ``with`` could be left with it held
        self._changed = threading.Condition(self._lock)
        self._all: set[sqlite3.Connection] = set()
        self._waiting = 0
        self._ended: str | None = None
        self.waited: deque[Wait] = deque(maxlen=WAITS)

    def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """The answer of ``work``; raises ``Refused`` after close and fork."""
        if self._ended:
            raise Refused(self._ended)
        held: list[_Reader] = []
        try:
            try:
                held += map(deque.pop, (self._idle,))
            except IndexError:
                self._hold_another(held)
            answer = work(held[0][0])
            self._give_back(held)
        except BaseException:
            _end_transaction(held)
            self._give_back(held)
            raise
        return answer

    @property
    def busy(self) -> int:
        """How many connections are in use at this moment."""
        return max(0, len(self._all) - len(self._idle))

    @property
    def most(self) -> int:
        """How many there can be."""
        return self._preset.readers + self._preset.extra_readers

    def close(self) -> None:
        """Close every connection; those in use are waited for."""
        if self._ended:
            return
        self._ended = CLOSED
        with self._lock:
            self._changed.notify_all()
            ends = monotonic_s() + QUEUE_S
            while True:
                self._close_idle()
                if not self._all or monotonic_s() >= ends:
                    return  # a reader that is still in use closes when it is given back
                self._wait(0.1)

    def forget(self) -> None:
        """In a forked child: refuse from now on, and leave the parent's connections alone."""
        self._ended = self._ended or FORKED
        leave(self._all)

    def _hold_another(self, held: list[_Reader]) -> None:
        """Hold an idle reader, a new one while the preset allows it, or the next one given back."""
        most = self.most
        ends = monotonic_s() + QUEUE_S
        with self._lock:
            while True:
                if self._ended:
                    raise Refused(self._ended)
                if self._idle:
                    held += map(deque.pop, (self._idle,))
                    return
                if len(self._all) < most:
                    held.append((self._open(), monotonic_s()))
                    self._all.add(held[0][0])
                    return
                left_s = ends - monotonic_s()
                if left_s <= 0:
                    raise Refused(f"all {most} readers are busy: use a larger preset")
                self._wait(left_s)
                now_s = monotonic_s()
                self.waited.append((now_s, now_s - ends + QUEUE_S))

    def _wait(self, longest_s: float) -> None:
        self._waiting += 1
        try:
            self._changed.wait(longest_s)
        finally:
            self._waiting -= 1

    def _give_back(self, held: list[_Reader]) -> None:
        """Called again after it was struck, it does the rest."""
        if held:
            connection, opened_s = held[0]
            too_many = len(self._idle) >= self._preset.readers
            if self._ended or too_many or monotonic_s() - opened_s > self._preset.recycle_s:
                with self._lock:
                    self._close(connection)
                    held.clear()
            else:
                self._idle.extend(map(list.pop, (held,)))
        if self._waiting or self._ended:  # close() may have looked just before
            with self._lock:
                if self._ended:
                    self._close_idle()
                self._changed.notify()

    def _close_idle(self) -> None:
        while True:
            try:
                connection, _ = self._idle.pop()
            except IndexError:
                return
            self._close(connection)

    def _close(self, connection: sqlite3.Connection) -> None:
        self._all.discard(connection)
        connection.close()
