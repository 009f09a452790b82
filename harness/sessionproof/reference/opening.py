"""Making and recognising the database file, so that nothing foreign or damaged is ever touched."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sessionproof.contract.errors import Refused
from sessionproof.reference import steps as schema
from sessionproof.reference.failures import ERRORS, as_store_error, primary_code

FILE = "sessions.db"
OLDEST_SQLITE = (3, 37, 0)
PRIVATE = 0o600
"""The mode of every file that holds what people said."""


def prepare(
    directory: Path, steps: schema.Steps, retry: Callable[[Callable[[], None]], None]
) -> Path:
    """The path of the database in ``directory``: made when absent, upgraded when older.

    ``retry`` calls a function again while the database is locked. Raises ``Refused`` in one line;
    a file that is not ours stays as it is.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise Refused(
            f"SQLite {sqlite3.sqlite_version} is too old: the reference store needs 3.37 or later"
        )
    path = directory / FILE
    try:
        _create_when_absent(path, steps)
        if _recognised(path, len(steps)) < len(steps):
            retry(lambda: _upgrade(path, steps))
    except ERRORS as error:
        raise as_store_error(error, path=path, writes=False) from error
    except OSError as error:
        raise Refused(f"{path} cannot be opened: {error.strerror or error}") from error
    return path


def uri(path: Path, mode: str) -> str:
    """The path as a URI for SQLite, which never makes a file of this name."""
    return f"{path.as_uri()}?{mode}"


def check(connection: sqlite3.Connection, path: Path, steps: schema.Steps) -> None:
    """See that the database is at the last step and has all that the steps make."""
    _check_version(schema.version_of(connection), len(steps), path)
    wrong = schema.differences(connection, steps)
    if wrong:
        raise Refused(
            f"{path}: the schema is not the one of this version ({'; '.join(wrong[:3])}); "
            "restore the file from a backup"
        )


def _create_when_absent(path: Path, steps: schema.Steps) -> None:
    """Make the file under another name and link it into place: nobody ever sees a part of it."""
    if not path.parent.is_dir():
        raise Refused(f"{path.parent} is no directory: make it first")
    # The log is looked for before the file: whoever makes a log has the file in place already.
    left = [name for name in (f"{path}-wal", f"{path}-journal") if Path(name).exists()]
    if os.path.lexists(path):
        return
    if left:
        raise Refused(
            f"{path} is missing, but its log {left[0]} is there: put the database back, "
            "or move the log away"
        )
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}.new")
    try:
        new_file(fresh)
        with closing(sqlite3.connect(uri(fresh, "mode=rw"), uri=True, isolation_level=None)) as new:
            new.execute("PRAGMA synchronous = OFF")  # synced below, before anyone can see it
            new.execute("PRAGMA journal_mode = MEMORY")
            new.execute("PRAGMA page_size = 4096")
            new.execute("PRAGMA auto_vacuum = INCREMENTAL")
            schema.upgrade(new, steps)
            new.execute("PRAGMA journal_mode = WAL")
        sync(fresh)
        try:
            os.link(fresh, path)
        except FileExistsError:
            return  # another process or thread was faster, and its file is whole
    finally:
        fresh.unlink(missing_ok=True)
    sync(path.parent)


def _recognised(path: Path, known: int) -> int:
    """The version in the file's header, mostly read without touching file or log."""
    if not path.is_file():
        raise Refused(f"{path} is no file: move it away, or choose another directory")
    if path.stat().st_size == 0:
        raise Refused(f"{path} is empty, which no database of ours is: restore it from a backup")
    try:
        application, version = _header(path, "mode=ro&immutable=1")
    except sqlite3.Error as error:
        if primary_code(error) != sqlite3.SQLITE_CORRUPT:
            raise
        # A checkpoint may be under way, or cut short: a proper connection sees the log, too.
        application, version = _header(path, "mode=rw")
    if application != schema.APPLICATION_ID:
        raise Refused(f"{path} is a database of another application; it was left as it is")
    _check_version(version, known, path)
    return version


def _header(path: Path, mode: str) -> tuple[int, int]:
    """Whose database it is, and its version."""
    with closing(sqlite3.connect(uri(path, mode), uri=True)) as header:
        application = header.execute("PRAGMA application_id").fetchone()[0]
        return application, schema.version_of(header)


def _check_version(version: int, known: int, path: Path) -> None:
    if version > known:
        raise Refused(
            f"{path} has schema version {version}, this release knows {known}: upgrade sessionproof"
        )
    if version < 1:
        raise Refused(f"{path} has no schema version: restore it from a backup")


def _upgrade(path: Path, steps: schema.Steps) -> None:
    with closing(sqlite3.connect(uri(path, "mode=rw"), uri=True, isolation_level=None)) as old:
        old.execute("PRAGMA synchronous = FULL")
        schema.upgrade(old, steps)


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
