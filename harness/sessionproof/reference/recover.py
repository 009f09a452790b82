"""What can still be read of a damaged file, put into a new one.

SQLite gives up at the first page that contradicts another. Here all pages are read by themselves
(``salvage/``), what was found is compared with what the indexes and counters say there was, and a
new database is made of it. The damaged file is only read.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

from sessionproof.contract.clock import Clock, SystemClock
from sessionproof.contract.errors import Refused
from sessionproof.contract.upkeep import Recovered
from sessionproof.reference import steps as schema
from sessionproof.reference.failures import ERRORS, as_store_error
from sessionproof.reference.files import copy_name, held_alone, present, with_logs
from sessionproof.reference.finding.index import forget
from sessionproof.reference.opening import FILE, new_file, sync, uri
from sessionproof.reference.salvage.choosing import gather_chosen
from sessionproof.reference.salvage.deciding import decide
from sessionproof.reference.salvage.image import opened
from sessionproof.reference.verify import verify_file

Progress = Callable[[str], None]


def recover(
    damaged: os.PathLike[str] | str,
    directory: os.PathLike[str] | str,
    *,
    dry_run: bool = False,
    progress: Progress | None = None,
    clock: Clock | None = None,
) -> Recovered:
    """Save what can be read of a damaged file in a new ``sessions.db`` of an existing directory.

    ``damaged`` is the file, or a directory with one. A dry run makes nothing. Raises ``Refused``:
    when it is in use, when nothing of a store of ours is in it, when the directory has a
    ``sessions.db`` already.
    """
    source, target = present(damaged), Path(directory).absolute() / FILE
    if not target.parent.is_dir():
        raise Refused(f"{target.parent} is no directory: make it first")
    taken = with_logs(target)
    if taken:
        raise _taken(taken[0])
    tell = progress or (lambda _: None)
    now_us = (clock or SystemClock()).now_us()
    try:
        with held_alone(source) if os.access(source, os.W_OK) else nullcontext():
            return _recovered(source, target, tell, now_us, dry_run=dry_run)
    except ERRORS as error:
        raise as_store_error(error, path=target, writes=True) from error
    except OSError as error:
        raise Refused(f"{source} cannot be recovered: {error.strerror or error}") from error


def _recovered(
    source: Path, target: Path, tell: Progress, now_us: int, *, dry_run: bool
) -> Recovered:
    with _unfinished(target) as (fresh, found):
        with closing(_new_database(fresh, found)) as db:
            lost = _filled(db, source, tell, now_us)
            saved = [_count(db, table) for table in ("sessions", "messages")]
            if not any(saved) and not _count(db, "snapshots"):
                raise Refused(f"{source}: nothing of a store of ours can be read in it")
            db.execute("DETACH found")
            db.execute("PRAGMA journal_mode = WAL")
        tell("what was saved")
        lost += [f"what was saved is not in order: {one}" for one in verify_file(fresh).problems]
        if not dry_run:
            _put_into_place(fresh, target)
    return Recovered(sessions=saved[0], messages=saved[1], lost=tuple(lost))


def _filled(db: sqlite3.Connection, source: Path, tell: Progress, now_us: int) -> list[str]:
    """Put all that can be read into the new database; a sentence for each loss."""
    tell("the pages of the file")
    db.execute("BEGIN")
    triggers = _without_triggers(db)  # they number and count, and let no number be left out
    with opened(source) as image:
        gathered, lost = gather_chosen(image, db)
    tell("what belongs to the store")
    lost += decide(db, gathered, now_us)
    for sql in triggers:
        db.execute(sql)
    forget(db)
    db.execute("COMMIT")
    return lost


def _put_into_place(fresh: Path, target: Path) -> None:
    sync(fresh)
    try:
        os.link(fresh, target)
    except FileExistsError:
        raise _taken(target) from None
    sync(target.parent)


def _taken(path: Path) -> Refused:
    return Refused(f"{path} exists: recover into an empty directory")


@contextmanager
def _unfinished(target: Path) -> Iterator[tuple[Path, Path]]:
    """Names for the new database and for what was found, both of which go away again."""
    fresh = target.with_name(copy_name(target, "new"))
    found = target.with_name(copy_name(target, "found"))
    try:
        new_file(fresh)
        new_file(found)
        yield fresh, found
    finally:
        for path in (*with_logs(fresh), *with_logs(found)):
            path.unlink(missing_ok=True)


def _new_database(fresh: Path, found: Path) -> sqlite3.Connection:
    """An empty store, with ``found`` attached; neither is kept unless all goes well."""
    db = sqlite3.connect(uri(fresh, "mode=rw"), uri=True, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode = MEMORY")
        db.execute("PRAGMA page_size = 4096")
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        schema.upgrade(db, schema.shipped())
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute("PRAGMA temp_store = MEMORY")
        db.execute("PRAGMA synchronous = OFF")  # synced before anyone can see it
        db.execute("ATTACH ? AS found", (uri(found, "mode=rw"),))
        db.execute("PRAGMA found.journal_mode = OFF")
    except BaseException:
        db.close()
        raise
    return db


def _without_triggers(db: sqlite3.Connection) -> list[str]:
    """Take the triggers off; the statements that make them again."""
    found = db.execute("SELECT name, sql FROM main.sqlite_schema WHERE type = 'trigger'").fetchall()
    for name, _ in found:
        db.execute(f"DROP TRIGGER main.{name}")
    return [sql for _, sql in found]


def _count(db: sqlite3.Connection, table: str) -> int:
    return int(db.execute(f"SELECT count(*) FROM main.{table}").fetchone()[0])
