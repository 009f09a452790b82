"""The tasks of upkeep, in the order in which they are done. Each answers what it did."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sessionproof.contract.errors import Refused
from sessionproof.reference.chores.plan import Plan
from sessionproof.reference.connections import connect, transaction

if TYPE_CHECKING:
    from sessionproof.reference.store import ReferenceStore

_VACUUM_PAGES = 500
"""So many pages are given back in one transaction: writers wait for no more than that."""

_VACUUM_FROM = 0.1
"""Less than this part of the file is left free for what comes."""

_ANALYSED_ROWS = 400


class Done(NamedTuple):
    """What a task did, in a few words; ``failed`` when it found what is wrong."""

    text: str
    failed: bool = False


Task = Callable[["ReferenceStore", Plan], Done]


def sweep(store: ReferenceStore, _plan: Plan) -> Done:
    """Sessions are warned of and expire."""
    swept = store.sweep()
    return Done(f"{len(swept.warned)} sessions warned of, {len(swept.expired)} expired")


def search(store: ReferenceStore, _plan: Plan) -> Done:
    """What is not indexed yet is indexed, so that no search waits for it."""
    from sessionproof.reference.searching import catch_up

    return Done(f"{catch_up(store)} messages indexed")


def optimize(store: ReferenceStore, _plan: Plan) -> Done:
    """SQLite's statistics are renewed where they are old."""

    def work(db: sqlite3.Connection) -> None:
        db.execute(f"PRAGMA analysis_limit = {_ANALYSED_ROWS}").fetchall()
        db.execute("PRAGMA optimize").fetchall()

    store._write(work)
    return Done("statistics are up to date")


def vacuum(store: ReferenceStore, _plan: Plan) -> Done:
    """Free pages are given back to the disk, some at a time."""
    free, pages = store._read(_free)
    given_back = 0
    while free and free + given_back >= _VACUUM_FROM * pages:
        store._write(_give_back)
        left, _ = store._read(_free)
        if left >= free:
            break  # others delete faster
        given_back += free - left
        free = left
    return Done(f"{given_back} pages given back")


def _give_back(db: sqlite3.Connection) -> None:
    with transaction(db):
        for _ in range(_VACUUM_PAGES):  # Python takes one step of a statement without columns
            db.execute("PRAGMA incremental_vacuum(1)").close()


def _free(db: sqlite3.Connection) -> tuple[int, int]:
    free, pages = (
        int(db.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("freelist_count", "page_count")
    )
    return free, pages


def verify(store: ReferenceStore, _plan: Plan) -> Done:
    """Everything is looked at."""
    number = len(store.verify().problems)
    if number:
        kinds = "1 kind of problem" if number == 1 else f"{number} kinds of problems"
        return Done(f"{kinds}: sessionproof verify names them", failed=True)
    return Done("nothing is wrong")


def backup(store: ReferenceStore, plan: Plan) -> Done:
    """A verified backup is made, and old ones are removed."""
    made = store.backup(_folder(plan), keep=plan.keep)
    return Done(f"made {Path(made).name}")


def drill(store: ReferenceStore, plan: Plan) -> Done:
    """The newest backup is restored elsewhere and read."""
    from sessionproof.reference.drill import drilled

    (one,) = drilled(_folder(plan), of=store._path)
    if one.problems:
        return Done(f"{one.backup.name}: {len(one.problems)} problems", failed=True)
    return Done(f"{one.messages} messages of {one.backup.name} were read")


def health(store: ReferenceStore, _plan: Plan) -> Done:
    """A look at everything that is quick to tell; the size is written down."""
    from sessionproof.reference import health as module
    from sessionproof.reference.vitals import pace, sizes

    now_us = store._clock.now_us()
    size = store._read(lambda db: sizes.size_of(db, store._path, now_us))
    slow = list(store._pace.slow)

    def work(db: sqlite3.Connection) -> None:
        with transaction(db):
            sizes.kept(db, size)
            pace.keep_slow(db, slow)

    store._write(work)
    found = module.report(store)
    bad = [one.name for one in found.vitals if one.severity in ("warning", "critical")]
    severity = found.health.severity
    return Done(f"{severity}: {', '.join(bad)}" if bad else severity, severity == "critical")


def checkpoint(store: ReferenceStore, _plan: Plan) -> Done:
    """The log is emptied, as far as readers allow; nobody waits for it."""
    with closing(connect(store._path, writes=True, synchronous="FULL")) as db:
        db.execute("PRAGMA busy_timeout = 0").fetchall()
        db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        busy, pages, moved = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        return Done(f"{moved} of {pages} pages of the log were moved: it was in use")
    return Done("the log is empty")


def _folder(plan: Plan) -> str:
    if plan.backups is None:
        raise Refused("there is no folder for backups: name one in the plan")
    return os.fspath(plan.backups)


TASKS: Mapping[str, Task] = {
    "sweep": sweep,
    "search": search,
    "optimize": optimize,
    "vacuum": vacuum,
    "verify": verify,
    "backup": backup,
    "drill": drill,
    "checkpoint": checkpoint,
    "health": health,
}
