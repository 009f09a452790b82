"""Addresses of servers in the names of stores: taken apart, and without their passwords.

A password must be out of sight before it is known whether the address is of any use, so nothing
here needs a driver.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from sessionproof.contract.location import Location
from sessionproof.contract.lookup import StoreNotFound

SCHEMES = ("postgresql", "postgres")
NAMESPACE = "SESSIONPROOF_NAMESPACE"
"""The variable that holds what the schemas of a run begin with, behind ``sp_``."""

FORM = (
    "write it as postgresql://USER@HOST:PORT/DATABASE, and : / ? @ of a password as %3A %2F %3F %40"
)
"""How an address is written."""

_SCHEMA = "sp_"
_DIGEST_CHARACTERS = 24
_KIND = re.compile(r"(?!cmd:)([A-Za-z][\w.-]*:)(postgres(?:ql)?:.*)", re.DOTALL)
_BETWEEN = re.compile(r",(?=postgres(?:ql)?:)")
_CREDENTIALS = re.compile(r"(postgres(?:ql)?://)([^:@/]*)(?::([^@/]*))?@(.*)", re.DOTALL)
_PORT = re.compile(r"(?:\[[^\]]*\]|[^:\[\]]*)(?::\d*)?")
_HIDDEN = "is no address of a PostgreSQL server, and is not shown, as it may hold a password"


@dataclass(frozen=True, slots=True)
class Address:
    """A server's address without its password, and the password, which never prints."""

    url: str
    password: str | None

    def __repr__(self) -> str:
        return f"Address({self.url!r})"


def is_address(store: str) -> bool:
    """Whether a store's name is the address of one or more PostgreSQL servers."""
    return store.partition(":")[0] in SCHEMES and ":" in store


def of_kind(store: str) -> tuple[str, str]:
    """What stands before the address in a store's name, as ``portal:``, and the rest of it.

    Nothing stands there for the reference, and in names without an address.
    """
    found = _KIND.fullmatch(store)
    return (found[1], found[2]) if found else ("", store)


def is_on_server(store: str) -> bool:
    """Whether a store's name says where its servers are, whatever kind of store it is."""
    return is_address(of_kind(store)[1])


def split(store: str) -> list[str]:
    """The addresses in a store's name, which are joined by commas, as they stand there."""
    return _BETWEEN.split(of_kind(store)[1])


def addresses(store: str) -> list[Address]:
    """The addresses in a store's name, taken apart; raises StoreNotFound.

    The error shows nothing of what may hold a password.
    """
    return [_taken_apart(url) for url in split(store)]


def shown(store: str) -> str:
    """The store's name without passwords; raises StoreNotFound."""
    return of_kind(store)[0] + ",".join(one.url for one in addresses(store))


def schemas_of_run() -> str:
    """What the names of this run's schemas begin with; outside of a run, of all of ours."""
    return _SCHEMA + os.environ.get(NAMESPACE, "")


def schema_of(location: Location | os.PathLike[str] | str | None) -> str:
    """The schema of a location: its namespace, else a name that its path alone decides."""
    if location is None:
        raise ValueError("a store on PostgreSQL needs a location or the name of a schema")
    if isinstance(location, Location) and location.namespace:
        return location.namespace
    path = os.fsencode(Path(location).absolute())
    return schemas_of_run() + hashlib.sha256(path).hexdigest()[:_DIGEST_CHARACTERS]


def _taken_apart(url: str) -> Address:
    scheme, colon, rest = url.partition("://")
    if not colon or scheme not in SCHEMES:
        raise StoreNotFound(f"what follows {scheme.partition(':')[0]}: {_HIDDEN}: {FORM}")
    found = _CREDENTIALS.fullmatch(url)
    user, password = "", None
    if found is not None:
        user, password, rest = f"{found[2]}@", found[3], found[4]
    before, mark, query = rest.partition("?")
    hosts = before.partition("/")[0]
    if not all(_PORT.fullmatch(host) for host in hosts.split(",")) or "@" in before:
        raise StoreNotFound(f"what follows {scheme}: {_HIDDEN}: {FORM}")
    kept = []
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        plain_name = unquote(name).lower()  # the server refuses capitals, but would be shown them
        if part and (not equals or "://" in value):  # the rest of another address
            raise StoreNotFound(f"what follows {scheme}: {_HIDDEN}: {FORM}")
        if plain_name == "password":
            password = value
        elif plain_name == "sslpassword":
            raise StoreNotFound("sslpassword in an address cannot be handed on: use a key without")
        else:
            kept.append(part)
    query = "&".join(kept)
    tail = f"{mark}{query}" if query else ""
    plain = unquote(password) if password else None  # libpq takes an empty one for none
    return Address(f"{scheme}://{user}{before}{tail}", plain)
