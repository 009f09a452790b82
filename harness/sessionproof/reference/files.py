"""Database files from outside: where they lie, what copies are called, and having one alone.

A process that closes any descriptor of a file loses all its POSIX locks on it, those of SQLite
included. So nothing here opens a database that this process may have open in another way.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import sqlite3
import struct
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from sessionproof.contract.clock import SystemClock
from sessionproof.contract.errors import Refused
from sessionproof.reference.failures import as_store_error, is_busy
from sessionproof.reference.opening import FILE, uri

try:
    import fcntl
except ImportError:  # Windows: a file can only be looked at
    fcntl = None  # type: ignore[assignment]

BACKUP = "backup"
"""The last part of a backup's name."""

LOGS = ("-wal", "-shm", "-journal")
"""What SQLite puts beside a database while it is used; the name goes on with one of these."""

_NAME = re.compile(
    r"(?P<series>.+\.[0-9a-f]{8})\.(?P<time>\d{8}T\d{6}\.\d{6}Z)\.[0-9a-f]{8}\.(?P<purpose>[a-z-]+)",
    re.DOTALL,
)
_TIME = "%Y%m%dT%H%M%S.%fZ"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# SQLite's lock bytes: PENDING, RESERVED, and the range that readers share. Whoever has a database
# with a write-ahead log open shares the range all the time.
_LOCK_BYTES = (0x40000000, 512)
_SHARED_MEMORY_LOCK_BYTES = (120, 9)  # in the file -shm
_DESCRIPTORS = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"


class InUse(Refused):
    """Somebody has the database open."""


def located(path: os.PathLike[str] | str) -> Path:
    """The database that is meant: that of a directory, or the file itself. It need not exist."""
    given = Path(path).absolute()
    return given / FILE if given.is_dir() else given


def present(path: os.PathLike[str] | str) -> Path:
    """``located``, of a file that is there; raises ``Refused``."""
    file = located(path)
    if not os.path.lexists(file):
        raise Refused(f"{file} does not exist: name a database, or a directory with {FILE}")
    if not file.is_file():
        raise Refused(f"{file} is no file: name a database, or a directory with {FILE}")
    return file


def copy_name(file: Path, purpose: str, *, folder: Path | None = None) -> str:
    """A name that no other copy of the file has: its series, the time in UTC, chance, the purpose.

    It sorts behind all copies of this purpose in ``folder``, whatever the clock says.
    """
    now_us = SystemClock().now_us()
    for one in copies(file, folder, purpose)[-1:] if folder else ():
        now_us = max(now_us, _time_us(one.name) + 1)
    made = _EPOCH + timedelta(microseconds=now_us)
    return f"{series(file)}.{made:{_TIME}}.{secrets.token_hex(4)}.{purpose}"


def series(file: Path) -> str:
    """How the names of all copies of this file begin: its name, and a digest of where it lies.

    So stores of one folder of backups, all of whose files have one name, are told apart.
    """
    place = hashlib.sha256(os.fsencode(file.resolve())).hexdigest()
    return f"{file.name}.{place[:8]}"


def copies(file: Path, folder: Path, purpose: str) -> list[Path]:
    """The copies of this file in a folder, oldest first by the time in their names."""
    own = series(file)
    return [one for one in all_copies(folder, purpose) if series_of(one) == own]


def all_copies(folder: Path, purpose: str) -> list[Path]:
    """The copies of any file in a folder, oldest first by the time in their names."""
    found = [one for one in folder.iterdir() if purpose_of(one) == purpose and _is_plain(one)]
    return sorted(found, key=lambda one: (_time_us(one.name), one.name))


def series_of(copy: Path) -> str | None:
    """The series to which a copy belongs by its name; None for any other file."""
    said = _said_by(copy.name)
    return said.series if said else None


def purpose_of(copy: Path) -> str | None:
    """What a copy is for by its name; None for any other file."""
    said = _said_by(copy.name)
    return said.purpose if said else None


def _is_plain(one: Path) -> bool:
    return one.is_file() and not one.is_symlink()


class _Said(NamedTuple):
    series: str
    time_us: int
    purpose: str


def _said_by(name: str) -> _Said | None:
    """What the name of a copy says; None for any other, one of an impossible day included."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        made = datetime.strptime(match["time"], _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
    time_us = (made - _EPOCH) // timedelta(microseconds=1)
    return _Said(match["series"], time_us, match["purpose"])


def _time_us(name: str) -> int:
    said = _said_by(name)
    if said is None:
        raise ValueError(f"{name!r} is no name of a copy")
    return said.time_us


def with_logs(file: Path) -> list[Path]:
    """The database and what lies beside it, as far as it is there."""
    named = [file, *(file.with_name(file.name + log) for log in LOGS)]
    return [one for one in named if os.path.lexists(one)]


def open_alone(file: Path) -> sqlite3.Connection:
    """A connection in autocommit mode while which is open nobody else can use the database.

    Raises ``InUse`` when somebody has it open, ``Refused`` when SQLite cannot read it.
    """
    connection = None
    try:
        connection = sqlite3.connect(
            uri(file, "mode=rw"), uri=True, isolation_level=None, timeout=0
        )
        connection.execute("PRAGMA locking_mode = EXCLUSIVE").close()  # before the log is opened
        connection.execute("PRAGMA synchronous = FULL").close()
        connection.execute("PRAGMA fullfsync = 1").close()
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("COMMIT")  # the lock stays
    except BaseException as error:
        if connection is not None:
            connection.close()
        if is_busy(error):
            raise _in_use(file) from error
        if isinstance(error, sqlite3.Error):
            raise as_store_error(error, path=file, writes=False) from error
        raise
    return connection


@contextmanager
def held_alone(file: Path) -> Iterator[None]:
    """Nobody else has the database open, and within nobody can use it: also no SQLite of ours.

    For moving and copying files byte by byte, also damaged ones. The lock stays with the file when
    it is moved. Raises ``InUse`` when somebody has it open, in this process or another.
    """
    if fcntl is None:
        with closing(open_alone(file)):
            pass
        yield
        return
    with _locked(file, _LOCK_BYTES, file):
        yield


@contextmanager
def held_without_file(file: Path) -> Iterator[None]:
    """The same for a database that was removed, while somebody may have it open nevertheless."""
    shared = file.with_name(f"{file.name}-shm")
    if fcntl is None or not shared.exists():
        yield
        return
    with _locked(shared, _SHARED_MEMORY_LOCK_BYTES, file):
        yield


@contextmanager
def _locked(path: Path, lock_bytes: tuple[int, int], file: Path) -> Iterator[None]:
    """Lock bytes for one descriptor, against all others of this process, too."""
    if open_here(path):  # to close it another time would take the locks of the first
        raise _in_use(file)
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError as error:
        raise Refused(f"{path} cannot be opened: {error.strerror}") from error
    try:
        try:
            _lock(handle, *lock_bytes)
        except (BlockingIOError, PermissionError) as error:
            raise _in_use(file) from error
        yield
    finally:
        os.close(handle)


def _lock(handle: int, start: int, length: int) -> None:
    """Lock these bytes against all others; elsewhere than on Linux, against other processes."""
    if sys.platform == "linux":
        request = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
        fcntl.fcntl(handle, fcntl.F_OFD_SETLK, request)
    else:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB, length, start)


def open_here(file: Path) -> bool:
    """Whether this process has the file open already."""
    wanted = file.stat()
    for name in os.listdir(_DESCRIPTORS):  # noqa: PTH208 - numbers are wanted, not paths
        with suppress(OSError):  # the one that lists them is closed by now
            if os.path.samestat(os.stat(int(name)), wanted):  # noqa: PTH116 - by its number
                return True
    return False


def _in_use(file: Path) -> InUse:
    return InUse(f"{file} is in use: close every store, process and tool that has it open first")
