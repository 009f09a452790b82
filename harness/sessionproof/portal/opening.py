"""Making and recognising a database, so that nothing foreign or damaged is ever touched."""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine

from sessionproof.contract.errors import Refused
from sessionproof.portal.engine import Address, PoolSize, engine_of
from sessionproof.portal.failures import one_line
from sessionproof.portal.migrations.running import upgrade

APPLICATION_ID = 0x53505054  # "SPPT"
OLDEST_SQLITE = (3, 37, 0)  # of strict tables
_PRIVATE = 0o600
_ONE = PoolSize(size=1, overflow=0)


def prepare(engine: Engine, address: Address) -> None:
    """Make the tables where there are none, upgrade older ones. Raises ``Refused`` in one line.

    A database that is not ours stays as it is.
    """
    if address.path is not None:
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            version = sqlite3.sqlite_version
            raise Refused(f"SQLite {version} is too old: a portal needs 3.37 or later")
        try:
            _make_when_absent(address.path)
            _recognise(address.path)
        except OSError as error:
            why = error.strerror or error
            raise Refused(f"{address.where} cannot be opened: {why}") from error
    _upgrade(engine, address)


def _upgrade(engine: Engine, address: Address) -> None:
    try:
        upgrade(engine, schema=address.schema)
    except Refused as error:
        raise Refused(f"{address.where}: {error}") from None


def _make_when_absent(path: Path) -> None:
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
        os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_RDWR, _PRIVATE))
        with closing(sqlite3.connect(fresh, isolation_level=None)) as new:
            new.execute("PRAGMA page_size = 4096")
            new.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        making = Address(str(path), path=fresh)
        engine = engine_of(making, _ONE)
        try:
            _upgrade(engine, making)
        finally:
            engine.dispose()  # the last connection empties the log
        _sync(fresh)
        try:
            os.link(fresh, path)
        except FileExistsError:
            return  # another process or thread was faster, and its file is whole
    finally:
        for name in (str(fresh), f"{fresh}-wal", f"{fresh}-shm"):
            Path(name).unlink(missing_ok=True)
    _sync(path.parent)


def _recognise(path: Path) -> None:
    """See that the file is one of ours, by its header, without touching file or log."""
    if not path.is_file():
        raise Refused(f"{path} is no file: move it away, or choose another directory")
    if path.stat().st_size == 0:
        raise Refused(f"{path} is empty, which no database of ours is: restore it from a backup")
    try:
        uri = f"{path.as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as header:
            (application,) = header.execute("PRAGMA application_id").fetchone()
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CORRUPT:
            return  # a checkpoint may be under way: a proper connection will tell
        raise Refused(f"{path} cannot be opened: {one_line(error)}") from error
    if application != APPLICATION_ID:
        raise Refused(f"{path} is a database of another application; it was left as it is")


def _sync(path: Path) -> None:
    """See that a file, or the names in a folder, survive a power loss."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
