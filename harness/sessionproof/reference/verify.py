"""Looking at everything: the audit of a file, and the digests of its messages.

A database that this process has open is looked at through connections of SQLite's own: to open the
file otherwise, and to close it, would give back the locks that the process has on it.
"""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
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
from sessionproof.reference.digest import TEXT, add_function
from sessionproof.reference.failures import ERRORS, as_store_error, is_damage, one_line
from sessionproof.reference.files import present
from sessionproof.reference.steps import APPLICATION_ID, shipped

_CACHE_KIB = 65_536
_UNVERIFIED = (
    "{:,} of the messages have no digest: another program or an earlier release wrote them"
)
_CHANGED = (
    "SELECT s.session_id, m.seq FROM messages AS m LEFT JOIN sessions AS s ON s.id = m.sid "
    f"WHERE m.digest IS NOT NULL AND NOT same_digest({TEXT}, CAST(m.digest AS BLOB)) ORDER BY m.id"
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


def verify_file(path: os.PathLike[str] | str, *, progress: Progress | None = None) -> Verified:
    """Look at the database in a directory, or at a database file, without changing anything.

    Raises ``Refused`` in one line when there is no database of ours. Not for a file that this
    process has open.
    """
    return Verified(tuple(sentences(examined_file(path, progress=progress))))


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
    """The question whether messages are what was written; adds to ``notes`` what has no digest."""

    def compare(connection: sqlite3.Connection) -> Iterator[Problem]:
        add_function(connection)
        (without,) = connection.execute(
            "SELECT COUNT(*) FROM messages WHERE digest IS NULL"
        ).fetchone()
        if without:
            notes.append(_UNVERIFIED.format(without))
        changed = [(from_value(name), seq) for name, seq in connection.execute(_CHANGED).fetchall()]
        if changed:
            sessions = Counter(name for name, _ in changed)
            yield Problem(
                kind="changed-content", table="messages", column="digest", count=len(changed),
                what=f"{len(changed)} messages of {len(sessions)} sessions are not as written",
                examples=tuple(f"{shown(name)}: {seq}" for name, seq in changed[:EXAMPLES_MAX]),
            )  # fmt: skip

    return {"digests": compare}


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
