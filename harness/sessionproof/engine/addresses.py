"""Stores on servers, for the time of a run: secrets out of sight, and schemas that do not remain.

A password goes to the processes of a run by libpq's own ways, so that the store's name is the
address without it wherever the name appears.
"""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from sessionproof.contract.addresses import (
    FORM,
    NAMESPACE,
    SCHEMES,
    Address,
    addresses,
    is_address,
    is_on_server,
    of_kind,
    schemas_of_run,
)
from sessionproof.contract.lookup import StoreNotFound
from sessionproof.engine.plan import BadUsage

DATABASE_URL = "DATABASE_URL"
_PASSWORD, _PASSFILE = "PGPASSWORD", "PGPASSFILE"
_SETTINGS = re.compile(r"\s*(?:host|hostaddr|port|dbname|user|password|service)\s*=")
_CONNECT_S = 10
_LOCK_MS = 10_000  # a worker that was ended may hold a schema until its server notices


def named(store: str) -> str:
    """The store's name without passwords; for the bare scheme the address in DATABASE_URL.

    Raises BadUsage, whose text may be shown.
    """
    kind, found = _found(store)
    return kind + ",".join(one.url for one in found) if found else store


@contextmanager
def reached(store: str, *, lasting: bool = True) -> Iterator[str]:
    """The store's name without passwords; within, processes that we start can open it.

    Its servers must answer, else BadUsage. Schemas that are made within are dropped at the end,
    unless the server is not ``lasting``. A store that is no address is answered as it is.
    """
    kind, found = _found(store)
    if not found:
        yield store
        return
    with _handed_over(found), _environment({NAMESPACE: f"r{secrets.token_hex(5)}_"}):
        for one in found:
            _require_answer(one.url)
        try:
            yield kind + ",".join(one.url for one in found)
        finally:
            if lasting:
                for one in found:
                    _drop(one.url, schemas_of_run())


def _found(store: str) -> tuple[str, list[Address]]:
    """The kind of store and the addresses that its name stands for; raises BadUsage.

    No addresses for any other store.
    """
    try:
        given = _given(store)
        return of_kind(given)[0], addresses(given) if is_on_server(given) else []
    except StoreNotFound as error:
        raise BadUsage(str(error)) from None


def _given(store: str) -> str:
    """The name, or the address that DATABASE_URL has for the scheme alone.

    ``portal:DATABASE_URL`` is a portal there.
    """
    if _SETTINGS.match(store):
        raise StoreNotFound(
            f"what is given is no address, and is not shown, as it may hold a password: {FORM}"
        )
    kind = store.removesuffix(DATABASE_URL) if store.endswith(f":{DATABASE_URL}") else ""
    if not kind and store not in SCHEMES:
        return store
    address = os.environ.get(DATABASE_URL, "")
    if not address:
        raise StoreNotFound(
            f"{store} names no server and {DATABASE_URL} is not set: "
            "write postgresql://USER@HOST:PORT/DATABASE"
        )
    if not is_address(address):
        raise StoreNotFound(f"{DATABASE_URL} does not begin with postgresql:// or postgres://")
    return kind + address


def _require_answer(url: str) -> None:
    """Raise BadUsage where the server does not let us in."""
    from sessionproof.reference.postgres.address import settings_of, unusable

    try:
        settings_of(url)
    except StoreNotFound as error:
        raise BadUsage(str(error)) from None
    import psycopg

    try:
        psycopg.connect(url, connect_timeout=_CONNECT_S).close()
    except psycopg.Error as error:
        raise BadUsage(unusable(url, error)) from None


def _drop(url: str, beginning: str) -> None:
    """Drop the schemas whose names begin so; each by itself, as a transaction has few locks.

    What cannot be dropped stays: the verdict is not ours to spoil here.
    """
    import psycopg
    from psycopg import sql

    with (
        suppress(psycopg.Error),
        psycopg.connect(url, autocommit=True, connect_timeout=_CONNECT_S) as connection,
    ):
        connection.execute(f"SET lock_timeout = {_LOCK_MS}")
        connection.execute("SET client_min_messages = error")
        rows = connection.execute(
            "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, %s)", [beginning]
        ).fetchall()
        for (name,) in rows:
            with suppress(psycopg.errors.LockNotAvailable):
                connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))


@contextmanager
def _handed_over(found: Sequence[Address]) -> Iterator[None]:
    """Have libpq find the passwords, here and in the processes that we start."""
    here = os.environ.get(_PASSWORD)
    passwords = [one.password or here for one in found]
    if not any(one.password for one in found):
        yield
    elif len(set(passwords)) == 1:
        with _environment({_PASSWORD: passwords[0]}):
            yield
    else:
        with tempfile.NamedTemporaryFile("w", prefix="sessionproof-", encoding="utf-8") as file:
            for one, password in zip(found, passwords, strict=True):
                file.writelines(_lines(one.url, password))
            file.write(_other_passwords())
            file.flush()
            with _environment({_PASSWORD: None, _PASSFILE: file.name}):
                yield


def _lines(url: str, password: str | None) -> Iterator[str]:
    """The lines of a password file for an address, one for each host that it names."""
    if password is None:
        return
    from sessionproof.reference.postgres.address import settings_of

    given = settings_of(url)
    hosts = str(given.get("host") or given.get("hostaddr") or "localhost").split(",")
    ports = str(given.get("port") or "*").split(",")
    for at, host in enumerate(hosts):
        port = ports[at] if len(ports) == len(hosts) else ports[0]
        database, user = given.get("dbname") or "*", given.get("user") or "*"
        yield ":".join(map(_escaped, (host, port or "*", database, user, password))) + "\n"


def _escaped(field: object) -> str:
    return str(field).replace("\\", "\\\\").replace(":", "\\:")


def _other_passwords() -> str:
    """What the user's own password file says."""
    try:
        file = Path(os.environ.get(_PASSFILE) or Path.home() / ".pgpass")
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError, RuntimeError):  # or there is no home
        return ""


@contextmanager
def _environment(changes: Mapping[str, str | None]) -> Iterator[None]:
    """Variables for us and for the processes that we start, as they were before at the end."""
    before = {name: os.environ.get(name) for name in changes}
    _set(changes)
    try:
        yield
    finally:
        _set(before)


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
