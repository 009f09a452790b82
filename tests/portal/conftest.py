"""A portal on a file, and one in a schema of its own on a private server, for the same tests."""

from __future__ import annotations

import secrets
import shutil
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """On a change files go from one database to the other; from and to the same one at night.

    That all values are the same is seen each time from each to each.
    """
    for item in items:
        ways = getattr(item, "callspec", None) and item.callspec.params
        again = bool(ways) and "another" in ways and ways["another"] == ways["place"]
        if again and not item.name.startswith("test_what_goes_out_comes_back_equal["):
            item.add_marker(pytest.mark.night)


@pytest.fixture(scope="session")
def server() -> Iterator[PrivateServer]:
    """A server that nobody kills; tests that do start one of their own."""
    pytest.importorskip("psycopg", reason="the extra postgres is not installed")
    if find_binaries() is None:
        pytest.skip(missing())
    careless = {"fsync": "off", "full_page_writes": "off"}
    with PrivateServer.start(settings=careless) as started:
        yield started


@pytest.fixture(scope="session")
def ready() -> list[str]:
    """Schemas of the server that have a portal's tables and no rows: made once, used again."""
    return []


@pytest.fixture(scope="session")
def made_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a portal's tables and no rows, to be copied."""
    path = tmp_path_factory.mktemp("made") / "portal.db"
    Portal(f"sqlite:///{path}").close()
    return path


@pytest.fixture(scope="module")
def with_tables() -> bool:
    """Whether a new place has the tables already; modules about their making say no."""
    return True


@pytest.fixture
def new_place(
    request: pytest.FixtureRequest, tmp_path: Path, with_tables: bool, ready: list[str]
) -> Iterator[Callable[[str, str], Place]]:
    """Makes places by kind and name; they are gone, or empty again, after the test."""
    schemas: list[str] = []

    def make(kind: str, name: str) -> Place:
        if kind == "sqlite":
            path = tmp_path / f"{name}.db"
            if with_tables:
                shutil.copy(request.getfixturevalue("made_file"), path)
            return Place(f"sqlite:///{path}", path=path)
        server = request.getfixturevalue("server")
        again = with_tables and ready
        schemas.append(ready.pop() if again else f"test_{secrets.token_hex(6)}")
        return Place(server.url, schemas[-1])

    yield make
    if schemas:
        server = request.getfixturevalue("server")
        ready += [one for one in schemas if _given_back(server, one, keep=with_tables)]


def _given_back(server: PrivateServer, schema: str, *, keep: bool) -> bool:
    """Empty the schema's tables, or drop it; whether it can be used again."""
    import psycopg

    with psycopg.connect(server.url, autocommit=True) as db:
        made = db.execute("SELECT to_regclass(%s)", [f"{schema}.messages"]).fetchone() != (None,)
        if not (keep and made):
            db.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
            return False
        db.execute(f"DELETE FROM {schema}.users")  # all else is somebody's
        return True


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, new_place: Callable[[str, str], Place]) -> Place:
    """A new place on each database."""
    return new_place(request.param, "portal")


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
