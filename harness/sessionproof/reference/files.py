"""Database files from outside: where they lie, what copies are called, and having one alone.

A process that closes any descriptor of a file loses all its POSIX locks on it, those of SQLite
included. So nothing here opens a database that this process may have open in another way.
"""

from __future__ import annotations

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

from sessionproof.contract.clock import Clock, SystemClock
from sessionproof.contract.errors import Refused
from sessionproof.reference.failures import as_store_error, is_busy
from sessionproof.reference.opening import FILE, uri

if sys.platform == "linux":
    import fcntl

PRIVATE = 0o600
"""The mode of every file that holds what people said."""

BACKUP = "backup"
"""The last part of a backup's name."""

LOGS = ("-wal", "-shm", "-journal")
"""What SQLite puts beside a database while it is used; the name goes on with one of these."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# SQLite's lock bytes: PENDING, RESERVED, and the range that readers share. Whoever has a database
# with a write-ahead log open shares the range all the time.
_LOCK_BYTES = (0x40000000, 512)


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


def copy_name(file: Path, purpose: str, *, clock: Clock | None = None) -> str:
    """A name that no other copy of the file has: its own, the time in UTC, chance, the purpose."""
    made = _EPOCH + timedelta(microseconds=(clock or SystemClock()).now_us())
    return f"{file.name}.{made:%Y%m%dT%H%M%S.%fZ}.{secrets.token_hex(4)}.{purpose}"


def copies(file: Path, folder: Path, purpose: str) -> list[Path]:
    """The copies of a file of this name in a folder, oldest first by the time in their names."""
    own = re.compile(
        re.escape(file.name) + r"\.\d{8}T\d{6}\.\d{6}Z\.[0-9a-f]{8}\." + re.escape(purpose)
    )
    return sorted(
        one for one in folder.iterdir() if own.fullmatch(one.name) and not one.is_symlink()
    )


def new_file(path: Path) -> None:
    """Make an empty, private file; raises ``FileExistsError`` when there is one."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, PRIVATE))


def sync(path: Path) -> None:
    """See that a file, or the names in a folder, survive a power loss.

    Only for files that this process has not open in another way.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def with_logs(file: Path) -> list[Path]:
    """The database and what lies beside it, as far as it is there."""
    named = [file, *(file.with_name(file.name + log) for log in LOGS)]
    return [one for one in named if os.path.lexists(one)]


def open_alone(file: Path) -> sqlite3.Connection:
    """A connection in autocommit mode while which is open nobody else can use the database.

    Raises ``Refused`` when somebody has it open, or when SQLite cannot read it.
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
    it is moved. Raises ``Refused`` when somebody has it open, in this process or another.
    """
    if sys.platform != "linux":
        with closing(open_alone(file)):  # without such locks it can only be looked at
            pass
        yield
        return
    if _open_here(file):
        raise _in_use(file)
    handle = os.open(file, os.O_RDWR)
    try:
        _lock(handle, file)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, file: Path) -> None:
    """Lock SQLite's bytes for this descriptor, against all others of this process, too."""
    request = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, *_LOCK_BYTES, 0)
    try:
        fcntl.fcntl(handle, fcntl.F_OFD_SETLK, request)
    except (BlockingIOError, PermissionError) as error:
        raise _in_use(file) from error


def _open_here(file: Path) -> bool:
    """Whether this process has the file open already."""
    wanted = file.stat()
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - numbers are wanted, not paths
        with suppress(OSError):  # the one that lists them is closed by now
            if os.path.samestat(os.stat(int(name)), wanted):  # noqa: PTH116 - by its number
                return True
    return False


def _in_use(file: Path) -> Refused:
    return Refused(f"{file} is in use: close every store, process and tool that has it open first")
