"""One private server for all tests of a session, and a store in a schema of its own on it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sessionproof.contract.clock import VirtualClock
from sessionproof.faults.servers.binaries import find_binaries, missing

psycopg = pytest.importorskip("psycopg", reason="the extra postgres is not installed")

from sessionproof.faults.servers.postgres import PrivateServer  # noqa: E402
from sessionproof.reference.postgres.store import PostgresStore  # noqa: E402


@pytest.fixture(scope="session")
def server() -> Iterator[PrivateServer]:
    """A server that nobody kills; tests that do start one of their own."""
    if find_binaries() is None:
        pytest.skip(missing())
    careless = {"fsync": "off", "full_page_writes": "off"}
    with PrivateServer.start(settings=careless) as started:
        yield started


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def opened(server: PrivateServer, clock: VirtualClock) -> Iterator[Callable[..., PostgresStore]]:
    """Opens handles on one new schema, with the test's clock; they are closed at its end."""
    schema, handles = f"test_{secrets.token_hex(6)}", list[PostgresStore]()

    def open_one(**options: Any) -> PostgresStore:
        given = {"durability": "process", "clock": clock, "preset": "cli"} | options
        handles.append(PostgresStore(url=server.url, schema=schema, **given))
        return handles[-1]

    yield open_one
    for one in handles:
        one.close()
    with psycopg.connect(server.url, autocommit=True) as db:
        db.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


@pytest.fixture
def store(opened: Callable[..., PostgresStore]) -> PostgresStore:
    return opened()


@pytest.fixture
def foreign(server: PrivateServer, store: PostgresStore) -> Iterator[Any]:
    """Another program's connection to the store's schema: no knowledge of this package."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"SET search_path = {store.schema}")
        yield connection
