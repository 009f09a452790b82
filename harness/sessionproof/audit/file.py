"""Reading the committed state of a database file, without ever changing or making a file beside it.

SQLite itself cannot promise that: a reader of a file with a log makes ``-wal`` and ``-shm`` where
they are missing, rolls a hot journal back, and with ``immutable=1`` overlooks both. So the file is
locked as any reader locks it, which stops others from removing a log or committing without one,
and what lies beside the file decides how it is read:

======================  ===========  ==================================================
log or journal          ``-shm``     read
======================  ===========  ==================================================
none                    –            in place, under the lock
a hot journal           –            as a copy, in which SQLite rolls it back
log mode, log empty     missing      in place as immutable; again if ``-shm`` turns up
log                     there        in place, with ``-shm`` read-only
log                     missing      as a copy, with the log
======================  ===========  ==================================================
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias, TypeVar

try:
    import fcntl
except ImportError:  # Windows: SQLite's own locks, and what is seen afterwards, must do
    fcntl = None  # type: ignore[assignment]

T = TypeVar("T")

OLDEST_SQLITE = (3, 37, 0)
IN_PLACE, AS_COPY = "in place", "as a copy"

_ATTEMPTS = 12
_PAUSE_S = 0.25
_PENDING, _SHARED, _SHARED_BYTES = 0x40000000, 0x40000002, 510  # the file format's lock bytes
_SPARE_BYTES = 1 << 20
_CACHE_KIB = 65_536
_LOG_HEADER_BYTES = 32


@dataclass(frozen=True, slots=True)
class Reading:
    """Two connections to the committed state, ``second`` for another thread; how it is read.

    Beside a writer with a log, ``second`` may see a commit more. ``writable`` says that they might
    write, if they were asked to: only then ``integrity_check`` heeds the CHECKs of tables.
    """

    connection: sqlite3.Connection
    second: sqlite3.Connection
    read: str
    writable: bool = False


class Unreadable(Exception):
    """Nothing can be said of the file; the text is one line that names it and the remedy."""


class _Again(Exception):
    """Another process got in the way; the text says how."""


def on_committed_state(path: Path, work: Callable[[Reading], T]) -> T:
    """The answer of ``work`` for the committed state of the file.

    ``work`` is called again when the file changed meanwhile. Raises ``Unreadable``. Call it in a
    process that has the file not open otherwise: closing a file gives back all of its locks.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise Unreadable(f"SQLite {sqlite3.sqlite_version} is too old: 3.37 or later is needed")
    file = _found(path)
    reason = ""
    for attempt in range(_ATTEMPTS):
        try:
            with _snapshot(file) as reading:
                return work(reading)
        except _Again as again:
            reason = str(again)
        except OSError as error:
            raise Unreadable(f"{path} cannot be read: {error.strerror or error}") from None
        if attempt < _ATTEMPTS - 1:
            time.sleep(_PAUSE_S)
    raise Unreadable(f"{path} {reason}")


def _found(path: Path) -> Path:
    try:
        file = path.resolve(strict=True)  # SQLite looks for the log beside the file itself
        if not file.is_file():
            what = "a directory" if file.is_dir() else "no regular file"
            raise Unreadable(f"{path} is {what}: name a database file")
        with file.open("rb") as opened:
            head = opened.read(16)
    except FileNotFoundError:
        raise Unreadable(f"{path} does not exist: name a database file") from None
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, in older Pythons
        why = error.strerror if isinstance(error, OSError) else error
        raise Unreadable(f"{path} cannot be read: {why}") from None
    if not head:
        raise Unreadable(f"{path} is empty, which no database with sessions is: name another file")
    if head != b"SQLite format 3\0":
        raise Unreadable(f"{path} is no SQLite database, or it is encrypted: name another file")
    return file


@contextmanager
def _snapshot(file: Path) -> Iterator[Reading]:
    log, shared = Path(f"{file}-wal"), Path(f"{file}-shm")
    with file.open("rb") as held:
        _lock(held)
        logged = _logged(held) or _size(log) > 0
        if logged and not shared.exists() and _size(log) == 0:
            with _twice(file, "mode=ro&immutable=1") as (one, other):
                yield Reading(one, other, IN_PLACE)
                # Nobody writes to the file without -shm, and while the lock is held it stays.
                if shared.exists() or _size(log) > 0:
                    raise _Again("changes all the time: stop its writers, or audit a backup")
            return
        if not logged or (log.exists() and shared.exists()):
            query = "mode=ro&readonly_shm=1" if logged else "mode=ro"
            try:
                with _twice(file, query) as (one, other):
                    yield Reading(one, other, IN_PLACE)
            except _NotInPlace:
                _lock(held)  # closing the connection gave the lock back
            else:
                return
        with _copy(file, held, log if logged else Path(f"{file}-journal")) as (one, other):
            yield Reading(one, other, AS_COPY)


class _NotInPlace(Exception):
    """The file must be recovered before it can be read."""


_Pair: TypeAlias = tuple[sqlite3.Connection, sqlite3.Connection]


@contextmanager
def _twice(path: Path, query: str) -> Iterator[_Pair]:
    with _connected(path, query) as one, _connected(path, query) as other:
        yield one, other


@contextmanager
def _connected(path: Path, query: str) -> Iterator[sqlite3.Connection]:
    """A connection in a read transaction, so that all its answers are of one state."""
    try:
        connection = sqlite3.connect(
            f"{path.as_uri()}?{query}",
            uri=True,
            isolation_level=None,
            timeout=_PAUSE_S,
            check_same_thread=False,
        )
    except sqlite3.Error as error:
        raise Unreadable(f"{path} cannot be opened: {error}") from None
    with closing(connection):
        connection.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
        try:
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}").close()
            connection.execute("PRAGMA trusted_schema = OFF").close()
            connection.execute("PRAGMA query_only = ON").close()
            connection.execute("BEGIN").close()
            connection.execute("PRAGMA schema_version").fetchall()  # begins to read
        except (sqlite3.Error, UnicodeDecodeError) as error:
            if not schema_damaged(error):
                raise _opening_error(error, path) from None
            # The schema is damaged: whoever asks for it will be told, and say so.
        yield connection


def schema_damaged(error: Exception) -> bool:
    """Whether SQLite says so; in words that are no UTF-8 where it quotes a damaged name."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return isinstance(error, UnicodeDecodeError) or code == sqlite3.SQLITE_CORRUPT


def _opening_error(error: Exception, path: Path) -> Exception:
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_PROTOCOL:
            return _Again(_LOCKED)
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY:
            return _NotInPlace()
        case _:
            return Unreadable(f"{path} cannot be opened: {error}; restore a backup")


_LOCKED = "is locked by another process that writes: wait for it or close it, then try again"


def _lock(held: BinaryIO) -> None:
    """Lock the file for reading, as SQLite does: while a writer waits, nobody new comes in."""
    if fcntl is None:
        return
    shared = fcntl.LOCK_SH | fcntl.LOCK_NB
    try:
        fcntl.lockf(held, shared, 1, _PENDING)
        try:
            fcntl.lockf(held, shared, _SHARED_BYTES, _SHARED)
        finally:
            fcntl.lockf(held, fcntl.LOCK_UN, 1, _PENDING)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            raise _Again(_LOCKED) from None
        # A file system without locks: what SQLite cannot do there either, it says itself.


def _logged(held: BinaryIO) -> bool:
    """Whether the header says that the file is written through a log."""
    held.seek(0)
    return 2 in held.read(20)[18:20]


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@contextmanager
def _copy(file: Path, held: BinaryIO, log: Path) -> Iterator[_Pair]:
    """Connections to a private copy, recovered by SQLite.

    The file is copied before its log: what was moved from log to file meanwhile is in both, as long
    as the log was not begun anew, and that its header shows.
    """
    parent = Path(tempfile.gettempdir())
    needed = os.fstat(held.fileno()).st_size + _size(log) + _SPARE_BYTES
    free = shutil.disk_usage(parent).free
    if free < needed:
        raise Unreadable(
            f"{file} must be copied to be read, and needs {needed:,} bytes where {parent} has "
            f"{free:,}: set TMPDIR to a folder with more room"
        )
    with tempfile.TemporaryDirectory(prefix="sessionproof-", dir=parent) as folder:
        before = _state(held, log)
        held.seek(0)
        copy = Path(folder, "copy.db")
        with copy.open("wb") as target:
            shutil.copyfileobj(held, target, _SPARE_BYTES)
        if log.exists():
            shutil.copyfile(log, f"{copy}{log.name.removeprefix(file.name)}")
        if _state(held, log) != before:
            raise _Again("changes all the time: stop its writers, or audit a backup")
        if fcntl is not None:
            fcntl.lockf(held, fcntl.LOCK_UN)  # writers need not wait for the audit
        try:
            # The first recovers it. Who may write would have integrity_check call functions that
            # SQLite distrusts in a foreign schema.
            with _connected(copy, "mode=rw"), _twice(copy, "mode=ro") as pair:
                yield pair
        except _NotInPlace:
            raise Unreadable(f"{file} cannot be recovered: restore a backup") from None


def _state(held: BinaryIO, log: Path) -> tuple[object, ...]:
    about = os.fstat(held.fileno())
    if not log.exists():
        return (None, about.st_size, about.st_mtime_ns)
    with log.open("rb") as opened:
        header = opened.read(_LOG_HEADER_BYTES)
    # With a log, the file may grow and change by a checkpoint: the log still holds all of that.
    return (header, log.stat().st_ino) if header else (header, about.st_size, about.st_mtime_ns)
