"""A drill: the newest backup is restored into a temporary place, and everything in it is read.

A backup that nobody has tried is a hope.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sessionproof.contract.errors import Refused, StoreError
from sessionproof.reference.copying import (
    Progress,
    Rows,
    is_ours,
    on_state,
    problems_of,
    quiet,
    row_counts,
)
from sessionproof.reference.files import BACKUP, all_copies, copies, series_of
from sessionproof.reference.restore import put_back
from sessionproof.reference.store import ReferenceStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """What came of one backup: its rows, and what went wrong, a sentence each.

    ``sessions`` and ``messages`` were read through the store; None for other databases. ``good``
    is the newest backup of the same file that is in order: the same one if all went well, and
    None if there is none.
    """

    backup: Path
    rows: Rows
    sessions: int | None
    messages: int | None
    problems: tuple[str, ...]
    good: Path | None


def drilled(
    folder: Path | str, *, of: Path | None = None, progress: Progress = quiet
) -> tuple[Drill, ...]:
    """Try the newest backup of each file in a folder, or ``of`` one file.

    Raises ``Refused`` when there is none.
    """
    place = Path(folder).absolute()
    if not place.is_dir():
        raise Refused(f"{place} is no folder: name one with backups")
    all_series: dict[str | None, list[Path]] = {}
    for one in all_copies(place, BACKUP) if of is None else copies(of, place, BACKUP):
        all_series.setdefault(series_of(one), []).append(one)
    if not all_series:
        raise Refused(f"{place} has no backups: make one first")
    return tuple(_drilled(made, progress) for made in all_series.values())


def _drilled(made: Sequence[Path], progress: Progress) -> Drill:
    *older, newest = made
    rows: Rows = {}
    sessions = messages = None
    problems: tuple[str, ...] = ()
    try:
        with tempfile.TemporaryDirectory(prefix="sessionproof-drill-") as temporary:
            ours = on_state(newest, is_ours)
            target = Path(temporary) if ours else Path(temporary, "restored.db")
            restored = put_back(newest, target, progress=progress)
            rows = restored.rows
            progress(f"what was restored of {newest.name}")
            if ours:
                sessions, messages = _read_all(Path(temporary), progress)
            problems = (
                *problems_of(restored.file, None),
                *_wrong_counts(rows, on_state(restored.file, row_counts), sessions, messages),
            )
    except (StoreError, sqlite3.Error, OSError) as error:
        problems = (str(error),)
    good = _newest_good(older, progress) if problems else newest
    return Drill(
        backup=newest, rows=rows, sessions=sessions, messages=messages, problems=problems, good=good
    )


def _read_all(directory: Path, progress: Progress) -> tuple[int, int]:
    """How many sessions and messages the store serves."""
    messages = 0
    with ReferenceStore(directory) as store:
        names = store.list()
        for number, name in enumerate(names):
            if number % 100 == 0:
                progress(f"session {number + 1:,} of {len(names):,}")
            messages += len(store.read(name))
    return len(names), messages


def _wrong_counts(
    backed_up: Rows, there: Rows, sessions: int | None, messages: int | None
) -> Iterator[str]:
    for name, number in backed_up.items():
        if there.get(name) != number:
            yield f"table {name} has {number} rows in the backup, and {there.get(name)} restored"
    for name, served in (("sessions", sessions), ("messages", messages)):
        if served is not None and served != backed_up.get(name):
            yield f"the backup has {backed_up.get(name)} {name}, and the store serves {served}"


def _newest_good(older: Sequence[Path], progress: Progress) -> Path | None:
    for one in reversed(older):
        progress(f"all rows of {one.name}")
        if not problems_of(one, None):
            return one
    return None
