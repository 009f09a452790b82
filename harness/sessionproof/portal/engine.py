"""Engines: from an address such as ``DATABASE_URL`` to connections that are all set up alike.

SQLite's own transactions are begun here, as a driver that begins them late lets two writers meet
in the middle. Nothing that an engine says shows a password or a value.
"""

from __future__ import annotations

import json
import os
import secrets
import select
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from sessionproof.contract.addresses import FORM, addresses
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.errors import Refused
from sessionproof.contract.lookup import MissingExtra, StoreNotFound

VARIABLE = "DATABASE_URL"

WAIT_S = 10.0
"""How long a statement waits for a lock that another connection holds."""

CONNECT_S = 8

BEGIN = "portal_begin"
"""The option of a connection that says how its transactions begin."""

_TAKING_LOCK = "BEGIN IMMEDIATE"
_FIRST_PAUSE_US = 20
_LONGEST_PAUSE_US = 500

# One for all engines: the driver keeps classes for each that it is given.
_as_json = partial(json.dumps, ensure_ascii=False, allow_nan=False)
_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgresql+psycopg://", "postgres://")
_FORMS = "sqlite:///PATH or postgresql://USER@HOST:PORT/DATABASE"

# Without statistics, as in a new schema, the planner would rather read a whole table and sort it,
# and keep that plan when it has grown.
_SETTINGS = (
    "SET search_path = {schema}; SET lock_timeout = {wait_ms}; SET synchronous_commit = on; "
    "SET default_transaction_isolation = 'read committed'; SET client_encoding = 'UTF8'; "
    "SET client_min_messages = warning; SET idle_in_transaction_session_timeout = 60000; "
    "SET enable_seqscan = off; SET enable_sort = off; SET jit = off"
)


@dataclass(frozen=True, slots=True)
class PoolSize:
    """How many connections are kept, how many more there may be, and for how long each lives.

    ``wait_s`` is how long a call waits for one of them before it is refused.
    """

    size: int = 10
    overflow: int = 20
    recycle_s: int = 3600
    wait_s: float = 8.0

    @property
    def most(self) -> int:
        """How many there can be at once."""
        return self.size + self.overflow


@dataclass(frozen=True, slots=True)
class Address:
    """Where a portal's data lies: a file of SQLite, or a schema of a PostgreSQL server.

    ``where`` names it for errors: the file, or the server's address without its password.
    """

    where: str
    path: Path | None = None
    password: str | None = field(default=None, repr=False)
    schema: str = "portal"


def address_of(url: str | None = None, schema: str | None = None) -> Address:
    """What the text names; None: what ``DATABASE_URL`` holds. Raises ``Refused`` in one line."""
    if url is None:
        url = os.environ.get(VARIABLE)
    if not url:
        raise Refused(f"no database is named: give a URL, or set {VARIABLE} to {_FORMS}")
    if url.startswith("sqlite:"):
        return _file(url, schema)
    found = next((form for form in _POSTGRES if url.startswith(form)), None)
    if found is None:
        raise Refused(f"a portal's database is {_FORMS}; what was given begins with neither")
    try:
        servers = addresses(f"postgresql://{url.removeprefix(found)}")
    except StoreNotFound as error:
        raise Refused(str(error)) from None
    if len(servers) > 1:
        raise Refused("a portal has one server: name one address")
    name = "portal" if schema is None else schema
    if not name or "\0" in name or len(name.encode("utf-8", "replace")) > 63:
        raise Refused("the name of a schema has 1 to 63 bytes")
    return Address(servers[0].url, password=servers[0].password, schema=name)


def engine_of(address: Address, pool: PoolSize | None = None) -> Engine:
    """An engine whose every connection is set up and verified; it connects when it is used."""
    pool = pool or PoolSize()
    if address.path is not None:
        engine = _engine("sqlite://", partial(connect_file, address.path), pool)
        event.listen(engine, "begin", _begin)
        return engine
    _require_driver(address)
    engine = _engine("postgresql+psycopg://", partial(_connect_server, address), pool)
    event.listen(engine, "checkout", _require_alive)
    return engine


def connect_file(path: Path) -> sqlite3.Connection:
    """A connection with all settings made, then read back; raises ``Refused`` if one is not."""
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw", uri=True, isolation_level=None, check_same_thread=False,
        timeout=WAIT_S,
    )  # fmt: skip
    settings = {
        "busy_timeout": int(WAIT_S * 1000),
        "foreign_keys": 1,
        "synchronous": 2,  # what is committed outlives a loss of power
        "temp_store": 2,  # in memory: nothing is written beside the file
        "cache_size": -2_000,  # KiB; a pool may have thirty connections
        "mmap_size": 0,
    }
    try:
        for name, value in settings.items():
            connection.execute(f"PRAGMA {name} = {value}")
        seen = {name: _setting(connection, name) for name in settings}
        mode = _setting(connection, "journal_mode")
        if mode != "wal":
            mode = _setting(connection, "journal_mode = WAL")
        if seen != settings or mode != "wal":
            raise Refused(f"{path}: SQLite did not take the settings ({seen}, {mode})")
    except BaseException:
        connection.close()
        raise
    return connection


def _file(url: str, schema: str | None) -> Address:
    written = url.removeprefix(_SQLITE) if url.startswith(_SQLITE) else ""
    if not written or written.startswith((":memory:", "file:")) or "?" in written:
        raise Refused("a portal on SQLite is a file: write sqlite:///PATH, and ? % as %3F %25")
    rest = unquote(written)
    if schema is not None:
        raise Refused("a file of SQLite has no schemas: name one for PostgreSQL alone")
    if "\0" in rest:
        raise Refused("the name of a file cannot hold U+0000")
    path = Path(rest).absolute()
    return Address(str(path), path=path)


def _engine(url: str, creator: Callable[[], Any], pool: PoolSize) -> Engine:
    return create_engine(
        url,
        creator=creator,
        poolclass=QueuePool,
        pool_size=pool.size,
        max_overflow=pool.overflow,
        pool_recycle=pool.recycle_s,
        pool_timeout=pool.wait_s,
        pool_use_lifo=True,
        hide_parameters=True,
        json_serializer=_as_json,
    )


def _setting(connection: sqlite3.Connection, name: str) -> Any:
    row = connection.execute(f"PRAGMA {name}").fetchone()
    return row[0] if row else 0  # a SQLite without maps of files has no such setting


def _begin(connection: Connection) -> None:
    """Take SQLite's write lock at once, unless the transaction only reads."""
    how = connection.get_execution_options().get(BEGIN, _TAKING_LOCK)
    cursor = connection.connection.cursor()  # nothing that SQLAlchemy has to know of
    if how == _TAKING_LOCK:
        _take_lock(cursor)
    else:
        cursor.execute(how)


def _take_lock(cursor: DBAPICursor) -> None:
    """Begin as soon as nobody writes, after short random pauses; the last error after ``WAIT_S``.

    SQLite's own waiting sleeps for up to 100 ms at a time, and others pass meanwhile.
    """
    longest_us, ends_s = _FIRST_PAUSE_US, monotonic_s() + WAIT_S
    cursor.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                cursor.execute(_TAKING_LOCK)
            except sqlite3.OperationalError as error:
                busy = (error.sqlite_errorcode & 0xFF) == sqlite3.SQLITE_BUSY
                if not busy or monotonic_s() >= ends_s:
                    raise
            else:
                return
            time.sleep(secrets.randbelow(longest_us) / 1e6)
            longest_us = min(2 * longest_us, _LONGEST_PAUSE_US)
    finally:
        cursor.execute(f"PRAGMA busy_timeout = {int(WAIT_S * 1000)}")


def _require_driver(address: Address) -> None:
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise MissingExtra(address.where, "postgres", "psycopg") from None


def _connect_server(address: Address) -> Any:
    import psycopg
    from psycopg import sql

    try:  # the password by itself: what libpq says of an address may show parts of it
        connection = psycopg.connect(
            address.where, password=address.password, autocommit=True, connect_timeout=CONNECT_S
        )
    except psycopg.ProgrammingError as error:
        said = " ".join(str(error).split())
        raise Refused(f"{address.where} is no address of a server: {said}: {FORM}") from None
    try:
        connection.execute(
            sql.SQL(_SETTINGS).format(
                schema=sql.Identifier(address.schema), wait_ms=int(WAIT_S * 1000)
            )
        )
        connection.autocommit = False
    except BaseException:
        connection.close()
        raise
    return connection


def _require_alive(connection: Any, _record: ConnectionPoolEntry, _proxy: object) -> None:
    """Not a connection that the server has ended: it has said so while nobody asked anything."""
    if not connection.closed:
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        if not poll.poll(0):
            return
    raise DisconnectionError("the server has ended the connection")
