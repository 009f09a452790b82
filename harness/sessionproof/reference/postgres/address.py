"""The address of a PostgreSQL server as the name of a store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sessionproof.contract.addresses import FORM, schema_of, shown, split
from sessionproof.contract.claims import Claims
from sessionproof.contract.clock import Clock
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import MissingExtra, StoreNotFound

if TYPE_CHECKING:
    from psycopg import Error

__all__ = ["StoreAt", "schema_named", "schema_of", "settings_of", "shown", "store_at", "unusable"]

_NAME_BYTES = 63


def settings_of(url: str) -> dict[str, Any]:
    """What the address says, by the names that libpq has for it; raises StoreNotFound."""
    try:
        from psycopg import ProgrammingError
        from psycopg.conninfo import conninfo_to_dict
    except ImportError:
        raise MissingExtra(shown(url), "postgres", "psycopg") from None
    try:
        return dict(conninfo_to_dict(url))
    except ProgrammingError:
        pass  # it may show parts of the password
    try:
        conninfo_to_dict(shown(url))
        said = "its password cannot be read"
    except ProgrammingError as error:
        said = " ".join(str(error).split())
    raise StoreNotFound(f"{shown(url)} is no address of a server: {said}: {FORM}")


def unusable(url: str, error: Error) -> str:
    """One line on a server that does not answer, or does not let us in."""
    from psycopg import pq

    given = settings_of(url)
    for one in pq.Conninfo.get_defaults():
        if one.val is not None:
            given.setdefault(one.keyword.decode(), one.val.decode())
    where = f"host {given.get('host') or given.get('hostaddr') or 'of the local socket'}"
    database = given.get("dbname") or given.get("user") or ""
    said = " ".join(str(error).split())
    remedy = (
        "set PGPASSWORD, or write the password into the address"
        if "no password supplied" in said
        else "correct the address, or start the server"
    )
    return (
        f"PostgreSQL at {where}, port {given.get('port', 5432)}, database {database!r} "
        f"cannot be used: {said}: {remedy}"
    )


@dataclass(frozen=True, slots=True)
class StoreAt:
    """Opens the reference on the servers of these addresses: one, or a share of it on each."""

    urls: tuple[str, ...] = field(repr=False)  # they may have passwords
    claims: Claims
    version: str

    def __call__(self, location: Location, *, clock: Clock | None = None) -> Any:
        """A handle on the location's schema."""
        if len(self.urls) > 1:
            return _kind(self.urls)(location, urls=self.urls, clock=clock)
        return _kind(self.urls)(location, url=self.urls[0], clock=clock)

    def for_server(self, url: str) -> StoreAt:
        """The factory of the same store on another server, or on several; raises StoreNotFound."""
        return store_at(url.partition(":")[2])


def schema_named(name: str | None) -> str | None:
    """The name as it was given; raises ValueError for one that PostgreSQL would cut off."""
    size = len((name or "").encode("utf-8", "replace"))
    if size > _NAME_BYTES:
        raise ValueError(
            f"the name of a schema has at most {_NAME_BYTES} bytes, and this one has {size}: "
            "PostgreSQL would cut it, and two names could be one schema"
        )
    return name


def store_at(rest: str) -> StoreAt:
    """The factory for the text behind ``postgresql:``; raises StoreNotFound."""
    urls = tuple(split(f"postgresql:{rest}"))
    _require_different(urls)
    for url in urls:
        settings_of(url)
    kind = _kind(urls)
    return StoreAt(urls, kind.claims, kind.version)


def _kind(urls: Sequence[str]) -> Any:
    """The class of the store on these servers."""
    if len(urls) > 1:
        from sessionproof.reference.postgres.sharded import ShardedStore

        return ShardedStore
    from sessionproof.reference.postgres.store import PostgresStore

    return PostgresStore


def _require_different(urls: Sequence[str]) -> None:
    names = [shown(url) for url in urls]
    for name in names:
        if names.count(name) > 1:
            raise StoreNotFound(f"{name} is named twice: each server holds a share of its own")
