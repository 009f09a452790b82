"""Restores: a backup is verified before it replaces anything, and what was there is kept.

A database that is sound is written over in one transaction, so that a crash leaves the old content
or the new, and nobody meets a log of the other. One that is damaged is moved aside with its logs,
byte for byte, and the verified copy is put in its place.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sessionproof.contract.errors import Refused
from sessionproof.reference.copying import (
    PAGES_AT_ONCE,
    Progress,
    Rows,
    copied,
    damage,
    is_ours,
    kept_copy,
    on_state,
    problems_of,
    quiet,
    row_counts,
    to_read,
    told,
    unfinished,
)
from sessionproof.reference.failures import ERRORS
from sessionproof.reference.files import (
    BACKUP,
    copy_name,
    held_alone,
    held_without_file,
    located,
    open_alone,
    present,
    purpose_of,
    with_logs,
)
from sessionproof.reference.opening import FILE, sync

BEFORE = "before-restore"
"""The last part of the name of what was there before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was restored: into which file, the rows of its tables, and the copy of what was there.

    ``before`` is None when there was nothing, and in a dry run.
    """

    file: Path
    rows: Rows
    before: Path | None


def restore(backup: str, directory: str) -> str | None:
    """Put the backup in the place of what is in the directory, which nobody has open.

    Answers the path of a copy of what was there before, or None; see ``put_back``.
    """
    before = put_back(backup, directory).before
    return None if before is None else os.fspath(before)


def put_back(
    backup: Path | str,
    target: Path | str,
    *,
    as_it_is: bool = False,
    dry_run: bool = False,
    progress: Progress = quiet,
) -> Restored:
    """Put a backup in the place of a directory's ``sessions.db``, or of another database file.

    The backup is copied and the copy verified; a dry run ends there. A copy of what was there,
    which may have had problems, is restored as it was, and so is any file with ``as_it_is``: then
    its pages alone must be sound. Raises ``Refused``; nothing has changed then.
    """
    source, into = present(backup), located(target).resolve()
    what = f"{into} was not restored from {source}"
    if into.exists() and into.samefile(source):
        raise Refused(f"{source} is that file itself: name a backup")
    if not into.parent.is_dir():
        raise Refused(f"{into.parent} is no directory: make it first")
    if os.path.lexists(into) and not into.is_file():
        raise Refused(f"{into} is no file: move it away first")
    try:
        with unfinished(into.with_name(copy_name(into, "restored"))) as part:
            rows = on_state(source, lambda seen: copied(seen, part, progress))
            progress(f"all rows of {source.name}")
            plain = as_it_is or purpose_of(source) not in (None, BACKUP)
            problems = problems_of(part, rows, as_it_is=plain)
            if problems:
                raise Refused(f"{what}: {problems[0]}; choose another backup, or recover this one")
            _refuse_foreign(part, into, what)
            before = None if dry_run else _replaced(into, part, progress)
    except (*ERRORS, OSError) as error:
        raise told(error, what) from error
    return Restored(file=into, rows=rows, before=before)


def _refuse_foreign(part: Path, into: Path, what: str) -> None:
    """A store of ours belongs into a directory; any other database to where its like is."""
    with to_read(part) as connection:
        ours, tables = _look(connection)
    if not tables:
        raise Refused(f"{what}: the backup has no tables; choose another one")
    if ours:
        if into.name != FILE and not into.exists():
            raise Refused(f"{what}: {into} does not exist; make that directory first")
        return
    there = _seen(into)
    if into.name == FILE if there is None else there[0]:
        raise Refused(f"{what}: the backup is no store of ours; restore it to a file instead")
    if there and there[1] and not there[1] & tables:
        raise Refused(f"{what}: the two have no table in common; choose another backup")


def _look(connection: sqlite3.Connection) -> tuple[bool, set[str]]:
    """Whether the database is one of ours, and the names of its tables."""
    return is_ours(connection), set(row_counts(connection))


def _seen(into: Path) -> tuple[bool, set[str]] | None:
    """The same of what is there; None when there is nothing, or nothing that can be read."""
    try:
        return on_state(into, _look) if into.exists() else None
    except (*ERRORS, Refused):
        return None


def _replaced(into: Path, part: Path, progress: Progress) -> Path | None:
    """Put the verified copy in the place of what is there; answers where that is kept."""
    before = into.with_name(copy_name(into, BEFORE, folder=into.parent))
    if not into.exists():
        with held_without_file(into):
            _put_in_place(into, part, before)
        return None
    part.chmod(stat.S_IMODE(into.stat().st_mode))
    with held_alone(into):
        pass  # told before anything is looked at
    if not _can_be_written_over(into, part):
        with held_alone(into):
            _put_in_place(into, part, before)
        return before
    with closing(open_alone(into)) as live:
        kept = kept_copy(live, into, BEFORE)
        _write_over(live, part, progress)
    return kept


def _can_be_written_over(into: Path, part: Path) -> bool:
    """Whether what is there is sound, and has pages of the size that the copy has.

    It is read without SQLite having it for writing, which would move a log into a damaged file.
    """
    try:
        there = on_state(into, lambda seen: None if damage(seen) else _page_bytes(seen))
    except (*ERRORS, Refused):
        return False
    with to_read(part) as source:
        return there == _page_bytes(source)


def _page_bytes(connection: sqlite3.Connection) -> int:
    size: int = connection.execute("PRAGMA page_size").fetchone()[0]
    return size


def _write_over(live: sqlite3.Connection, part: Path, progress: Progress) -> None:
    """Make the content of ``part`` that of the database, in one transaction."""

    def tell(_status: int, remaining: int, total: int) -> None:
        progress(f"page {total - remaining:,} of {total:,}")

    with to_read(part) as source:
        source.backup(live, pages=PAGES_AT_ONCE, progress=tell)
    live.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _put_in_place(into: Path, part: Path, before: Path) -> None:
    """Keep the file and its logs under other names, and give ``part`` its name.

    The copy is whole before anything is removed, and a log is gone before the file that it would
    be merged into is there.
    """
    old = with_logs(into)
    for one in old:
        if one.name.endswith("-shm"):  # tells nothing that the log does not
            continue
        os.link(one, before.with_name(before.name + one.name.removeprefix(into.name)))
    sync(into.parent)
    for one in old:
        if one != into:
            one.unlink()
    sync(into.parent)
    if into in old:
        part.replace(into)
    else:
        os.link(part, into)  # refused when somebody has made one meanwhile
    sync(into.parent)
