"""The write-ahead log of an SQLite database: removed, cut, stale, another's; and older copies."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from random import Random  # noqa: TID251 - the type alone

from sessionproof.faults.damage.done import Damage, Done, Subject
from sessionproof.faults.damage.pages import page_size

LOG_HEAD, FRAME_HEAD = 32, 24
"""Bytes before the first frame of a log, and before the page in each frame."""


def log_of(path: Path) -> Path:
    """Where the log of a database lies."""
    return path.with_name(path.name + "-wal")


def _removed(subject: Subject, _generator: Random) -> Done | None:
    log = log_of(subject.path)
    if not _frames(subject):
        return None
    log.unlink()
    _shared(subject).unlink(missing_ok=True)
    return _done(subject, 1, "the log removed")


def _cut(subject: Subject, generator: Random) -> Done | None:
    """Cut inside a frame, so that it and what comes behind it is gone."""
    frames = _frames(subject)
    if not frames:
        return None
    log = log_of(subject.path)
    length = FRAME_HEAD + int.from_bytes(log.read_bytes()[8:12], "big")
    frame = generator.randrange(frames)
    keep = LOG_HEAD + frame * length + generator.randrange(1, length)
    with log.open("r+b") as file:
        file.truncate(keep)
    _shared(subject).unlink(missing_ok=True)
    return _done(subject, frame + 1, f"the log cut inside frame {frame + 1:,} of {frames:,}")


def _zeroed(subject: Subject, generator: Random) -> Done | None:
    """Zero one frame, as a write that never reached the disk."""
    frames = _frames(subject)
    if not frames:
        return None
    log = log_of(subject.path)
    data = bytearray(log.read_bytes())
    length = FRAME_HEAD + int.from_bytes(data[8:12], "big")
    frame = generator.randrange(frames)
    at = LOG_HEAD + frame * length
    data[at : at + length] = bytes(length)
    log.write_bytes(data)
    _shared(subject).unlink(missing_ok=True)
    return _done(subject, frame + 1, f"frame {frame + 1:,} of {frames:,} of the log zeroed")


def _stale(subject: Subject, _generator: Random) -> Done | None:
    """The log of the older copy beside the file of today."""
    if subject.older is None or not _sized(log_of(subject.older / subject.file)):
        return None
    if _same(log_of(subject.older / subject.file), log_of(subject.path)):
        return None
    shutil.copyfile(log_of(subject.older / subject.file), log_of(subject.path))
    _shared(subject).unlink(missing_ok=True)
    return _done(subject, 1, "the log of an older copy put beside the file")


def _foreign(subject: Subject, _generator: Random) -> Done | None:
    """The log of another database with pages of the same size."""
    size = page_size(subject.path.read_bytes())
    with tempfile.TemporaryDirectory(prefix="foreign-") as folder:
        path = Path(folder) / "other.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"PRAGMA page_size = {size}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            connection.execute("CREATE TABLE places (id INTEGER PRIMARY KEY, url TEXT)")
            rows = [(f"https://example.org/{number}",) for number in range(400)]
            connection.executemany("INSERT INTO places (url) VALUES (?)", rows)
            connection.commit()
            shutil.copyfile(log_of(path), log_of(subject.path))
    _shared(subject).unlink(missing_ok=True)
    return _done(subject, 1, "another database's log put beside the file")


def _garbage(subject: Subject, generator: Random) -> Done | None:
    """The index of the log overwritten; SQLite makes it anew when nobody has the file open."""
    if not _frames(subject):
        return None
    _shared(subject).write_bytes(generator.randbytes(32_768))
    return _done(subject, 0, "the index of the log (-shm) filled with random bytes")


def _older(subject: Subject, _generator: Random) -> Done | None:
    """The older copy's file put in the place of this one, under the log of today."""
    if subject.older is None or not _frames(subject):
        return None
    older = subject.older / subject.file
    if not _sized(older) or _same(older, subject.path):
        return None
    shutil.copyfile(older, subject.path)
    return Done(
        file=subject.file,
        page=1,
        use="file",
        words="an older copy of the file put under the log of today",
    )


def _frames(subject: Subject) -> int:
    """How many whole frames the log has; 0 without one."""
    log = log_of(subject.path)
    data = log.read_bytes() if log.is_file() else b""
    if len(data) < LOG_HEAD:
        return 0
    return (len(data) - LOG_HEAD) // (FRAME_HEAD + int.from_bytes(data[8:12], "big"))


def _shared(subject: Subject) -> Path:
    return subject.path.with_name(subject.path.name + "-shm")


def _sized(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and one.read_bytes() == other.read_bytes()


def _done(subject: Subject, frame: int, words: str) -> Done:
    name = log_of(subject.path).relative_to(subject.folder).as_posix()
    return Done(file=name, page=frame, use="log", words=words)


LOGS = (
    Damage(name="log removed", needs="log", apply=_removed),
    Damage(name="log cut", needs="log", apply=_cut),
    Damage(name="log frame zeroed", needs="log", apply=_zeroed),
    Damage(name="stale log", needs="log", apply=_stale),
    Damage(name="foreign log", needs="database", apply=_foreign),
    Damage(name="garbage beside the log", needs="log", apply=_garbage),
    Damage(name="older copy under the log", needs="log", apply=_older),
)
