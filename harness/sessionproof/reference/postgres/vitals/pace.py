"""How busy a handle's connections are, how long calls waited for one, and which were slow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sessionproof.contract.clock import monotonic_s
from sessionproof.reference.postgres.pool import Connection, Pool
from sessionproof.reference.vitals.pace import SLOW_CALLS, Slow
from sessionproof.reference.vitals.report import Number, Vital
from sessionproof.reference.vitals.thresholds import Thresholds

_JUDGED_FROM = 5
"""A pool of fewer connections is full as soon as it is used: only waits say something of it."""

_RECENT_S = 3_600.0


def pool(connections: Pool, thresholds: Thresholds) -> Iterator[Vital]:
    """The connections in use at this moment, and this hour's waits for one."""
    busy, most = connections.statistics()["busy"], connections.most
    yield Vital(
        "pool use",
        thresholds.pool_use.of(busy / most) if most >= _JUDGED_FROM else "ok",
        f"{busy} of {most} connections are busy",
        (Number("connections_busy", busy), Number("pool_most", most)),
    )
    since_s = monotonic_s() - _RECENT_S
    waits = [wait_s for at_s, wait_s in list(connections.waited) if at_s >= since_s]
    longest_s = max(waits, default=0.0)
    yield Vital(
        "pool waits",
        thresholds.wait_ms.of(longest_s * 1e3),
        f"{len(waits)} this hour, the longest {longest_s * 1e3:.3g} ms"
        if waits
        else "no call had to wait",
        (Number("waits", len(waits)), Number("wait_seconds_longest", longest_s)),
    )


def keep_slow(db: Connection, slow: Iterable[Slow]) -> None:
    """Write down what was slow, each call once; within a transaction of the caller's."""
    for one in slow:
        db.execute(
            "INSERT INTO health_slow (at_us, operation, took_us) SELECT %(at)s, %(name)s, %(took)s "
            "WHERE NOT EXISTS (SELECT FROM health_slow "
            "WHERE at_us = %(at)s AND operation = %(name)s AND took_us = %(took)s)",
            {"at": one.at_us, "name": one.operation, "took": one.took_us},
        )
    db.execute(
        "DELETE FROM health_slow WHERE id <= "
        "(SELECT id FROM health_slow ORDER BY id DESC LIMIT 1 OFFSET %s)",
        (SLOW_CALLS,),
    )
