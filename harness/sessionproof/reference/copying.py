"""Copies of databases: of one committed state, private, synced, and looked at before they count."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TypeAlias, TypeVar

from sessionproof.audit.checks import integrity_problems
from sessionproof.audit.file import Unreadable, on_committed_state
from sessionproof.contract.clock import SystemClock
from sessionproof.contract.errors import Refused
from sessionproof.reference.connections import WAIT_S, patiently
from sessionproof.reference.failures import DAMAGED, ERRORS
from sessionproof.reference.files import copy_name, open_here, series_of, with_logs
from sessionproof.reference.opening import new_file, sync, uri
from sessionproof.reference.steps import APPLICATION_ID
from sessionproof.reference.verify import verify_file

Progress: TypeAlias = Callable[[str], None]
"""Told what is looked at, again and again; may raise to end the work."""

T = TypeVar("T")

Rows: TypeAlias = Mapping[str, int]
"""How many rows each table has, by its name."""

PART = ".part"
"""How the name of a copy ends that is not finished."""

PAGES_AT_ONCE = 2_048
"""Pages that are copied before somebody is told."""

_LINES_MAX = 100_000  # of integrity_check, so that rows against a rule do not hide the rest
_LEFT_BEHIND_US = 24 * 3600 * 1_000_000  # no copy takes that long: whoever made it is gone


def quiet(_step: str) -> None:
    """A progress that nobody is told."""


@contextmanager
def to_read(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection that only reads, also beside writers, whose commits it then no longer sees."""
    connection = sqlite3.connect(
        uri(file, "mode=rw"), uri=True, isolation_level=None, timeout=WAIT_S
    )
    with closing(connection):
        connection.execute("PRAGMA query_only = ON").close()
        yield connection


def on_state(file: Path, work: Callable[[sqlite3.Connection], T]) -> T:
    """The answer of ``work`` for one committed state; it may be called again.

    Nothing beside the file is made, changed or merged. Raises ``Refused``.
    """
    if open_here(file):  # as any reader: to close the file would take the locks of the others
        with to_read(file) as connection, one_state(connection):
            return work(connection)
    try:
        return on_committed_state(file, lambda reading: work(reading.connection))
    except Unreadable as error:
        raise Refused(str(error)) from error


@contextmanager
def one_state(connection: sqlite3.Connection) -> Iterator[None]:
    """Within, all that the connection reads is of one committed state."""
    if connection.in_transaction:
        yield
        return

    def begin() -> None:
        connection.execute("BEGIN")
        try:
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        except BaseException:
            connection.execute("ROLLBACK")
            raise

    patiently(begin)
    try:
        yield
    finally:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")


@contextmanager
def unfinished(final: Path) -> Iterator[Path]:
    """A path for a private file that becomes ``final``; what is left of it is removed.

    Those that a process left behind are removed, too, when they are a day old.
    """
    part = final.with_name(f".{final.name}{PART}")
    _remove_left_behind(final)
    new_file(part)
    try:
        yield part
    finally:
        for one in with_logs(part):
            one.unlink(missing_ok=True)


def copied(connection: sqlite3.Connection, part: Path, progress: Progress) -> Rows:
    """Copy the committed state into the empty file ``part``, page by page, and sync it.

    Answers the rows of that state. The copy has no log, and needs none.
    """

    def tell(_status: int, remaining: int, total: int) -> None:
        progress(f"page {total - remaining:,} of {total:,}")

    target = sqlite3.connect(uri(part, "mode=rw"), uri=True, isolation_level=None)
    with closing(target), one_state(connection):
        target.execute("PRAGMA synchronous = OFF").close()  # synced below, before it counts
        target.execute("PRAGMA journal_mode = MEMORY").close()
        connection.backup(target, pages=PAGES_AT_ONCE, progress=tell)
        target.execute("PRAGMA journal_mode = DELETE").close()
        rows = row_counts(connection)
    sync(part)
    return rows


def kept_copy(connection: sqlite3.Connection, file: Path, purpose: str) -> Path:
    """A copy of what the connection sees, beside the file, as it is, whatever is wrong in it.

    One file, under a name of its own that says what it is for, as ``before-repair``.
    """
    final = file.with_name(copy_name(file, purpose, folder=file.parent))
    with unfinished(final) as part:
        copied(connection, part, quiet)
        part.rename(final)
    sync(final.parent)
    return final


def row_counts(connection: sqlite3.Connection) -> Rows:
    """How many rows each table has; tables that are made by code have none of their own."""
    names = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' "
        "ESCAPE '\\' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name"
    ).fetchall()
    return {
        name: connection.execute('SELECT count(*) FROM "{}"'.format(name.replace('"', '""')))
        .fetchone()[0]
        for (name,) in names
    }  # fmt: skip


def is_ours(connection: sqlite3.Connection) -> bool:
    """Whether the database is one of the reference store's."""
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    return application == APPLICATION_ID


def problems_of(file: Path, rows: Rows | None, *, as_it_is: bool = False) -> tuple[str, ...]:
    """What is wrong in a copy that this process has not open, a sentence each.

    All that ``verify`` finds in a store of ours; of other databases, and with ``as_it_is``, what
    SQLite finds. ``rows`` is what each table should have, if that is known.
    """
    try:
        with to_read(file) as connection:
            complete = is_ours(connection) and not as_it_is
            found = () if complete else damage(connection, indexes=not as_it_is)
            if not found and rows is not None:
                found = tuple(_differing(rows, row_counts(connection)))
    except ERRORS as error:
        return (f"SQLite cannot read it ({error})",)
    if found or not complete:
        return found
    try:
        problems = verify_file(file).problems
    except Refused as error:
        problems = (str(error),)
    return tuple(one.replace(str(file), "it") for one in problems)  # a name of our own


def damage(connection: sqlite3.Connection, *, indexes: bool = True) -> tuple[str, ...]:
    """What SQLite's own check of pages and, if asked for, of ``indexes`` finds, in sentences.

    Rows that break a rule of their table are no damage: they can be copied as they are.
    """
    ignored = {"broken-constraint"} if indexes else {"broken-constraint", "damaged-index"}
    try:
        found = [
            one
            for one in integrity_problems(connection, most=_LINES_MAX)
            if one.kind not in ignored
        ]
    except ERRORS as error:
        return (f"SQLite cannot read it ({error})",)
    return tuple(f"{one.what}: {' '.join(one.examples[0].split())}" for one in found)


def _differing(expected: Rows, found: Rows) -> Iterator[str]:
    for name in sorted({*expected, *found}):
        if expected.get(name) != found.get(name):
            yield (
                f"table {name} has {found.get(name, 'no')} rows, "
                f"and should have {expected.get(name, 'none')}"
            )


def _remove_left_behind(final: Path) -> None:
    beginning = f".{series_of(final)}."
    oldest_ns = (SystemClock().now_us() - _LEFT_BEHIND_US) * 1_000
    for one in final.parent.iterdir():
        if one.name.startswith(beginning) and one.name.endswith(PART):
            with suppress(OSError):  # another process removes it, too
                if one.stat().st_mtime_ns < oldest_ns:
                    one.unlink()


def told(error: sqlite3.Error | UnicodeDecodeError | OSError, what: str) -> Refused:
    """One line for what a file or SQLite said."""
    why: object = (error.strerror if isinstance(error, OSError) else None) or error
    if isinstance(error, UnicodeDecodeError):  # SQLite quoted a damaged text
        why = DAMAGED
    return Refused(f"{what}: {why}")
