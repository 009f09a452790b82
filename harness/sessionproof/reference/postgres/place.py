"""One schema of a database, named from outside, where all is done to it as a whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from sessionproof.contract.addresses import addresses
from sessionproof.contract.errors import Refused
from sessionproof.reference.postgres import steps
from sessionproof.reference.postgres.failures import (
    LostBeforeCommitError,
    as_store_error,
    one_line,
)
from sessionproof.reference.postgres.pool import Connection, connect

Rows = dict[str, int]
"""How many rows each table has, by its name."""

# What is asked here reads whole tables, and its transactions wait for programs.
_SET_UP = (
    "SET idle_in_transaction_session_timeout = 0; RESET enable_seqscan; RESET enable_sort; "
    "RESET enable_hashjoin; RESET enable_mergejoin"
)
_TABLES = (
    "SELECT c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
    "WHERE n.nspname = %s AND c.relkind = 'r' ORDER BY c.relname"
)
_OURS = (
    "SELECT nspname FROM pg_namespace WHERE starts_with(obj_description(oid, 'pg_namespace'), %s) "
    "ORDER BY nspname"
)


@dataclass(frozen=True, slots=True)
class Place:
    """A schema of the database at an address."""

    url: str
    schema: str

    def __str__(self) -> str:
        (address,) = addresses(self.url)
        return f"{address.url} (schema {self.schema})"

    def __repr__(self) -> str:
        return f"Place({str(self)!r})"

    @property
    def address(self) -> str:
        """The address as it may stand on a command line: without its password."""
        (address,) = addresses(self.url)
        return address.url

    @property
    def environment(self) -> dict[str, str]:
        """What hands the password to a program."""
        (address,) = addresses(self.url)
        return {} if address.password is None else {"PGPASSWORD": address.password}

    @contextmanager
    def connected(self, *, writes: bool) -> Iterator[Connection]:
        """A connection of its own that may be idle within a transaction; the contract's errors."""
        try:
            db = connect(self.url, self.schema, synchronous=True)
        except psycopg.Error as error:
            raise as_store_error(error, where=str(self), writes=False) from error
        try:
            with db:
                db.execute(_SET_UP)
                yield db
        except (psycopg.Error, LostBeforeCommitError) as error:
            raise as_store_error(error, where=str(self), writes=writes) from error

    def series(self, db: Connection) -> Path:
        """A path that no file has, after which copies of this schema are named."""
        info = db.info
        server = f"{info.host}:{info.port}".replace(os.sep, "_")
        return Path("/postgresql") / server / (info.dbname or "-") / self.schema

    def require(self, db: Connection) -> int:
        """The number of its steps; raises ``Refused`` where it is not there, or not ours."""
        version = steps.version_of(db, self.schema)
        if not version:
            raise Refused(f"{self} does not exist: name a schema that a store has made")
        if version > len(steps.shipped()):
            raise Refused(
                f"{self} has {version} steps, this release knows {len(steps.shipped())}: "
                "use a newer one"
            )
        return version


def tables(db: Connection, schema: str) -> list[str]:
    """The names of the schema's tables."""
    return [name for (name,) in db.execute(_TABLES, (schema,)).fetchall()]


def row_counts(db: Connection, schema: str) -> Rows:
    """How many rows each table has, as this statement or transaction sees them."""
    count = sql.SQL("SELECT count(*) FROM {}")
    return {
        name: int((db.execute(count.format(sql.Identifier(schema, name))).fetchone() or (0,))[0])
        for name in tables(db, schema)
    }


def only_place(url: str) -> Place:
    """The one schema of ours in a database; raises ``Refused`` where there is none, or more."""
    where = addresses(url)[0].url
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=8) as db:
            names = [name for (name,) in db.execute(_OURS, (steps.MARK,)).fetchall()]
    except psycopg.Error as error:
        raise Refused(f"{where} cannot be used: {one_line(error)}") from error
    if len(names) == 1:
        return Place(url, names[0])
    if not names:
        raise Refused(f"{where} has no schema of the reference store")
    some = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    raise Refused(f"{where} has several schemas of the reference store: name one of {some}")
