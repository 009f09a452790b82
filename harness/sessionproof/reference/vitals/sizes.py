"""How large the file, its log and its tables are, and how fast it grows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sessionproof.reference.vitals.report import MEGABYTE, Number, Vital, amount, looked, number_in
from sessionproof.reference.vitals.thresholds import Thresholds

DAY_US = 86_400_000_000

_READ_MOST = 256 * MEGABYTE  # to tell tables apart, every page is read
GROWTH_DAYS = 30
KEPT = 2_000
_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Size:
    """How large a store was at a time."""

    at_us: int
    file_bytes: int
    log_bytes: int
    sessions: int
    messages: int


def size_of(db: sqlite3.Connection, file: Path, now_us: int) -> Size:
    """How large it is now."""
    return Size(
        now_us,
        file.stat().st_size,
        _bytes_of(file.with_name(f"{file.name}-wal")),
        number_in(db, "SELECT count(*) FROM sessions"),
        number_in(db, "SELECT sum(message_count) FROM sessions"),
    )


def _bytes_of(log: Path) -> int:
    """The size of the log, which whoever closes the database last removes at any moment."""
    try:
        return log.stat().st_size
    except FileNotFoundError:
        return 0


def kept(db: sqlite3.Connection, size: Size) -> None:
    """Write a size down, and forget those of long ago; within a transaction of the caller's."""
    values = (size.at_us, size.file_bytes, size.log_bytes, size.sessions, size.messages)
    db.execute("INSERT OR REPLACE INTO health_sizes VALUES (?, ?, ?, ?, ?)", values)
    db.execute(
        "DELETE FROM health_sizes WHERE at_us <= "
        "(SELECT at_us FROM health_sizes ORDER BY at_us DESC LIMIT 1 OFFSET ?)",
        (KEPT,),
    )


def of_file(
    db: sqlite3.Connection, file: Path, now_us: int, thresholds: Thresholds
) -> Iterator[Vital]:
    """All that is said of sizes."""
    size = size_of(db, file, now_us)
    yield file_size(size, thresholds)
    yield log_size(size, thresholds)
    yield free_pages(db)
    yield table_sizes(db, size)
    yield from looked("growth", lambda: growth(db, size, thresholds))


def file_size(size: Size, thresholds: Thresholds) -> Vital:
    """The size of the file."""
    return Vital(
        "file size",
        thresholds.file_mb.of(size.file_bytes / MEGABYTE),
        f"{amount(size.file_bytes)} with {size.sessions:,} sessions and {size.messages:,} messages",
        (
            Number("file_bytes", size.file_bytes),
            Number("sessions", size.sessions),
            Number("messages", size.messages),
        ),
    )


def log_size(size: Size, thresholds: Thresholds) -> Vital:
    """The size of the log."""
    severity = thresholds.log_mb.of(size.log_bytes / MEGABYTE)
    text = amount(size.log_bytes)
    if severity != "ok":
        text += ": a reader holds an old state, or nobody empties it"
    return Vital("log size", severity, text, (Number("log_bytes", size.log_bytes),))


def free_pages(db: sqlite3.Connection) -> Vital:
    """What deletions left free, which later messages use again."""
    free, all_pages = (number_in(db, f"PRAGMA {name}") for name in ("freelist_count", "page_count"))
    part = free / all_pages if all_pages else 0.0
    return Vital(
        "free pages",
        "ok",
        f"{free:,} of {all_pages:,} ({part:.0%})",
        (Number("free_pages", free), Number("pages", all_pages)),
    )


def table_sizes(db: sqlite3.Connection, size: Size) -> Vital:
    """The largest tables and indexes; unknown where SQLite cannot tell, or it would be slow."""
    if size.file_bytes > _READ_MOST:
        limit = _READ_MOST // MEGABYTE
        text = f"the file is larger than {limit} MB: every page would be read"
        return Vital("table sizes", "unknown", text)
    try:
        rows = db.execute("SELECT name, pgsize FROM dbstat WHERE aggregate = 1").fetchall()
    except sqlite3.OperationalError:
        return Vital("table sizes", "unknown", "this SQLite was built without dbstat")
    largest = sorted(((int(size), str(name)) for name, size in rows), reverse=True)
    shown = ", ".join(f"{name} {amount(size)}" for size, name in largest[:_SHOWN])
    numbers = tuple(Number("table_bytes", size, (("table", name),)) for size, name in largest)
    return Vital("table sizes", "ok", shown, numbers)


def growth(db: sqlite3.Connection, size: Size, thresholds: Thresholds) -> Vital:
    """Bytes a day since the oldest size of this month; a warning when it is critical soon."""
    found = db.execute(
        "SELECT at_us, file_bytes FROM health_sizes WHERE at_us >= ? AND at_us <= ? "
        "ORDER BY at_us LIMIT 1",
        (size.at_us - GROWTH_DAYS * DAY_US, size.at_us - DAY_US),
    ).fetchone()
    return grown(found, size, thresholds)


def grown(found: tuple[int, int] | None, size: Size, thresholds: Thresholds) -> Vital:
    """The same since a time and a size of then; unknown without them."""
    if found is None:
        return Vital("growth", "unknown", "no size of a day ago or more is known: run maintenance")
    at_us, before = found
    days = (size.at_us - at_us) / DAY_US
    a_day = (size.file_bytes - before) / days
    text = f"{a_day / MEGABYTE:+,.2f} MB a day over {days:.0f} days"
    left = thresholds.file_mb.critical * MEGABYTE - size.file_bytes
    soon = a_day > 0 and 0 < left < a_day * thresholds.full_within_days
    if soon:
        text += f"; {thresholds.file_mb.critical:,.0f} MB in {left / a_day:.0f} days"
    number = Number("file_bytes_per_day", a_day)
    return Vital("growth", "warning" if soon else "ok", text, (number,))
