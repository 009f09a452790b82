"""The reference store on PostgreSQL: the same contract, in one schema of a database.

The stores need psycopg, an extra, so they are imported when they are asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sessionproof.reference.postgres.aio import AsyncPostgresStore, async_store_at
    from sessionproof.reference.postgres.store import PostgresStore

__all__ = ["AsyncPostgresStore", "PostgresStore", "async_store_at"]

_HOMES = {"AsyncPostgresStore": "aio", "PostgresStore": "store", "async_store_at": "aio"}


def __getattr__(name: str) -> Any:
    """A store or a factory, from the module that it is in."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
