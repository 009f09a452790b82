"""Correct stores for controlled schedules: they must show nothing."""

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
