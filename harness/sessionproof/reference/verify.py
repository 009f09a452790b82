"""Looking at everything: the audit of a file, and the digests of its messages.

A database that this process has open is looked at through connections of SQLite's own: to open the
file otherwise, and to close it, would give back the locks that the process has on it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from sessionproof.audit.checks import shown
from sessionproof.audit.examine import Further, Progress, examine
from sessionproof.audit.file import IN_PLACE, Reading, Unreadable, on_committed_state
from sessionproof.audit.result import EXAMPLES_MAX, Audit, Problem
from sessionproof.contract.errors import Refused
from sessionproof.contract.upkeep import Verified
from sessionproof.reference import verify_session
from sessionproof.reference.codec import from_value
from sessionproof.reference.connections import connect
from sessionproof.reference.digest import (
    SESSION_TEXT,
    SNAPSHOT_TEXT,
    STATE_TEXT,
    TEXT,
    add_function,
)
from sessionproof.reference.failures import ERRORS, as_store_error, is_damage, one_line
from sessionproof.reference.files import present
from sessionproof.reference.finding.looking import index_problems
from sessionproof.reference.steps import APPLICATION_ID, shipped

_CACHE_KIB = 65_536
_UNVERIFIED = "{:,} of the {} have no digest: another program or an earlier release wrote them"
_OWNER = "LEFT JOIN sessions AS s ON s.id ="


@dataclass(frozen=True)
class _Summed:
    """A table with digests: what is shown of a row beside its session, and where it is."""

    table: str
    column: str
    text: str
    shown: str
    rows: str

    @property
    def changed(self) -> str:
        """SQL for session and name of each row that is not what was written."""
        kept = f"CAST({self.column} AS BLOB)"
        return (
            f"SELECT session_id, {self.shown} FROM {self.rows} "
            f"WHERE {self.column} IS NOT NULL AND NOT same_digest({self.text}, {kept})"
        )


_SUMMED = (
    _Summed("messages", "m.digest", TEXT, "m.seq", f"messages AS m {_OWNER} m.sid"),
    _Summed("sessions", "sessions.checksum", SESSION_TEXT, "'facts'", "sessions"),
    _Summed("state", "v.checksum", STATE_TEXT, "v.key", f"state AS v {_OWNER} v.sid"),
    _Summed("snapshots", "p.digest", SNAPSHOT_TEXT, "p.snapshot_id", "snapshots AS p"),
)


def verified(path: Path, session_id: str | None = None) -> Verified:
    """Look at the whole database, or one session; of a database that this process has open.

    Damage is answered as problems. Raises ``Refused`` when it cannot be looked at for another
    reason.
    """
    try:
        with closing(_reader(path)) as connection:
            if session_id is not None:
                return verify_session.verified(connection, session_id)
            with closing(_reader(path)) as second:
                reading = Reading(connection, second, IN_PLACE, writable=True)
                found = examine(reading, path, _silent, further=_digests([]))
    except ERRORS as error:
        if is_damage(error):
            return Verified((one_line(f"{path} cannot be read: {error}"),))
        raise as_store_error(error, path=path, writes=False) from error
    return Verified(tuple(sentences(found)))


def verify_file(path: os.PathLike[str] | str) -> Verified:
    """Look at the database in a directory, or at a database file, without changing anything.

    Raises ``Refused`` in one line when there is no database of ours. Not for a file that this
    process has open.
    """
    return Verified(tuple(sentences(examined_file(path))))


def examined_file(path: os.PathLike[str] | str, *, progress: Progress | None = None) -> Audit:
    """What ``verify_file`` found, in full; raises as it does."""
    file = present(path)
    notes: list[str] = []

    def look(reading: Reading) -> Audit:
        notes.clear()
        return examine(reading, file, progress or _silent, further=_digests(notes))

    try:
        found = on_committed_state(file, look)
    except Unreadable as error:
        raise Refused(str(error)) from error
    _check_ours(found, file)
    return replace(found, notes=(*notes, *found.notes))


def sentences(found: Audit) -> Iterator[str]:
    """What is wrong, a line for each problem, and what could not be checked."""
    for one in found.problems:
        examples = "; ".join(map(one_line, one.examples))
        yield f"{one_line(one.what)}: {examples}" if examples else one_line(one.what)
    for left in found.unchecked:
        yield one_line(f"could not be checked: {left}")


def _reader(path: Path) -> sqlite3.Connection:
    """A connection in a read transaction, so that all its answers are of one state."""
    connection = connect(path, writes=False, synchronous="NORMAL")
    try:
        connection.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}").close()
        connection.execute("BEGIN").close()
    except BaseException:
        connection.close()
        raise
    return connection


def _digests(notes: list[str]) -> Further:
    """The question whether rows are what was written; adds to ``notes`` what has no digest."""

    def compare(connection: sqlite3.Connection) -> Iterator[Problem]:
        add_function(connection)
        for one in _SUMMED:
            yield from _changed(connection, one, notes)

    return {"digests": compare, "the search": index_problems}


def _changed(
    connection: sqlite3.Connection, summed: _Summed, notes: list[str]
) -> Iterator[Problem]:
    column = summed.column.partition(".")[2]
    columns = connection.execute(f"SELECT name FROM pragma_table_info('{summed.table}')").fetchall()
    if not columns:
        return  # an earlier release made the file
    there = (column,) in columns  # as above
    (without,) = connection.execute(
        f"SELECT COUNT(*) FROM {summed.table} WHERE {column if there else 'NULL'} IS NULL"
    ).fetchone()
    if without:
        notes.append(_UNVERIFIED.format(without, summed.table))
    rows = connection.execute(summed.changed).fetchall() if there else []
    changed = [(from_value(name), row) for name, row in rows]
    if changed:
        sessions = len({name for name, _ in changed})
        yield Problem(
            kind="changed-content", table=summed.table, column=column,
            count=len(changed),
            what=f"{len(changed)} {summed.table} of {sessions} sessions are not as written",
            examples=tuple(f"{shown(name)}: {shown(row)}" for name, row in changed[:EXAMPLES_MAX]),
        )  # fmt: skip


def _check_ours(found: Audit, file: Path) -> None:
    application = found.settings.get("application_id")
    damaged = any(one.kind == "corrupt-file" for one in found.problems)
    if application != APPLICATION_ID and found.schema != "reference" and not damaged:
        raise Refused(
            f"{file} is no database of the reference store: sessionproof audit looks at others"
        )
    version = int(found.settings.get("user_version", 0))
    if application == APPLICATION_ID and version > len(shipped()):
        raise Refused(
            f"{file} has schema version {version}, this release knows {len(shipped())}: "
            "upgrade sessionproof"
        )


def _silent(_step: str) -> None:
    """Nobody is told."""
