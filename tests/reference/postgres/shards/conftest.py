"""Databases of one private server that stand for servers of their own, and stores on them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from sessionproof.contract.clock import VirtualClock
from sessionproof.faults.servers.postgres import PrivateServer
from sessionproof.reference.postgres.sharded import ShardedStore

_DATABASES = 5


@pytest.fixture(scope="session")
def databases(server: PrivateServer) -> list[str]:
    """Addresses of databases: to one another they are as foreign as servers."""
    names = [f"shard{number}" for number in range(1, _DATABASES + 1)]
    with psycopg.connect(server.url, autocommit=True) as db:
        for name in names:
            db.execute(f"CREATE DATABASE {name}")
    return [server.url.replace("/postgres?", f"/{name}?") for name in names]


@pytest.fixture
def schema(databases: list[str]) -> Iterator[str]:
    """The name of a schema that is new on all of them, and gone after the test."""
    name = f"test_{secrets.token_hex(6)}"
    yield name
    for url in databases:
        with psycopg.connect(url, autocommit=True) as db:
            db.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")


@pytest.fixture
def spread(
    databases: list[str], schema: str, clock: VirtualClock
) -> Iterator[Callable[..., ShardedStore]]:
    """Opens handles of one store, on the first three servers unless others are named."""
    handles = list[ShardedStore]()

    def open_one(urls: list[str] | None = None, **options: Any) -> ShardedStore:
        given = {"durability": "process", "clock": clock, "preset": "cli"} | options
        handles.append(ShardedStore(urls=urls or databases[:3], schema=schema, **given))
        return handles[-1]

    yield open_one
    for one in handles:
        one.close()
