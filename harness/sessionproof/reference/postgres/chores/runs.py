"""What upkeep did and when, and having it alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg

from sessionproof.reference.chores.runs import Run
from sessionproof.reference.postgres.place import Place
from sessionproof.reference.postgres.pool import Connection

_KEPT = 50  # of each task
_LOCK = 0x53504D54


@contextmanager
def alone(place: Place) -> Iterator[bool]:
    """Whether nobody else does upkeep of this schema now; a lock that ends with its connection."""
    with place.connected(writes=False) as db:
        taken = db.execute(
            "SELECT pg_try_advisory_lock(%s::integer, hashtext(%s))", (_LOCK, place.schema)
        ).fetchone()
        ours = bool(taken and taken[0])
        try:
            yield ours
        finally:  # to close it is not enough: the server sees that later than the next one asks
            if ours:
                with suppress(psycopg.Error):  # it ended before, and the lock with it
                    db.execute(
                        "SELECT pg_advisory_unlock(%s::integer, hashtext(%s))",
                        (_LOCK, place.schema),
                    )


def store_run(db: Connection, run: Run) -> None:
    """Write a run down and forget old ones of its task; within a transaction of the caller's."""
    db.execute(
        "INSERT INTO maintenance_runs (task, started_at_us, ended_at_us, failed, text) "
        "VALUES (%s, %s, %s, %s, %s)",
        (run.task, run.started_at_us, run.ended_at_us, run.failed, run.text),
    )
    db.execute(
        "DELETE FROM maintenance_runs WHERE task = %(task)s AND id <= (SELECT id "
        "FROM maintenance_runs WHERE task = %(task)s ORDER BY id DESC LIMIT 1 OFFSET %(kept)s)",
        {"task": run.task, "kept": _KEPT},
    )
