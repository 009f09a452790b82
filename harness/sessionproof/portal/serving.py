"""A portal on a PostgreSQL server as a store under test: ``portal:postgresql://…``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sessionproof
from sessionproof.contract.addresses import is_address, shown, split
from sessionproof.contract.claims import Claims
from sessionproof.contract.clock import Clock
from sessionproof.contract.errors import Refused
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import MissingExtra, StoreNotFound
from sessionproof.contract.message import Message
from sessionproof.portal.engine import address_of
from sessionproof.portal.store import PortalStore
from sessionproof.portal.storing import ON_SERVER, decode, encode


@dataclass(frozen=True, slots=True)
class PortalAt:
    """Opens a portal in a schema of the server: one for each location."""

    url: str = field(repr=False)  # it may have a password
    claims: Claims = ON_SERVER
    version: str = sessionproof.__version__

    def __call__(self, location: Location, *, clock: Clock | None = None) -> PortalStore:
        """A handle on the location's schema."""
        return PortalStore(location, clock=clock, url=self.url, claims=self.claims)

    def for_server(self, url: str) -> PortalAt:
        """The same on another server; raises StoreNotFound."""
        return portal_at(url)

    def encode(self, message: Message) -> Any:
        """The message as the portal has it."""
        return encode(message)

    def decode(self, row: Any) -> Message:
        """The inverse."""
        return decode(row)


def portal_at(url: str) -> PortalAt:
    """The factory for what stands behind ``portal:``; raises StoreNotFound."""
    if not is_address(url):
        raise StoreNotFound("portal: takes an address: portal:postgresql://USER@HOST:PORT/DATABASE")
    shown(url)  # raises for what cannot be taken apart, and says nothing of it
    if len(split(url)) > 1:
        raise StoreNotFound("a portal has one server: name one address")
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise MissingExtra("portal:postgresql", "postgres", "psycopg") from None
    try:
        address_of(url, "public")
    except Refused as error:
        raise StoreNotFound(str(error)) from None
    return PortalAt(url)
