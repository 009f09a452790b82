"""The tasks of upkeep, in the order in which they are done. Each answers what it did.

There is no task for what the server does itself: it moves its log away, and gives room back.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg import sql

from sessionproof.contract.errors import Refused
from sessionproof.reference.chores.plan import Plan
from sessionproof.reference.chores.tasks import Done
from sessionproof.reference.files import BACKUP, copies
from sessionproof.reference.postgres.place import Place
from sessionproof.reference.postgres.pool import Connection, transaction

if TYPE_CHECKING:
    from sessionproof.reference.postgres.store import PostgresStore

_CHANGED = (
    "SELECT relname, n_dead_tup > 1000 + 0.2 * n_live_tup FROM pg_stat_user_tables "
    "WHERE schemaname = %s AND (n_dead_tup > 1000 + 0.2 * n_live_tup "
    "OR n_mod_since_analyze > 100 + 0.1 * n_live_tup) ORDER BY relname"
)
"""Tables whose statistics are old, and which of them vacuum has not come to."""

Task = Callable[["PostgresStore", Plan], Done]


def sweep(store: PostgresStore, _plan: Plan) -> Done:
    """Sessions are warned of and expire."""
    swept = store.sweep()
    return Done(f"{len(swept.warned)} sessions warned of, {len(swept.expired)} expired")


def search(store: PostgresStore, _plan: Plan) -> Done:
    """What is not indexed yet is indexed, so that no search waits for it."""
    from sessionproof.reference.postgres.index import catch_up

    return Done(f"{catch_up(store)} messages and titles indexed")


def optimize(store: PostgresStore, _plan: Plan) -> Done:
    """Tables that changed much are analysed, those that autovacuum has not come to are vacuumed."""

    def work(db: Connection) -> list[bool]:
        found = db.execute(_CHANGED, (store.schema,)).fetchall()
        for name, vacuums in found:
            done = "VACUUM (ANALYZE, SKIP_LOCKED) {}" if vacuums else "ANALYZE (SKIP_LOCKED) {}"
            db.execute(sql.SQL(done).format(sql.Identifier(store.schema, name)))
        return [vacuums for _, vacuums in found]

    done = store._write(work)
    return Done(f"{len(done)} tables analysed, {sum(done)} of them vacuumed")


def verify(store: PostgresStore, _plan: Plan) -> Done:
    """Everything is looked at."""
    number = len(store.verify().problems)
    if number:
        kinds = "1 kind of problem" if number == 1 else f"{number} kinds of problems"
        return Done(f"{kinds}: sessionproof verify names them", failed=True)
    return Done("nothing is wrong")


def backup(store: PostgresStore, plan: Plan) -> Done:
    """A verified backup is made, and old ones are removed."""
    made = store.backup(_folder(plan), keep=plan.keep)
    return Done(f"made {Path(made).name}")


def drill(store: PostgresStore, plan: Plan) -> Done:
    """The newest backup is restored beside what is there, looked at, and taken away again."""
    from sessionproof.reference.postgres.restoring import put_back

    folder = Path(_folder(plan))
    place = Place(store.url, store.schema)
    made = copies(store._read(place.series), folder, BACKUP)
    if not made:
        raise Refused(f"{folder} has no backup of {place}: make one first")
    done = put_back(made[-1], place, kept_in=folder, dry_run=True)
    return Done(f"{done.rows['messages']} messages of {made[-1].name} were read")


def health(store: PostgresStore, _plan: Plan) -> Done:
    """A look at everything that is quick to tell; the size is written down."""
    from sessionproof.reference.postgres import health as module
    from sessionproof.reference.postgres.vitals import pace, tables

    now_us, slow = store._clock.now_us(), list(store._pace.slow)

    def work(db: Connection) -> None:
        with transaction(db):
            tables.kept(db, tables.size_of(db, store.schema, now_us))
            pace.keep_slow(db, slow)

    store._write(work)
    found = module.report(store)
    bad = [one.name for one in found.vitals if one.severity in ("warning", "critical")]
    severity = found.health.severity
    return Done(f"{severity}: {', '.join(bad)}" if bad else severity, severity == "critical")


def _folder(plan: Plan) -> str:
    if plan.backups is None:
        raise Refused("there is no folder for backups: name one in the plan")
    return os.fspath(plan.backups)


TASKS: Mapping[str, Task] = {
    "sweep": sweep,
    "search": search,
    "optimize": optimize,
    "verify": verify,
    "backup": backup,
    "drill": drill,
    "health": health,
}
