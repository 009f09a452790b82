"""What the store's own connections have set, and why: read from them, not from a new one.

A pragma is of one connection, so a look from outside says nothing about those of another process.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sessionproof.reference.vitals.report import Vital

Values = Mapping[str, object]
"""Settings of one connection; None where this SQLite has no such setting."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Right values of a pragma for the one that writes and for those that read; why."""

    name: str
    writer: tuple[object, ...]
    reader: tuple[object, ...]
    why: str


SETTINGS = (
    Setting("foreign_keys", (1,), (1,), "a message belongs to a session, or is refused"),
    Setting("journal_mode", ("wal",), ("wal",), "readers go on while one writes"),
    Setting(
        "synchronous", (1, 2), (1, 2),
        "2 (FULL) survives a power loss, 1 (NORMAL) a crash of the process: as durability says",
    ),
    Setting(
        "busy_timeout", (0,), (5000,),
        "readers wait for locks in SQLite; the writer waits itself, in shorter pauses",
    ),
    Setting(
        "cache_size", (-2000,), (-2000,),
        "2 MB at most for each connection: a large cache would be there as often as connections",
    ),
    Setting("temp_store", (2,), (2,), "nothing that was said is written outside the location"),
    Setting("mmap_size", (0,), (0,), "a file that shrinks under a map kills the process"),
    Setting("wal_autocheckpoint", (1000,), (1000,), "the log is emptied every 4 MB"),
)  # fmt: skip


def values_of(db: sqlite3.Connection) -> dict[str, object]:
    """What this connection has set."""
    found = {one.name: db.execute(f"PRAGMA {one.name}").fetchone() for one in SETTINGS}
    return {name: row[0] if row else None for name, row in found.items()}


def settings(writer: Values, reader: Values, *, synchronous: int) -> Iterator[Vital]:
    """Each setting of both connections: critical where it is not what the store set."""
    for one in SETTINGS:
        seen = (writer.get(one.name), reader.get(one.name))
        name = f"pragma {one.name}"
        if None in seen:
            yield Vital(name, "unknown", "this SQLite has no such setting")
            continue
        right = ((synchronous,),) * 2 if one.name == "synchronous" else (one.writer, one.reader)
        good = all(value in wanted for value, wanted in zip(seen, right, strict=True))
        shown = f"{seen[0]}" if seen[0] == seen[1] else f"{seen[0]}, and {seen[1]} to read"
        wanted = " and ".join(str(values[0]) for values in right)
        text = f"{shown}: {one.why}" if good else f"{shown}, and should be {wanted}: {one.why}"
        yield Vital(name, "ok" if good else "critical", text)


OUTSIDE = Vital(
    "pragmas",
    "unknown",
    "what the connections of another process have set is seen by its own health() alone",
)
"""What can be said of settings by another process than the store's."""
