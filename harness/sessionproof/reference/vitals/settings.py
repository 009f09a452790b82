"""What the store's own connections have set, and why: read from them, not from a new one.

A pragma is of one connection, so a look from outside says nothing about those of another process.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sessionproof.reference.connections import CACHE_KIB, LOG_PAGES, WAIT_S
from sessionproof.reference.vitals.report import Vital

Values = Mapping[str, object]
"""Settings of one connection; None where this SQLite has no such setting."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Right values of a pragma for the one that writes and for those that read; why.

    ``synchronous`` is as the store's durability has it.
    """

    name: str
    writer: object
    reader: object
    why: str


SETTINGS = (
    Setting("foreign_keys", 1, 1, "a message belongs to a session, or is refused"),
    Setting("journal_mode", "wal", "wal", "readers go on while one writes"),
    Setting(
        "synchronous", 2, 2,
        "2 (FULL) survives a power loss, 1 (NORMAL) a crash of the process: as durability says",
    ),
    Setting(
        "busy_timeout", 0, int(WAIT_S * 1000),
        "readers wait for locks in SQLite; the writer waits itself, in shorter pauses",
    ),
    Setting(
        "cache_size", -CACHE_KIB, -CACHE_KIB,
        "2 MB at most for each connection: a large cache would be there as often as connections",
    ),
    Setting("temp_store", 2, 2, "nothing that was said is written outside the location"),
    Setting("mmap_size", 0, 0, "a file that shrinks under a map kills the process"),
    Setting("wal_autocheckpoint", LOG_PAGES, LOG_PAGES, "the log is emptied every 4 MB"),
)  # fmt: skip


def values_of(db: sqlite3.Connection) -> dict[str, object]:
    """What this connection has set."""
    found = {one.name: db.execute(f"PRAGMA {one.name}").fetchone() for one in SETTINGS}
    return {name: row[0] if row else None for name, row in found.items()}


def settings(writer: Values, reader: Values | None, *, synchronous: int) -> Iterator[Vital]:
    """Each setting of both connections: critical where it is not what the store set.

    Without a reader, as where all are busy, that of the writer alone.
    """
    for one in SETTINGS:
        right = (
            (synchronous, synchronous) if one.name == "synchronous" else (one.writer, one.reader)
        )
        seen = (writer[one.name], right[1] if reader is None else reader[one.name])
        name = f"pragma {one.name}"
        if None in seen:
            yield Vital(name, "unknown", "this SQLite has no such setting")
        elif seen == right:
            yield Vital(name, "ok", f"{_both(seen)}: {one.why}")
        else:
            text = f"{_both(seen)}, and should be {_both(right)}: {one.why}"
            yield Vital(name, "critical", text)


def _both(values: tuple[object, object]) -> str:
    writes, reads = values
    return f"{writes}" if writes == reads else f"{writes}, and {reads} to read"


OUTSIDE = Vital(
    "pragmas",
    "unknown",
    "what the connections of another process have set is seen by its own health() alone",
)
"""What can be said of settings by another process than the store's."""
