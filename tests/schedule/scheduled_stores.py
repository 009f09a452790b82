"""Small stores for controlled schedules: correct ones, which must show nothing, and broken ones.

Import it within ``controlled(…)``. Each takes a location; ``handles`` of a class says how clients
share it: a handle each (``threads``) or one for all (``shared``).
"""

from __future__ import annotations

import fcntl
import json
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from sessionproof.contract.location import Location
from sessionproof.contract.message import Message

TABLE = "CREATE TABLE IF NOT EXISTS m (session TEXT, seq INTEGER, text TEXT)"
COUNTS = "CREATE TABLE IF NOT EXISTS c (session TEXT PRIMARY KEY, n INTEGER)"
NEXT = "(SELECT coalesce(max(seq), 0) + 1 FROM m WHERE session = ?1)"
ADD = f"INSERT INTO m VALUES (?1, {NEXT}, ?2)"
LIST = "SELECT text FROM m WHERE session = ? ORDER BY seq, rowid"


def spoken(texts: Iterable[str]) -> list[Message]:
    """Messages of these texts."""
    return [Message("user", text) for text in texts]


def opened(
    path: Path, *, journal: str = "delete", level: str | None = None, timeout: float = 5
) -> Any:
    """A connection for any thread, with the table made."""
    made = sqlite3.connect(path, isolation_level=level, check_same_thread=False, timeout=timeout)
    made.execute("PRAGMA synchronous = OFF")
    if made.execute("PRAGMA journal_mode").fetchone()[0] != journal:
        made.execute(f"PRAGMA journal_mode = {journal}")
    if made.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        made.execute(TABLE)
        made.commit()
    return made


_kept: dict[str, Any] = {}


def kept(location: Location, made: Callable[[], Any]) -> Any:
    """What all handles of a location have in common, for stores in memory."""
    return _kept.setdefault(os.fspath(location), made())


class Immediate:
    """A transaction that takes the write lock at its beginning."""

    handles: ClassVar[str] = "threads"
    journal: ClassVar[str] = "delete"

    def __init__(self, location: Location) -> None:
        self._db = opened(location.path("s.db"), journal=self.journal)

    def append(self, session: str, messages: Sequence[Message]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            for one in messages:
                self._db.execute(ADD, (session, one.content))

    def read(self, session: str) -> list[Message]:
        return spoken(text for (text,) in self._db.execute(LIST, (session,)))

    def close(self) -> None:
        self._db.close()


class ImmediateWal(Immediate):
    """The same with a write-ahead log."""

    journal = "wal"


class OneStatement(Immediate):
    """Each message is one statement, which is a transaction by itself."""

    def append(self, session: str, messages: Sequence[Message]) -> None:
        for one in messages:
            self._db.execute(ADD, (session, one.content))


class Shared(Immediate):
    """One handle for all threads, and a lock around it."""

    handles = "shared"

    def __init__(self, location: Location) -> None:
        super().__init__(location)
        self._lock = threading.Lock()

    def append(self, session: str, messages: Sequence[Message]) -> None:
        with self._lock:
            super().append(session, messages)

    def read(self, session: str) -> list[Message]:
        with self._lock:
            return super().read(session)


class Json:
    """A file of JSON, which is written anew beside the old one and moved; a lock around it."""

    handles: ClassVar[str] = "shared"

    def __init__(self, location: Location) -> None:
        self._path = location.path("s.json")
        self._lock = threading.RLock()

    def append(self, session: str, messages: Sequence[Message]) -> None:
        with self._lock:
            self._add(session, messages)

    def read(self, session: str) -> list[Message]:
        with self._lock:
            return spoken(self._all().get(session, []))

    def close(self) -> None:
        """Nothing is open."""

    def _add(self, session: str, messages: Sequence[Message]) -> None:
        everything = self._all()
        everything.setdefault(session, []).extend(one.content for one in messages)
        self._write(everything)

    def _all(self) -> dict[str, list[str]]:
        with suppress(FileNotFoundError):
            found: dict[str, list[str]] = json.loads(self._path.read_text())
            return found
        return {}

    def _write(self, everything: dict[str, list[str]]) -> None:
        new = self._path.with_name(f"new-{threading.current_thread().name}")
        with new.open("w", encoding="utf-8") as file:
            json.dump(everything, file)
        new.replace(self._path)


class FlockJson(Json):
    """A file of JSON under a lock of the file system; a handle each."""

    handles = "threads"

    def append(self, session: str, messages: Sequence[Message]) -> None:
        with self._path.with_name("lock").open("a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._add(session, messages)

    def read(self, session: str) -> list[Message]:
        return spoken(self._all().get(session, []))


class Writer(Immediate):
    """One thread writes, in groups; who appends waits until his group is committed."""

    handles = "shared"

    def __init__(self, location: Location) -> None:
        super().__init__(location)
        self._path = location.path("s.db")
        self._local = threading.local()
        self._readers: list[Any] = []
        self._orders: queue.Queue[Any] = queue.Queue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def append(self, session: str, messages: Sequence[Message]) -> None:
        done = threading.Event()
        self._orders.put((session, [one.content for one in messages], done))
        done.wait()

    def read(self, session: str) -> list[Message]:
        reader = getattr(self._local, "db", None)
        if reader is None:
            reader = self._local.db = opened(self._path)
            self._readers.append(reader)
        return spoken(text for (text,) in reader.execute(LIST, (session,)).fetchall())

    def close(self) -> None:
        self._orders.put(None)
        self._thread.join()
        for one in self._readers:
            one.close()
        super().close()

    def _work(self) -> None:
        while (order := self._orders.get()) is not None:
            group = [order]
            with suppress(queue.Empty):
                while True:
                    group.append(self._orders.get_nowait())
            if None in group:
                self._orders.put(None)
            self._commit([one for one in group if one is not None])

    def _commit(self, group: list[Any]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        for session, texts, _ in group:
            self._db.executemany(ADD, ((session, text) for text in texts))
        self._db.commit()
        for _, _, done in group:
            done.set()


class Pooled:
    """SQLAlchemy's pool of connections, each transaction with the write lock from its beginning."""

    handles: ClassVar[str] = "shared"
    begin: ClassVar[str] = "BEGIN IMMEDIATE"

    def __init__(self, location: Location) -> None:
        import sqlalchemy  # a heavy one, for those who test it

        self._text = sqlalchemy.text
        self._engine = sqlalchemy.create_engine(
            f"sqlite:///{location.path('s.db')}", **self._pool(sqlalchemy.pool)
        )

        @sqlalchemy.event.listens_for(self._engine, "connect")
        def connected(db: Any, _: Any) -> None:
            db.isolation_level = None

        @sqlalchemy.event.listens_for(self._engine, "begin")
        def begun(db: Any) -> None:
            db.exec_driver_sql(self.begin)

        with self._engine.begin() as db:
            db.execute(self._text(TABLE))

    def _pool(self, pools: Any) -> dict[str, Any]:
        return {"poolclass": pools.QueuePool, "pool_size": 2}

    def append(self, session: str, messages: Sequence[Message]) -> None:
        statement = self._text(ADD.replace("?1", ":s").replace("?2", ":t"))
        with self._engine.begin() as db:
            for one in messages:
                db.execute(statement, {"s": session, "t": one.content})

    def read(self, session: str) -> list[Message]:
        statement = self._text(LIST.replace("?", ":s"))
        with self._engine.begin() as db:
            return spoken(db.execute(statement, {"s": session}).scalars())

    def close(self) -> None:
        self._engine.dispose()


class PoolOfOne(Pooled):
    """A pool in which all wait for one connection."""

    begin = "BEGIN"

    def _pool(self, pools: Any) -> dict[str, Any]:
        return {"poolclass": pools.QueuePool, "pool_size": 1, "max_overflow": 0}


class NoPool(Pooled):
    """A connection for each transaction."""

    def _pool(self, pools: Any) -> dict[str, Any]:
        return {"poolclass": pools.NullPool}


class PoolByThread(Pooled):
    """A connection for each thread."""

    def _pool(self, pools: Any) -> dict[str, Any]:
        return {"poolclass": pools.SingletonThreadPool}


class Executor(Immediate):
    """All is done by a pool of one thread."""

    handles = "shared"

    def __init__(self, location: Location) -> None:
        super().__init__(location)
        self._pool = ThreadPoolExecutor(1)

    def append(self, session: str, messages: Sequence[Message]) -> None:
        self._pool.submit(super().append, session, messages).result()

    def read(self, session: str) -> list[Message]:
        return self._pool.submit(super().read, session).result()

    def close(self) -> None:
        self._pool.shutdown()
        super().close()


class LockedMemory:
    """Lists in memory, with a lock around them; one handle."""

    handles: ClassVar[str] = "shared"

    def __init__(self, location: Location) -> None:
        self._lists, self._lock = kept(location, lambda: ({}, threading.Lock()))

    def append(self, session: str, messages: Sequence[Message]) -> None:
        with self._lock:
            self._lists.setdefault(session, []).extend(messages)

    def read(self, session: str) -> list[Message]:
        with self._lock:
            return list(self._lists.get(session, ()))

    def close(self) -> None:
        """Nothing is open."""


class Counter(Immediate):
    """M1: the next number is read from a table, and written back in a transaction of its own."""

    def __init__(self, location: Location) -> None:
        super().__init__(location)
        self._db.execute(COUNTS)
        self._db.execute("CREATE UNIQUE INDEX IF NOT EXISTS u ON m (session, seq)")

    def append(self, session: str, messages: Sequence[Message]) -> None:
        for one in messages:
            self._db.execute("INSERT OR IGNORE INTO c VALUES (?, 0)", (session,))
            (n,) = self._db.execute("SELECT n FROM c WHERE session = ?", (session,)).fetchone()
            self._db.execute("UPDATE c SET n = ? WHERE session = ?", (n + 1, session))
            self._db.execute(
                "INSERT OR REPLACE INTO m VALUES (?, ?, ?)", (session, n + 1, one.content)
            )


class MaxPlusOne(Counter):
    """M2: the next number is the greatest and one, asked before it is written."""

    def append(self, session: str, messages: Sequence[Message]) -> None:
        for one in messages:
            (n,) = self._db.execute(f"SELECT {NEXT}", (session,)).fetchone()
            self._db.execute("INSERT OR REPLACE INTO m VALUES (?, ?, ?)", (session, n, one.content))


class SharedHandle(Immediate):
    """M3: one handle without a lock; who is refused rolls back what another has half done."""

    handles = "shared"

    def append(self, session: str, messages: Sequence[Message]) -> None:
        try:
            self._db.execute("BEGIN")
            for one in messages:
                self._db.execute(ADD, (session, one.content))
            self._db.commit()
        except sqlite3.Error:
            self._db.rollback()
            raise


class PlainJson(Json):
    """M4: the file is read, changed and written without a lock."""

    handles = "threads"

    def append(self, session: str, messages: Sequence[Message]) -> None:
        self._add(session, messages)

    def read(self, session: str) -> list[Message]:
        return spoken(self._all().get(session, []))


class TornJson(PlainJson):
    """What is there is written over; a read that comes meanwhile takes half a file for none."""

    def read(self, session: str) -> list[Message]:
        with suppress(ValueError):
            return spoken(self._all().get(session, []))
        return []

    def _write(self, everything: dict[str, list[str]]) -> None:
        with self._path.open("w", encoding="utf-8") as file:
            json.dump(everything, file)


class StaleCache(Immediate):
    """M5: what was read is kept until the next append, also if it came in between."""

    handles = "shared"
    journal = "wal"

    def __init__(self, location: Location) -> None:
        super().__init__(location)
        self._lock = threading.Lock()
        self._reader = opened(location.path("s.db"), journal="wal")
        self._kept: dict[str, list[str]] = {}

    def append(self, session: str, messages: Sequence[Message]) -> None:
        with self._lock:
            super().append(session, messages)
            self._kept.pop(session, None)

    def read(self, session: str) -> list[Message]:
        kept = self._kept.get(session)
        if kept is None:
            kept = [text for (text,) in self._reader.execute(LIST, (session,)).fetchall()]
            self._kept[session] = kept
        return spoken(kept)

    def close(self) -> None:
        self._reader.close()
        super().close()


class EarlyWriter(Writer):
    """M6: who appends is told before the group is committed."""

    def _commit(self, group: list[Any]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        for session, texts, done in group:
            self._db.executemany(ADD, ((session, text) for text in texts))
            done.set()
        self._db.commit()


class DoubleRetry(Immediate):
    """M7: what was refused is done again from the beginning, and its beginning was kept."""

    def __init__(self, location: Location) -> None:
        super().__init__(location)
        self._db.execute("PRAGMA busy_timeout = 0")

    def append(self, session: str, messages: Sequence[Message]) -> None:
        self._patiently(lambda: self._add(session, messages))

    def read(self, session: str) -> list[Message]:
        return self._patiently(lambda: Immediate.read(self, session))

    def _add(self, session: str, messages: Sequence[Message]) -> None:
        for one in messages:
            self._db.execute(ADD, (session, one.content))
        self._db.execute(COUNTS)
        self._db.execute("INSERT OR REPLACE INTO c VALUES (?, 1)", (session,))

    def _patiently(self, action: Callable[[], Any]) -> Any:
        while True:
            try:
                return action()
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    raise
                threading.Event().wait(0.001)


class CreateRace(Immediate):
    """M9: a session is made at its first append, by whoever did not see it; twice, it is empty."""

    def __init__(self, location: Location) -> None:
        super().__init__(location)
        self._db.execute(COUNTS)

    def append(self, session: str, messages: Sequence[Message]) -> None:
        known = self._db.execute("SELECT n FROM c WHERE session = ?", (session,)).fetchone()
        if known is None:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("DELETE FROM m WHERE session = ?", (session,))
            self._db.execute("INSERT OR REPLACE INTO c VALUES (?, 0)", (session,))
            self._db.commit()
        super().append(session, messages)


class MemoryCounter:
    """M10: the next place is taken from a counter in memory, without a lock and without a call."""

    handles: ClassVar[str] = "shared"

    def __init__(self, location: Location) -> None:
        self._rows, self._next = kept(location, lambda: ({}, {}))

    def append(self, session: str, messages: Sequence[Message]) -> None:
        for one in messages:
            place = self._next.get(session, 0)
            self._rows[session, place] = one
            self._next[session] = place + 1

    def read(self, session: str) -> list[Message]:
        places = range(self._next.get(session, 0))
        return [self._rows[session, at] for at in places]

    def close(self) -> None:
        """Nothing is open."""


class Renumber(Immediate):
    """H1: from time to time numbers are made whole again, in the belief that nobody appends."""

    def append(self, session: str, messages: Sequence[Message]) -> None:
        super().append(session, messages)
        rows = self._db.execute(
            "SELECT rowid, text FROM m WHERE session = ? ORDER BY seq", (session,)
        ).fetchall()
        if len(rows) < 2:
            return
        (now,) = self._db.execute("SELECT count(*) FROM m WHERE session = ?", (session,)).fetchone()
        if now != len(rows):
            return  # somebody came in between: another time
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute("DELETE FROM m WHERE session = ?", (session,))
        for seq, (_, text) in enumerate(rows, 1):
            self._db.execute("INSERT INTO m VALUES (?, ?, ?)", (session, seq, text))
        self._db.commit()


CORRECT: dict[str, Any] = {
    one.__name__: one
    for one in (
        Immediate, ImmediateWal, OneStatement, Shared, Json, FlockJson, Writer, Pooled, PoolOfOne,
        NoPool, PoolByThread, Executor, LockedMemory,
    )
}  # fmt: skip
BROKEN: dict[str, Any] = {
    one.__name__: one
    for one in (
        Counter, MaxPlusOne, SharedHandle, PlainJson, TornJson, StaleCache, EarlyWriter,
        DoubleRetry, CreateRace, Renumber,
    )
}  # fmt: skip
BY_LINES: dict[str, Any] = {MemoryCounter.__name__: MemoryCounter}
"""Broken where no call lies between: points of lines show it."""
