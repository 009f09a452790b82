"""Broken stores for controlled schedules, each in one way that a schedule shows."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, ClassVar

from scheduled_correct import ADD, COUNTS, LIST, NEXT, Immediate, Json, Writer, kept, opened, spoken

from sessionproof.contract.location import Location
from sessionproof.contract.message import Message


class Counter(Immediate):
    """The next number is read from a table, and written back in a transaction of its own."""

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
    """The next number is the greatest and one, asked before it is written."""

    def append(self, session: str, messages: Sequence[Message]) -> None:
        for one in messages:
            (n,) = self._db.execute(f"SELECT {NEXT}", (session,)).fetchone()
            self._db.execute("INSERT OR REPLACE INTO m VALUES (?, ?, ?)", (session, n, one.content))


class SharedHandle(Immediate):
    """One handle without a lock; who is refused rolls back what another has half done."""

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
    """The file is read, changed and written without a lock."""

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
    """What was read is kept until the next append, also if it came in between."""

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
    """Who appends is told before the group is committed."""

    def _commit(self, group: list[Any]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        for session, texts, done in group:
            self._db.executemany(ADD, ((session, text) for text in texts))
            done.set()
        self._db.commit()


class DoubleRetry(Immediate):
    """What was refused is done again from the beginning, and its beginning was kept."""

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
    """A session is made at its first append, by whoever did not see it; twice, it is empty."""

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
    """The next place is taken from a counter in memory, without a lock and without a call."""

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
    """From time to time numbers are made whole again, in the belief that nobody appends."""

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
