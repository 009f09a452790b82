"""What the store says of itself: a method of ``PostgresStore``; and of a schema from outside.

Nothing is changed, and nothing is made. A server that is gone is answered, and not raised.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sessionproof.contract.clock import SystemClock
from sessionproof.contract.errors import Refused, StoreError
from sessionproof.contract.health import Health
from sessionproof.reference.chores.runs import upkeep_done
from sessionproof.reference.postgres.place import Place
from sessionproof.reference.postgres.pool import Connection
from sessionproof.reference.postgres.vitals import pace, server, tables, work
from sessionproof.reference.postgres.vitals.looks import Look, looked, row_of
from sessionproof.reference.vitals.pace import average, slow, slow_kept
from sessionproof.reference.vitals.report import Report, Vital
from sessionproof.reference.vitals.thresholds import ServerLimits, Thresholds

if TYPE_CHECKING:
    from sessionproof.reference.postgres.store import PostgresStore

DEFAULT = Thresholds()
SERVER = ServerLimits()

_PATIENCE_MS = 30_000
_LOCK_MS = 500  # a table that somebody keeps is not waited for
_OUTSIDE = "only the process that has the store open knows it: call health() there"
_KNOWN_INSIDE = ("setting synchronous_commit", "pool use", "average time")


def health(
    store: PostgresStore, *, thresholds: Thresholds = DEFAULT, limits: ServerLimits = SERVER
) -> Health:
    """Look at rows, server, sizes, work under way, speed and upkeep; what is wrong is answered.

    Reads what counters are computed from. Raises ``Refused`` when the handle was closed.
    """
    return report(store, thresholds=thresholds, limits=limits).health


def report(
    store: PostgresStore, *, thresholds: Thresholds = DEFAULT, limits: ServerLimits = SERVER
) -> Report:
    """The same with its numbers, for programs."""
    if store.ended:
        raise Refused(store.ended)
    of_pool = looked("pool", lambda: pace.pool(store._pool, thresholds))  # first
    found = _of_schema(
        Place(store.url, store.schema),
        store._clock.now_us(),
        thresholds,
        limits,
        synchronous=store._synchronous,
    )
    if found[0].severity != "critical":
        found += looked("setting synchronous_commit", lambda: _commits(store))
    calls = (average(store._pace, thresholds), slow(store._pace))
    return Report(store.where, (*found, *of_pool, *calls))


def report_of(place: Place, *, thresholds: Thresholds = DEFAULT) -> Report:
    """The report of a schema from outside, also beside stores that have it open.

    What only a store's process knows is unknown.
    """
    found = _of_schema(place, SystemClock().now_us(), thresholds, SERVER)
    return Report(
        str(place), (*found, *(Vital(name, "unknown", _OUTSIDE) for name in _KNOWN_INSIDE))
    )


def _of_schema(
    place: Place,
    now_us: int,
    thresholds: Thresholds,
    limits: ServerLimits,
    *,
    synchronous: bool = True,
) -> tuple[Vital, ...]:
    """By a connection of its own, so that no call waits for one; the server comes first."""
    try:
        with place.connected(writes=False) as db:
            db.execute(
                f"SET statement_timeout = {_PATIENCE_MS}; SET lock_timeout = {_LOCK_MS}".encode()
            )
            return tuple(_seen(db, place, now_us, thresholds, limits, synchronous))
    except StoreError as error:
        return (Vital("server", "critical", f"it does not answer: {error}"),)


def _seen(
    db: Connection,
    place: Place,
    now_us: int,
    thresholds: Thresholds,
    limits: ServerLimits,
    synchronous: bool,
) -> Iterator[Vital]:
    schema, any_db = place.schema, _any(db)
    looks: dict[str, Look] = {
        "server": lambda: server.server(db),
        "schema": lambda: server.schema_steps(db, schema),
        "orphans": lambda: tables.orphans(db, thresholds),
        "counters": lambda: tables.mismatches(db, thresholds),
        "indexes": lambda: tables.guards(db, schema),
        "settings": lambda: server.settings(db, synchronous=synchronous),
        "transaction ids": lambda: server.transaction_ids(db, schema, limits),
        "transactions": lambda: work.transactions(db, limits),
        "lock waits": lambda: work.lock_waits(db, thresholds),
        "connections": lambda: server.connections(db, limits),
        "replication": lambda: server.replication(db, limits),
        "dead rows": lambda: tables.rows_replaced(db, schema, limits),
        "schema size": lambda: tables.sizes(db, schema, now_us, thresholds),
        "upkeep": lambda: upkeep_done(any_db, now_us),
        "slow calls kept": lambda: _named("slow calls kept", slow_kept(any_db)),
    }
    for name, look in looks.items():
        found = looked(name, look)
        yield from found
        if db.closed:
            yield Vital("server", "critical", "the connection was lost while it was looked at")
            return


def _any(db: Connection) -> Any:
    """For statements without values, which both databases take alike."""
    return db


def _named(name: str, vital: Vital) -> Vital:
    return Vital(name, vital.severity, vital.text, vital.numbers)


def _commits(store: PostgresStore) -> Vital:
    """What a connection of the pool has set, if one is free: nobody is waited for."""
    name = "setting synchronous_commit"
    if store._pool.statistics()["busy"] >= store._pool.most:
        return Vital(name, "unknown", "all connections are busy")
    (seen,) = store._read(lambda db: row_of(db, "SHOW synchronous_commit"))
    return server.commit_setting(seen, synchronous=store._synchronous)
