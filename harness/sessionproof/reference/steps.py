"""The schema: numbered steps of SQL, applied in order, each once.

``PRAGMA user_version`` is the number of the last step that a file has; ``application_id`` says
that the file is ours. Steps are never changed once released: a new one is added.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from importlib import resources

from sessionproof.contract.errors import Refused

APPLICATION_ID = 0x53505246  # "SPRF"

_NAME = re.compile(r"(\d{4})_(\w+)\.sql")


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its number from 1, its name, its statements."""

    number: int
    name: str
    sql: str


Steps = tuple[Step, ...]


def shipped() -> Steps:
    """The steps of this package, numbered from 1 without a gap."""
    return steps_in(__package__)


@cache
def steps_in(package: str) -> Steps:
    """The steps that lie in the folder ``schema`` of a package, numbered without a gap."""
    found = []
    for file in (resources.files(package) / "schema").iterdir():
        match = _NAME.fullmatch(file.name)
        if match:
            found.append(Step(int(match[1]), match[2], file.read_text("utf-8")))
    found.sort(key=lambda step: step.number)
    if [step.number for step in found] != list(range(1, len(found) + 1)) or not found:
        raise RuntimeError("the steps in schema/ must be numbered 0001, 0002, … without a gap")
    return tuple(found)


def version_of(connection: sqlite3.Connection) -> int:
    """The number of the last step that the database has; 0 for a new one."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def upgrade(connection: sqlite3.Connection, steps: Steps) -> None:
    """Bring the database to the last step, in one transaction: all of it or nothing.

    ``connection`` is in autocommit mode. Raises ``Refused`` when the file is newer, or when rows
    would be left without what they refer to.
    """
    connection.execute("PRAGMA foreign_keys = OFF")  # a step may rebuild a table
    connection.execute("BEGIN IMMEDIATE")
    try:
        missing = steps[
            version_of(connection) :
        ]  # read again: another process may have been faster
        for step in missing:
            for statement in statements(step.sql):
                connection.execute(statement)
        if missing:
            dangling = connection.execute("PRAGMA foreign_key_check").fetchone()
            if dangling:
                raise Refused(f"the upgrade would leave rows of {dangling[0]} without their parent")
            connection.execute(f"PRAGMA user_version = {len(steps)}")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def statements(sql: str) -> Iterator[str]:
    """The statements of a script; the bodies of triggers stay whole."""
    pending = ""
    for line in sql.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending.strip()
            pending = ""
    if any(line.strip() and not line.strip().startswith("--") for line in pending.splitlines()):
        raise ValueError(f"unfinished statement: {pending.strip()[:80]!r}")


def differences(connection: sqlite3.Connection, steps: Steps) -> Sequence[str]:
    """What the database lacks, or has otherwise than the steps make it; more is no difference."""
    present = _objects(connection)
    return [
        f"{name} is {'missing' if name not in present else 'changed'}"
        for name, sql in _expected(steps).items()
        if present.get(name) != sql
    ]


@cache
def _expected(steps: Steps) -> Mapping[str, str]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        upgrade(connection, steps)
        return _objects(connection)


def _objects(connection: sqlite3.Connection) -> dict[str, str]:
    rows = connection.execute(
        "SELECT type || ' ' || name, sql FROM sqlite_schema WHERE sql IS NOT NULL "
        "AND name NOT GLOB 'search_index_*'"  # FTS5 makes those, each release in its own words
    )
    return dict(rows.fetchall())
