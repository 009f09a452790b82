"""What lies behind a store, as bytes and as values: files of its location, tables of its server."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sessionproof.audit.values import is_database, values_of
from sessionproof.contract.addresses import is_on_server, schema_of, schemas_of_run, split
from sessionproof.contract.location import Location
from sessionproof.trials.single import CouldNotTell

if TYPE_CHECKING:
    from psycopg import Connection

_WORD = re.compile(rb"[A-Za-z0-9+/=_$.,-]{8,}")
_CONNECT_S = 10


def servers_of(store: str, location: Location) -> list[str]:
    """The addresses of the servers on which a store of this name keeps its data; none for files."""
    rest = store.partition(":")[2]
    for name in (location.url or "", store, rest, os.environ.get(rest, "")):
        if is_on_server(name):
            return split(name)
    return []


def stored_bytes(location: Location, servers: list[str]) -> dict[str, bytes]:
    """All that is stored, by file or table; raises CouldNotTell without the server's driver."""
    found = {}
    for path in _files(location):
        with suppress(OSError):  # it went while we looked
            found[str(path.relative_to(location.root))] = path.read_bytes()
    for name, rows in _tables(location, servers):
        found[name] = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode(
            "utf-8", "surrogatepass"
        )
    return found


def stored_values(location: Location, servers: list[str]) -> Counter[str]:
    """All that is stored as values of columns, or as words of other files, with how often.

    Raises CouldNotTell without the server's driver.
    """
    found: Counter[str] = Counter()
    for path in _files(location):
        with suppress(OSError):  # it went while we looked
            found += _values_in(path)
    for _, rows in _tables(location, servers):
        for row in rows:
            found.update(map(str, _leaves(row)))
    return found


def _values_in(path: Path) -> Counter[str]:
    """The values of a database; the words of another file, or of one that the store locks."""
    if path.name.endswith(("-wal", "-shm", "-journal")):
        return Counter()  # they repeat their file
    if is_database(path):
        with suppress(sqlite3.Error):
            return values_of(path)
    return Counter(word.decode() for word in _WORD.findall(path.read_bytes()))


def _files(location: Location) -> list[Path]:
    return [path for path in sorted(location.root.rglob("*")) if path.is_file()]


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for one in value.values():
            yield from _leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(one)
    else:
        yield value


def _tables(location: Location, servers: list[str]) -> Iterator[tuple[str, list[Any]]]:
    """The rows of the location's schema, and of what the store keeps in public, as JSON."""
    for server in servers:
        try:
            import psycopg
        except ImportError:
            raise CouldNotTell("looking into tables of a server needs psycopg") from None
        try:
            with psycopg.connect(server, connect_timeout=_CONNECT_S) as connection:
                yield from _tables_at(connection, schema_of(location))
        except psycopg.Error as error:
            said = " ".join(str(error).split())
            raise CouldNotTell(f"the tables of the store's server cannot be read: {said}") from None


def _tables_at(connection: Connection[Any], schema: str) -> Iterator[tuple[str, list[Any]]]:
    from psycopg import sql

    named = connection.execute(
        "SELECT table_schema, table_name FROM information_schema.tables "
        "WHERE table_type = 'BASE TABLE' AND (table_schema = 'public' OR table_schema = %s "
        "OR starts_with(table_schema, %s)) ORDER BY 1, 2",
        [schema, f"{schema}_"],
    ).fetchall()
    if not any(space == schema for space, _ in named):
        raise CouldNotTell(
            f"no table lies in the schema {schema!r} of the store's server: it names its schemas "
            f"otherwise than {schemas_of_run()}…"
        )
    for space, name in named:
        rows = connection.execute(
            sql.SQL("SELECT to_jsonb(t) FROM {} AS t").format(sql.Identifier(space, name))
        ).fetchall()
        yield f"{space}.{name}", [row for (row,) in rows]
