"""Taking over a file of an old schema, or of an earlier release, into a directory.

The new database is built under another name, verified, and only then put into its place. The old
file is copied byte for byte into the folder ``migrated`` beside it, and what is read is this copy:
so what was taken over and what ``rollback`` gives back are one. A source that lies elsewhere is
only read; one that is the directory's own ``sessions.db`` is replaced in one step.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

from sessionproof.audit.catalog import Catalog, catalog
from sessionproof.audit.checks import integrity_problems
from sessionproof.audit.file import Reading, Unreadable, on_committed_state
from sessionproof.audit.known import KNOWN
from sessionproof.audit.recognise import recognise
from sessionproof.audit.tables import quoted
from sessionproof.contract.clock import SystemClock
from sessionproof.contract.errors import Refused
from sessionproof.contract.upkeep import Migrated
from sessionproof.reference import steps as schema
from sessionproof.reference.copying import on_state
from sessionproof.reference.failures import ERRORS, as_store_error
from sessionproof.reference.files import copy_name, held_alone, open_alone
from sessionproof.reference.legacy import kept as keeping
from sessionproof.reference.legacy.aside import Aside
from sessionproof.reference.legacy.kept import Kept
from sessionproof.reference.legacy.layouts import LAYOUTS
from sessionproof.reference.legacy.reading import Old
from sessionproof.reference.legacy.takeover import take_over
from sessionproof.reference.legacy.values import Manner
from sessionproof.reference.opening import FILE, new_file, sync, uri
from sessionproof.reference.verify import verify_file

Told: TypeAlias = Callable[[str], None]

_OURS = "reference"
_AS_IT_IS = Manner()


def migrate(
    file: os.PathLike[str] | str,
    directory: os.PathLike[str] | str,
    *,
    dry_run: bool = False,
    manner: Manner = _AS_IT_IS,
    progress: Told | None = None,
) -> Migrated:
    """Take over ``file`` into the directory's ``sessions.db``; again, it changes nothing.

    A dry run reads everything and writes nothing there. Raises ``Refused`` in one line, and then
    nothing was changed.
    """
    told = progress or (lambda _: None)
    place = _directory(directory)
    source, target = _source(file), place / FILE
    before = keeping.load(place)
    inside = target.exists() and target.samefile(source)
    try:
        version = version_at(target) if target.exists() else None
        if version is not None and (not inside or version >= len(schema.shipped())):
            return _again(before, source, place, inside=inside)
        if target.is_symlink():
            raise Refused(f"{target} is a link: choose another directory")
        if target.exists() and not inside:
            raise Refused(f"{target} is a database already: choose an empty directory")
        left = [log for log in ("-wal", "-journal") if Path(f"{target}{log}").exists()]
        if left and not inside:
            raise Refused(f"{target}{left[0]} is there without its database: move it away")
        if dry_run:
            return _tried(source, manner, told)
        return _migrated(source, place, before, manner, inside=inside, told=told)
    except ERRORS as error:
        raise as_store_error(error, path=source, writes=False) from error
    except Unreadable as error:
        raise Refused(str(error)) from error
    except OSError as error:
        where = error.filename or place
        raise Refused(f"{where}: {error.strerror or error}; nothing was changed") from error


def version_at(target: Path) -> int | None:
    """The schema version of a database of ours; None for another, or one that cannot be read.

    It is not touched, and may be open.
    """
    try:
        with closing(sqlite3.connect(uri(target, "mode=ro&immutable=1"), uri=True)) as header:
            application = header.execute("PRAGMA application_id").fetchone()[0]
            return schema.version_of(header) if application == schema.APPLICATION_ID else None
    except ERRORS:
        return None


def _directory(given: os.PathLike[str] | str) -> Path:
    place = Path(given).absolute()
    if not place.is_dir():
        raise Refused(f"{place} is no directory: make it first")
    return place


def _source(file: os.PathLike[str] | str) -> Path:
    source = Path(file).absolute()
    if not source.exists():
        raise Refused(f"{source} does not exist: name a database file")
    if not source.is_file():
        raise Refused(f"{source} is no file: name a database file")
    return source.resolve()


def _again(before: Kept | None, source: Path, place: Path, *, inside: bool) -> Migrated:
    """What to say of a directory that has a database of this release."""
    if before is not None and (inside or keeping.digests_of(source) == before.digests):
        return before.answer()
    if inside:  # it is of this release: there is nothing to migrate
        return on_state(source, _counted)
    if before is not None and before.source == str(source):
        raise Refused(
            f"{source} has changed since it was migrated: choose another directory, or roll "
            f"{place} back first"
        )
    raise Refused(f"{place / FILE} is a database already: choose an empty directory")


def _tried(source: Path, manner: Manner, told: Told) -> Migrated:
    """What a migration would take over."""

    def count(reading: Reading) -> Migrated:
        aside = Aside(None)
        return _read(reading, None, source, aside=aside, manner=manner, told=told)[1]

    return on_committed_state(source, count)


def _migrated(
    source: Path, place: Path, before: Kept | None, manner: Manner, *, inside: bool, told: Told
) -> Migrated:
    mark = secrets.token_hex(8)
    fresh = place / f"{FILE}.{mark}.new"
    folder = place / f"{keeping.FOLDER}.{mark}.new"
    try:
        folder.mkdir(mode=0o700)
        told(str(source))
        digests = keeping.copy_old(source, folder)
        name, answer = _built(source, fresh, folder, manner, told)
        told("what was built")
        _require_sound(fresh, source)
        made = Kept(
            folder=folder,
            source=None if inside else str(source),
            name=source.name,
            schema=name,
            digests=digests,
            mode=keeping.mode_of(source),
            sessions=answer.sessions,
            messages=answer.messages,
            set_aside=answer.set_aside,
            notes=answer.notes,
        )
        keeping.write(made)
        _publish(made, fresh, source, place, before, inside=inside)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for name in ("", "-wal", "-shm", "-journal"):
            Path(f"{fresh}{name}").unlink(missing_ok=True)
    return answer


def _built(
    source: Path, fresh: Path, folder: Path, manner: Manner, told: Told
) -> tuple[str, Migrated]:
    """Build the new database of the copy of the old one; the name of its schema, and counts."""
    new_file(fresh)
    aside = folder / keeping.ASIDE
    new_file(aside)
    with (
        aside.open("w", encoding="ascii") as lines,
        closing(sqlite3.connect(uri(fresh, "mode=rw"), uri=True, isolation_level=None)) as new,
    ):
        new.execute("PRAGMA synchronous = OFF")  # synced when it is whole
        new.execute("PRAGMA journal_mode = MEMORY")

        def read(reading: Reading) -> tuple[str, Migrated]:
            return _read(reading, new, source, aside=Aside(lines), manner=manner, told=told)

        copy = keeping.old_in(folder, source.name)
        try:
            name, answer = on_committed_state(copy, read)
        except Unreadable as error:
            raise Refused(str(error).replace(str(copy), str(source))) from error
        new.execute("PRAGMA journal_mode = WAL")
        lines.flush()
        os.fsync(lines.fileno())
    if not aside.stat().st_size:
        aside.unlink()
    sync(fresh)
    return name, answer


def _read(
    reading: Reading,
    new: sqlite3.Connection | None,
    source: Path,
    *,
    aside: Aside,
    manner: Manner,
    told: Told,
) -> tuple[str, Migrated]:
    """Take over what is read into ``new``, or count it: the schema's name, and the answer."""
    db = reading.connection
    found = catalog(db)
    settings: dict[str, int | str] = {
        name: db.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version")
    }
    known = recognise(found, settings, KNOWN)
    if known is None or known.name not in (_OURS, *LAYOUTS):
        what = "its schema is not known" if known is None else f"its schema is {known.name}"
        raise Refused(f"{source} cannot be migrated: {what} (known: {', '.join(LAYOUTS)})")
    told("integrity")
    for problem in integrity_problems(db):
        if problem.kind == "corrupt-file":  # indexes are not used, and rules of rows not needed
            how = "" if known.name == _OURS else " with .recover of SQLite's own command"
            raise Refused(f"{source} is damaged ({problem.examples[0]}): recover it first{how}")
    if known.name == _OURS:
        return _OURS, _upgraded(db, new, source)
    if new is not None:
        new.execute("PRAGMA page_size = 4096")
        new.execute("PRAGMA auto_vacuum = INCREMENTAL")
        schema.upgrade(new, schema.shipped())
    layout = LAYOUTS[known.name]
    old = Old(db, found, layout, manner=manner, aside=aside)
    taken = take_over(old, new, now_us=SystemClock().now_us(), told=told)
    notes = (*aside.notes(), *taken.notes(), *_left(db, found, layout.tables))
    return known.name, Migrated(
        changed=True, sessions=taken.sessions, messages=taken.messages,
        set_aside=aside.number, notes=notes,
    )  # fmt: skip


def _upgraded(db: sqlite3.Connection, new: sqlite3.Connection | None, source: Path) -> Migrated:
    """A database of an earlier release: its pages, and the steps that it misses."""
    version, last = schema.version_of(db), len(schema.shipped())
    if version > last:
        raise Refused(
            f"{source} has schema version {version}, this release knows {last}: "
            "upgrade sessionproof"
        )
    if new is not None:
        db.backup(new)
        schema.upgrade(new, schema.shipped())
    return _counted(db, changed=True)


def _counted(db: sqlite3.Connection, *, changed: bool = False) -> Migrated:
    """The answer for a database of ours."""
    sessions, messages = (
        db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
        for table in ("sessions", "messages")
    )
    return Migrated(changed=changed, sessions=sessions, messages=messages)


def _left(db: sqlite3.Connection, found: Catalog, taken: frozenset[str]) -> list[str]:
    """A sentence on the tables with rows that have no place in the new schema."""
    there = []
    for name in sorted(found.tables.keys() - taken):
        if not found.tables[name].virtual and not name.startswith("sessionproof_"):  # our guards
            (number,) = db.execute(f"SELECT COUNT(*) FROM {quoted(name)}").fetchone()
            there += [f"{name} ({number:,})"] if number else []
    return [f"kept in the old file alone: rows of {', '.join(there)}"] if there else []


def _require_sound(fresh: Path, source: Path) -> None:
    problems = verify_file(fresh).problems
    if problems:
        raise Refused(
            f"what was built of {source} is not in order ({problems[0]}); nothing was changed"
        )


def _publish(
    made: Kept, fresh: Path, source: Path, place: Path, before: Kept | None, *, inside: bool
) -> None:
    """Put the kept file and the new database into their places: first the one, then the other."""
    final = place / keeping.FOLDER
    if before is not None:  # of a migration that did not come to its end
        _clear(before, made)
    try:
        made.folder.rename(final)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            raise Refused(f"{final} was made meanwhile: another migration is under way") from error
        raise
    sync(place)
    try:
        if inside:
            _replaced(source, fresh, made)
        else:
            os.link(fresh, place / FILE)
            sync(place)
    except BaseException:
        final.rename(made.folder)  # which is removed
        raise


def _clear(before: Kept, made: Kept) -> None:
    """Make room for the folder; what is not kept a second time is not removed."""
    if before.digests == made.digests:
        shutil.rmtree(before.folder)
    else:
        series = before.folder.with_name(before.name)
        name = copy_name(series, "migrated", folder=before.folder.parent)
        before.folder.rename(before.folder.with_name(name))


def _replaced(target: Path, fresh: Path, made: Kept) -> None:
    """Put the new database into the place of the old one, which nobody uses and nobody wrote to."""
    with held_alone(target):
        if keeping.digests_of(target) != made.digests:
            raise Refused(f"{target} was written to meanwhile: stop its program, then try again")
    with closing(open_alone(target)) as alone:
        # What is left of a log would be replayed over the new file: the old one takes it in first.
        alone.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        alone.execute("PRAGMA journal_mode = DELETE").fetchall()
        fresh.replace(target)
        sync(target.parent)
