"""A portal on a file, and one in a schema of its own on a private server, for the same tests."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="the extra portal is not installed")
pytest.importorskip("alembic", reason="the extra portal is not installed")
argon2 = pytest.importorskip("argon2", reason="the extra portal is not installed")

from sessionproof.contract.clock import VirtualClock  # noqa: E402
from sessionproof.faults.servers.binaries import find_binaries, missing  # noqa: E402
from sessionproof.faults.servers.postgres import PrivateServer  # noqa: E402
from sessionproof.portal import Conversation, Portal, User  # noqa: E402

CHEAP = argon2.PasswordHasher(1, 8, 1)
"""Hashes that cost nothing: what a test waits for is not what it is about."""


@dataclass(frozen=True)
class Place:
    """An empty database: what a portal is opened with, and the way in for another program."""

    url: str
    schema: str | None = None
    path: Path | None = None

    @property
    def options(self) -> dict[str, Any]:
        return {"url": self.url, "schema": self.schema}

    def connect(self) -> Any:
        """A connection of a program that knows nothing of portals, and has foreign keys off."""
        if self.path is not None:
            return sqlite3.connect(self.path, isolation_level=None)
        import psycopg

        connection = psycopg.connect(self.url, autocommit=True)
        connection.execute(f"SET search_path = {self.schema}")
        return connection


@pytest.fixture(scope="session")
def server() -> Iterator[PrivateServer]:
    """A server that nobody kills; tests that do start one of their own."""
    pytest.importorskip("psycopg", reason="the extra postgres is not installed")
    if find_binaries() is None:
        pytest.skip(missing())
    careless = {"fsync": "off", "full_page_writes": "off"}
    with PrivateServer.start(settings=careless) as started:
        yield started


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A new place on each database; it is gone after the test."""
    if request.param == "sqlite":
        path = request.getfixturevalue("tmp_path") / "portal.db"
        yield Place(f"sqlite:///{path}", path=path)
        return
    import psycopg

    server, schema = request.getfixturevalue("server"), f"test_{secrets.token_hex(6)}"
    yield Place(server.url, schema)
    with psycopg.connect(server.url, autocommit=True) as db:
        db.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def opened(place: Place, clock: VirtualClock) -> Iterator[Callable[..., Portal]]:
    """Opens portals at the place, with the test's clock; they are closed at its end."""
    portals: list[Portal] = []

    def open_one(**options: Any) -> Portal:
        portals.append(Portal(**{"clock": clock, "hasher": CHEAP, **place.options, **options}))
        return portals[-1]

    yield open_one
    for one in portals:
        one.close()


@pytest.fixture
def portal(opened: Callable[..., Portal]) -> Portal:
    return opened()


@pytest.fixture
def user(portal: Portal) -> User:
    """A user with the password ``secret``."""
    return portal.users.add("ann@example.org", "secret")


@pytest.fixture
def conversation(portal: Portal, user: User) -> Conversation:
    return portal.conversations.create(user.id)


@pytest.fixture
def foreign(place: Place, portal: Portal) -> Iterator[Any]:
    """Another program's connection to the portal's tables."""
    connection = place.connect()
    yield connection
    connection.close()


@pytest.fixture
def rows(foreign: Any) -> Callable[[str], list[tuple[Any, ...]]]:
    """The rows that a query finds, asked by the other program."""
    return lambda query: [tuple(row) for row in foreign.execute(query).fetchall()]
