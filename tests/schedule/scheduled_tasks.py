"""Small async stores for controlled schedules: correct ones, and broken ones.

Import it within ``controlled(…)``. ``shared`` of a class says that clients share one handle.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import aiosqlite

from sessionproof.contract.message import Message

TABLE = "CREATE TABLE IF NOT EXISTS m (session TEXT, seq INTEGER, text TEXT)"
ADD = "INSERT INTO m SELECT ?1, coalesce(max(seq), 0) + 1, ?2 FROM m WHERE session = ?1"
LAST = "SELECT coalesce(max(seq), 0) FROM m WHERE session = ?"
PUT = "INSERT INTO m VALUES (?, ?, ?)"
LIST = "SELECT text FROM m WHERE session = ? ORDER BY seq, rowid"

_KEPT = defaultdict(lambda: defaultdict(tuple))


def spoken(rows):
    """Messages of these rows."""
    return [Message("user", text) for (text,) in rows]


class Kept:
    """Keeps messages in memory, by the path of its location; another step before each write."""

    shared = True

    def __init__(self, location):
        self.here = _KEPT[str(location.root)]

    async def append(self, session, messages):
        old = self.here[session]
        await self.pause()
        self.here[session] = (*old, *messages)

    async def pause(self):
        await asyncio.sleep(0)

    async def read(self, session):
        return list(self.here[session])

    async def close(self):
        """Nothing is open."""


class CheckThenAct(Kept):
    """Broken: what it read before it let others go on is written over what they wrote."""


class CheckThenWait(Kept):
    """Broken: the same over a sleep."""

    async def pause(self):
        await asyncio.sleep(0.01)


class CheckThenThread(Kept):
    """Broken: the same over a call in a thread."""

    async def pause(self):
        await asyncio.to_thread(len, ())


class Locked(Kept):
    """Correct: under a lock of asyncio."""

    def __init__(self, location):
        super().__init__(location)
        self.lock = asyncio.Lock()

    async def append(self, session, messages):
        async with self.lock:
            await super().append(session, messages)


class Patient(Locked):
    """Correct: waits for the lock with a deadline, which nobody needs."""

    async def append(self, session, messages):
        await asyncio.wait_for(self.lock.acquire(), 5)
        try:
            await Kept.append(self, session, messages)
        finally:
            self.lock.release()


class Written(Kept):
    """Correct: one task writes what others put into its queue."""

    def __init__(self, location):
        super().__init__(location)
        self.queue = asyncio.Queue()
        self.writer = asyncio.create_task(self.write())

    async def append(self, session, messages):
        done = asyncio.get_running_loop().create_future()
        await self.queue.put((session, messages, done))
        await done

    async def write(self):
        while True:
            session, messages, done = await self.queue.get()
            await super().append(session, messages)
            done.set_result(None)

    async def close(self):
        self.writer.cancel()


class Begun(Kept):
    """Correct: relies on tasks that begin in the order in which they were made."""

    async def append(self, session, messages):
        parts = [asyncio.create_task(self.put(session, one)) for one in messages]
        await asyncio.gather(*parts)

    async def put(self, session, message):
        self.here[session] += (message,)


class Database:
    """One connection of aiosqlite; ``append`` is a transaction that begins with the write lock."""

    shared = False
    journal = "delete"

    def __init__(self, db):
        self.db = db
        self.lock = asyncio.Lock()

    @classmethod
    async def open(cls, location):
        db = await aiosqlite.connect(location.path("s.db"), isolation_level=None, timeout=5)
        await db.execute("PRAGMA synchronous = OFF")
        async with db.execute("PRAGMA journal_mode") as cursor:
            (mode,) = await cursor.fetchone()
        if mode != cls.journal:
            await db.execute(f"PRAGMA journal_mode = {cls.journal}")
        await db.execute(TABLE)
        return cls(db)

    async def append(self, session, messages):
        async with self.begun():
            async with self.db.execute(LAST, (session,)) as cursor:
                (last,) = await cursor.fetchone()
            for at, one in enumerate(messages, last + 1):
                await self.db.execute(PUT, (session, at, one.content))

    @asynccontextmanager
    async def begun(self):
        await self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            await self.db.rollback()
            raise
        await self.db.commit()

    async def read(self, session):
        return spoken(await self.db.execute_fetchall(LIST, (session,)))

    async def close(self):
        await self.db.close()


class Immediate(Database):
    """Correct: a connection each."""


class ImmediateWal(Database):
    """Correct: the same with a write-ahead log."""

    journal = "wal"


class SharedDatabase(Database):
    """Correct: one connection for all, and a lock around it."""

    shared = True

    async def append(self, session, messages):
        async with self.lock:
            await super().append(session, messages)

    async def read(self, session):
        async with self.lock:
            return await super().read(session)


class HalfDone(Database):
    """Broken: a transaction of a connection that others use between its statements."""

    shared = True

    async def append(self, session, messages):
        if self.db.in_transaction:  # of somebody else, who may yet take it back
            for one in messages:
                await self.db.execute(ADD, (session, one.content))
        else:
            await super().append(session, messages)


class Deferred(Database):
    """Broken: reads the last number, and writes the next one in a transaction of its own."""

    async def append(self, session, messages):
        async with self.db.execute(LAST, (session,)) as cursor:
            (last,) = await cursor.fetchone()
        await self.db.execute(f"DELETE FROM m WHERE session = ? AND seq > {last}", (session,))
        for at, one in enumerate(messages, last + 1):
            await self.db.execute(PUT, (session, at, one.content))


class Cached(Database):
    """Correct: a cache, filled from the connection that writes: its answers come in order."""

    shared = True

    def __init__(self, db):
        super().__init__(db)
        self.cache = {}
        self.other = db

    async def append(self, session, messages):
        for one in messages:
            await self.db.execute(ADD, (session, one.content))
        self.cache.pop(session, None)

    async def read(self, session):
        if session in self.cache:
            return list(self.cache[session])
        rows = await self.other.execute_fetchall(LIST, (session,))
        self.cache[session] = spoken(rows)
        return list(self.cache[session])


class CachedApart(Cached):
    """Broken: the cache is filled from another connection, after it was made empty."""

    @classmethod
    async def open(cls, location):
        made = await super().open(location)
        made.other = await aiosqlite.connect(location.path("s.db"), isolation_level=None)
        return made

    async def close(self):
        await self.other.close()
        await super().close()


class CachedLocked(CachedApart):
    """Correct: the same under a lock."""

    async def append(self, session, messages):
        async with self.lock:
            await super().append(session, messages)

    async def read(self, session):
        async with self.lock:
            return await super().read(session)


class Counted(Database):
    """Broken: the next number is kept in memory, and looked at before a statement is awaited."""

    shared = True

    def __init__(self, db):
        super().__init__(db)
        self.last = defaultdict(int)

    async def append(self, session, messages):
        for one in messages:
            at = self.last[session] + 1
            await self.db.execute("DELETE FROM m WHERE session = ? AND seq = ?", (session, at))
            await self.db.execute(PUT, (session, at, one.content))
            self.last[session] = at


class Threaded:
    """Correct: plain sqlite3 in threads, under a lock of threads."""

    shared = True

    def __init__(self, location):
        self.lock = threading.Lock()
        self.db = sqlite3.connect(
            location.path("s.db"), isolation_level=None, check_same_thread=False
        )
        self.db.execute("PRAGMA synchronous = OFF")
        self.db.execute(TABLE)

    async def append(self, session, messages):
        await asyncio.to_thread(self.put, session, messages)

    async def read(self, session):
        return await asyncio.to_thread(self.all, session)

    def put(self, session, messages):
        with self.lock:
            ((last,),) = self.db.execute(LAST, (session,)).fetchall()
            for at, one in enumerate(messages, last + 1):
                self.db.execute("DELETE FROM m WHERE session = ? AND seq = ?", (session, at))
                self.db.execute(PUT, (session, at, one.content))

    def all(self, session):
        with self.lock:
            return spoken(self.db.execute(LIST, (session,)).fetchall())

    async def close(self):
        self.db.close()


class Unlocked(Threaded):
    """Broken: the same without a lock."""

    def put(self, session, messages):
        ((last,),) = self.db.execute(LAST, (session,)).fetchall()
        for at, one in enumerate(messages, last + 1):
            self.db.execute("DELETE FROM m WHERE session = ? AND seq = ?", (session, at))
            self.db.execute(PUT, (session, at, one.content))


class PoolOfOne(Unlocked):
    """Correct: without a lock, but in an executor of one thread."""

    def __init__(self, location):
        super().__init__(location)
        self.pool = ThreadPoolExecutor(1)

    async def append(self, session, messages):
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self.pool, self.put, session, messages)

    async def close(self):
        await super().close()
        self.pool.shutdown()


class Crossed(Kept):
    """Broken: appends and reads take two locks in other orders, and then wait for ever."""

    def __init__(self, location):
        super().__init__(location)
        self.one, self.other = asyncio.Lock(), asyncio.Lock()

    async def append(self, session, messages):
        async with self.one:
            await asyncio.sleep(0)
            async with self.other:
                await super().append(session, messages)

    async def read(self, session):
        async with self.other:
            await asyncio.sleep(0)
            async with self.one:
                return await super().read(session)


CORRECT = (
    Locked, Patient, Written, Begun, Immediate, ImmediateWal, SharedDatabase, Cached, CachedLocked,
    Threaded, PoolOfOne,
)  # fmt: skip
BROKEN = (
    CheckThenAct, CheckThenWait, CheckThenThread, HalfDone, Deferred, CachedApart, Counted,
    Unlocked,
)  # fmt: skip
