"""What the reference store says of itself: a method of ``ReferenceStore``; and of a file at rest.

Nothing is changed, and nothing is made: a wrong path is refused.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from sessionproof.contract.clock import SystemClock
from sessionproof.contract.errors import Refused, StoreError
from sessionproof.contract.health import Health, Severity
from sessionproof.reference.connections import connect
from sessionproof.reference.failures import ERRORS, as_store_error, is_busy, is_damage, one_line
from sessionproof.reference.vitals.pace import average, slow, slow_kept
from sessionproof.reference.vitals.report import Report, Vital, looked
from sessionproof.reference.vitals.settings import OUTSIDE, settings, values_of
from sessionproof.reference.vitals.thresholds import Thresholds

if TYPE_CHECKING:
    from sessionproof.reference.store import ReferenceStore

DEFAULT = Thresholds()


def health(store: ReferenceStore, *, thresholds: Thresholds = DEFAULT) -> Health:
    """Look at rows, settings, sizes, plans, speed and upkeep; what is wrong is answered.

    Reads what counters are computed from, about 0.06 s for 100,000 messages. Raises ``Refused``
    when the handle was closed.
    """
    return report(store, thresholds=thresholds).health


def report(store: ReferenceStore, *, thresholds: Thresholds = DEFAULT) -> Report:
    """The same with its numbers, for programs."""
    if store.ended:
        raise Refused(store.ended)
    from sessionproof.reference.vitals.pool import pool

    of_pool = looked("pool", lambda: pool(store._readers, store._writer, thresholds))  # first
    of_file = _of_open_file(store, thresholds)
    pace = store._pace
    return Report(
        str(store._path),
        (
            *of_file,
            *looked("pragmas", lambda: _settings(store)),
            *of_pool,
            average(pace, thresholds),
            slow(pace),
        ),
    )


def report_of_file(path: os.PathLike[str] | str, *, thresholds: Thresholds = DEFAULT) -> Report:
    """The report of a database from outside, also beside a store that has it open.

    ``path`` is a directory or a file, and must be ours. What only the store's process knows is
    unknown. Not for a file that this process has open.
    """
    from sessionproof.audit.file import Unreadable, on_committed_state
    from sessionproof.reference.copying import is_ours
    from sessionproof.reference.files import present

    file = present(path)
    now_us = SystemClock().now_us()

    def look(db: sqlite3.Connection) -> tuple[Vital, ...]:
        if not is_ours(db):
            raise Refused(
                f"{file} is no database of the reference store: sessionproof audit looks at others"
            )
        return tuple(_of_file(db, file, now_us, thresholds, open_here=False))

    try:
        vitals = on_committed_state(file, lambda reading: look(reading.connection))
    except Unreadable as error:
        raise Refused(str(error)) from error
    except ERRORS as error:
        if not is_damage(error):
            raise as_store_error(error, path=file, writes=False) from error
        vitals = (Vital("file", "critical", one_line(f"the file is damaged: {error}")),)
    outside = "only the process that has the store open knows it: call health() there"
    known_inside = ("pool", "average time")
    return Report(str(file), (*vitals, *(Vital(n, "unknown", outside) for n in known_inside)))


def _of_open_file(store: ReferenceStore, thresholds: Thresholds) -> tuple[Vital, ...]:
    """Through a connection of its own, so that no reader of the pool is kept from its work."""
    now_us = store._clock.now_us()
    try:
        with closing(connect(store._path, writes=False, synchronous="NORMAL")) as db:
            db.execute("BEGIN").close()
            return tuple(_of_file(db, store._path, now_us, thresholds, open_here=True))
    except (StoreError, *ERRORS) as error:
        severity: Severity = "unknown" if is_busy(error) else "critical"
        return (Vital("file", severity, one_line(f"the file cannot be read: {error}")),)


def _of_file(
    db: sqlite3.Connection, file: Path, now_us: int, thresholds: Thresholds, *, open_here: bool
) -> Iterator[Vital]:
    from sessionproof.reference.chores.runs import upkeep_done
    from sessionproof.reference.vitals import data, sizes
    from sessionproof.reference.vitals.locks import locks
    from sessionproof.reference.vitals.plans import plans

    yield from looked("orphans", lambda: data.orphans(db, thresholds))
    yield from looked("counters", lambda: data.mismatches(db, thresholds))
    yield from looked("file size", lambda: sizes.of_file(db, file, now_us, thresholds))
    yield from looked("plans", lambda: plans(db))
    yield from looked("upkeep", lambda: upkeep_done(db, now_us))
    yield from looked("locks", lambda: locks(file, open_here=open_here))
    if not open_here:
        yield from looked("slow calls", lambda: slow_kept(db))
        yield OUTSIDE


def _settings(store: ReferenceStore) -> Iterator[Vital]:
    """Those of the writer, and of a reader if one is free: nobody is waited for."""
    wanted = {"power": 2, "process": 1}[str(store.claims.durability)]
    readers = store._readers
    reader = readers.run(values_of) if readers.busy < readers.most else None
    return settings(store._writer.run(values_of), reader, synchronous=wanted)
