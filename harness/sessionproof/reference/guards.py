"""Guards for legacy databases: triggers that keep counters and references right, whoever writes.

The old program goes on with the old schema, in place. Counts are kept in a table of our own, step
by step; the counters of the sessions follow it, also when a program that still counts by hand
writes into them. So nothing is counted twice, and no write counts all messages of a session.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sessionproof.audit.schemas import Known, Sessions
from sessionproof.audit.sqltext import tokens
from sessionproof.audit.tables import quoted
from sessionproof.contract.errors import Refused
from sessionproof.contract.upkeep import Repaired
from sessionproof.reference import files
from sessionproof.reference.counting import Counting, counting, counting_triggers
from sessionproof.reference.in_place import Keep, Progress, changed
from sessionproof.reference.mending.rows import counters
from sessionproof.reference.mending.scene import Scene, scene_of

BEFORE = "before-guards"
"""The last part of the name of the copy that is made before guards are installed or removed."""

_COUNTS, _REPLACED = "sessionproof_counts", "sessionproof_replaced"
_NANO = 1_000_000_000  # fractions are kept as whole parts of this: sums of them leave no residue


def install_guards(
    path: os.PathLike[str] | str, *, dry_run: bool = True, progress: Progress | None = None
) -> Repaired:
    """Install guards in a database of a legacy schema; a dry run only says what would be done.

    Counters are computed once. Triggers that count are replaced, and kept for ``remove_guards``.
    Again, it changes nothing. Raises ``Refused`` for another schema, or while the file is in use.
    """
    file = files.present(path)
    return changed(file, _install, purpose=BEFORE, dry_run=dry_run, progress=progress)


def remove_guards(
    path: os.PathLike[str] | str, *, dry_run: bool = True, progress: Progress | None = None
) -> Repaired:
    """Take the guards away, and put the triggers back that they had replaced."""
    file = files.present(path)
    return changed(file, _remove, purpose=BEFORE, dry_run=dry_run, progress=progress)


def _install(connection: sqlite3.Connection, keep: Keep) -> tuple[str, ...]:
    scene = scene_of(connection, keep)
    known, sessions = scene.known, scene.known.sessions
    if known.application_id is not None or sessions is None:
        raise Refused(f"guards are for legacy schemas with messages; this one is {known.name!r}")
    replaced = counting_triggers(scene.found, known.name, sessions)
    guards = _guards(_Names(known, sessions, scene), _activity((*_earlier(scene), *replaced)))
    there = dict(
        connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    )
    if not replaced and all(
        tokens(there.get(name, "")) == tokens(sql) for name, sql in guards.items()
    ):
        return ()
    if _is_installed(connection):
        _drop(connection)
    else:
        connection.execute(f"CREATE TABLE {_REPLACED} (name TEXT PRIMARY KEY, sql TEXT NOT NULL)")
    for one in replaced:
        connection.execute(f"DROP TRIGGER {quoted(one.name)}")
        connection.execute(f"INSERT INTO {_REPLACED} VALUES (?, ?)", (one.name, one.sql))
        scene.changes.append(f"the trigger {one.name} is replaced, as it counts otherwise")
    counters(scene)
    for statement in _tables(_Names(known, sessions, scene)):
        connection.execute(statement)
    for sql in guards.values():
        connection.execute(sql)
    scene.changes.append(f"{len(guards)} triggers keep counters and references right")
    return tuple(scene.changes)


def _remove(connection: sqlite3.Connection, _keep: Keep) -> tuple[str, ...]:
    if not _is_installed(connection):
        return ()
    _drop(connection)
    replaced = connection.execute(f"SELECT name, sql FROM {_REPLACED} ORDER BY rowid").fetchall()
    for _, sql in replaced:
        connection.execute(sql)
    connection.execute(f"DROP TABLE {_REPLACED}")
    back = f"; put back: {', '.join(name for name, _ in replaced)}" if replaced else ""
    return (f"the guards are removed{back}",)


def _is_installed(connection: sqlite3.Connection) -> bool:
    found = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?"
    return connection.execute(found, (_REPLACED,)).fetchone() is not None


def _drop(connection: sqlite3.Connection) -> None:
    """All but the table of what was replaced."""
    names = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name GLOB 'sessionproof_*'"
    ).fetchall()
    for (name,) in names:
        connection.execute(f"DROP TRIGGER {quoted(name)}")
    connection.execute(f"DROP TABLE IF EXISTS {_COUNTS}")


def _earlier(scene: Scene) -> list[Counting]:
    """The triggers that guards replaced when they were installed before."""
    sessions = scene.known.sessions
    if sessions is None or not _is_installed(scene.connection):
        return []
    query = f"SELECT name, sql FROM {_REPLACED} ORDER BY rowid"
    each = [
        counting(name, sql, scene.known.name, sessions)
        for name, sql in scene.connection.execute(query).fetchall()
    ]
    return [one for one in each if one is not None]


def _activity(replaced: Sequence[Counting]) -> str:
    """What replaced triggers set beside counters when a message came, as SQL."""
    times = dict(pair for one in replaced if one.event == "insert" for pair in one.times)
    return "".join(f", {quoted(column)} = {value}" for column, value in times.items())


@dataclass(frozen=True, slots=True)
class _Names:
    """The tables and columns of a legacy schema as the guards' SQL writes them."""

    known: Known
    sessions: Sessions
    scene: Scene

    @property
    def parent(self) -> str:
        return quoted(self.sessions.table)

    @property
    def key(self) -> str:
        return quoted(self.sessions.key)

    @property
    def messages(self) -> str:
        return quoted(self.sessions.messages)

    @property
    def of(self) -> str:
        """The messages' column of their session."""
        return quoted(self.sessions.message_key)

    @property
    def counters(self) -> dict[str, str | None]:
        """The counters that the file has, with the column that each adds up."""
        return {
            column: source
            for column, source in self.sessions.counters.items()
            if self.scene.found.has(self.sessions.table, column)
        }

    def is_fraction(self, column: str) -> bool:
        """Whether a counter adds up fractions."""
        return self.counters[column] in self.known.tables[self.sessions.messages].reals

    def step(self, column: str, row: str) -> str:
        """What one message adds to a counter."""
        source = self.counters[column]
        if source is None:
            return "1"
        one = f"coalesce({row}.{quoted(source)}, 0)"
        return f"CAST(round({one} * {_NANO}) AS INTEGER)" if self.is_fraction(column) else one

    def kept(self, column: str, row: str) -> str:
        """A counter of the sessions, of a row of our own counts."""
        one = f"{row}.{quoted(column)}"
        return f"{one} / {_NANO}.0" if self.is_fraction(column) else one

    def each(self, form: Callable[[str], str], between: str = ", ") -> str:
        """All counters in one form."""
        return between.join(form(column) for column in self.counters)

    def real(self, session: str) -> str:
        """A SELECT of all counters of a session, computed from its messages."""
        sums = self.each(
            lambda one: (
                "COUNT(*)"
                if self.counters[one] is None
                else f"coalesce(SUM({self.step(one, 'm')}), 0)"
            )
        )
        return f"SELECT {sums} FROM {self.messages} AS m WHERE m.{self.of} = {session}"

    def same_row(self, but: str = "") -> str:
        """Of messages m: those that a new or changed row would replace."""
        unique = self.known.tables[self.sessions.messages].unique
        there = [one for one in unique if self.scene.found.has(self.sessions.messages, *one)]
        each = [" AND ".join(f"m.{quoted(c)} = NEW.{quoted(c)}" for c in one) for one in there]
        return f"({' OR '.join(f'({one})' for one in each)}){but}"


def _tables(names: _Names) -> list[str]:
    columns = names.each(lambda one: f"{quoted(one)} INTEGER NOT NULL DEFAULT 0")
    some = names.each(quoted)
    return [
        f"CREATE TABLE {_COUNTS} (session TEXT PRIMARY KEY NOT NULL, {columns}, "
        "doubtful INTEGER NOT NULL DEFAULT 0)",
        f"CREATE INDEX sessionproof_doubtful ON {_COUNTS} (doubtful) WHERE doubtful",
        f"INSERT INTO {_COUNTS} (session) SELECT {names.key} FROM {names.parent} "
        f"WHERE {names.key} IS NOT NULL",
        f"UPDATE {_COUNTS} SET ({some}) = ({names.real(f'{_COUNTS}.session')})",
    ]


def _guards(names: _Names, activity: str) -> dict[str, str]:
    """The triggers by name."""
    bodies = {**_of_messages(names, activity), **_of_sessions(names)}
    return {
        f"sessionproof_{name}": f"CREATE TRIGGER sessionproof_{name} {when} BEGIN {body} END"
        for name, (when, body) in bodies.items()
    }


def _of_messages(n: _Names, activity: str) -> dict[str, tuple[str, str]]:
    counted = f"UPDATE {_COUNTS} SET"
    sure = "AND NOT doubtful;"
    more = n.each(lambda one: f"{quoted(one)} = {quoted(one)} + {n.step(one, 'NEW')}")
    less = n.each(lambda one: f"{quoted(one)} = {quoted(one)} - {n.step(one, 'OLD')}")
    # REPLACE removes rows without a word: whose session it is counts anew, once.
    doubt = f"{counted} doubtful = 1 WHERE session IN (SELECT m.{n.of} FROM {n.messages} AS m WHERE"
    anew = (
        f"{counted} ({n.each(quoted)}, doubtful) = "
        f"(SELECT r.*, 0 FROM ({n.real(f'{_COUNTS}.session')}) AS r) WHERE doubtful;"
    )
    lost = (
        "SELECT RAISE(ABORT, 'a message needs its session') WHERE NOT EXISTS "
        f"(SELECT 1 FROM {n.parent} AS s WHERE s.{n.key} = NEW.{n.of});"
    )
    active = ""
    if activity:
        active = f"UPDATE {n.parent} SET {activity[2:]} WHERE {n.key} = NEW.{n.of};"
    sources = [source for source in n.counters.values() if source is not None]
    keys = {n.sessions.message_key}
    keys |= {column for one in n.known.tables[n.sessions.messages].unique for column in one}
    keys &= set(n.scene.found.tables[n.sessions.messages].columns)
    return {
        "message_comes": (
            f"BEFORE INSERT ON {n.messages}", f"{lost} {doubt} {n.same_row()});",
        ),
        "message_came": (
            f"AFTER INSERT ON {n.messages}",
            f"{counted} {more} WHERE session = NEW.{n.of} {sure} {anew} {active}",
        ),
        "message_went": (
            f"AFTER DELETE ON {n.messages}",
            f"{counted} {less} WHERE session = OLD.{n.of} {sure} {anew}",
        ),
        "message_changes": (
            f"BEFORE UPDATE OF {', '.join(map(quoted, sorted(keys)))} ON {n.messages}",
            f"{lost} {doubt} {n.same_row(' AND m.rowid <> OLD.rowid')});",
        ),
        "message_changed": (
            f"AFTER UPDATE OF {', '.join(map(quoted, sorted(keys | {*sources})))} ON {n.messages}",
            f"{counted} {less} WHERE session = OLD.{n.of} {sure} "
            f"{counted} {more} WHERE session = NEW.{n.of} {sure} {anew}",
        ),
    }  # fmt: skip


def _of_sessions(n: _Names) -> dict[str, tuple[str, str]]:
    """The sessions' counters are what our own say; nothing of a session outlives it."""
    differs = n.each(lambda one: f"NEW.{quoted(one)} IS NOT {n.kept(one, 'c')}", " OR ")
    follow = n.each(lambda one: f"{quoted(one)} = {n.kept(one, 'NEW')}")
    right = (
        f"UPDATE {n.parent} SET ({n.each(quoted)}) = "
        f"(SELECT {n.each(lambda one: n.kept(one, 'c'))} FROM {_COUNTS} AS c "
        f"WHERE c.session = NEW.{n.key}) WHERE {n.key} = NEW.{n.key};"
    )
    moved = n.each(lambda one: f"NEW.{quoted(one)} IS NOT OLD.{quoted(one)}", " OR ")
    belong = [
        f"DELETE FROM {quoted(one.table)} WHERE {quoted(one.columns[0])} = OLD.{n.key};"
        for one in n.known.references
        if (one.parent, one.keys) == (n.sessions.table, (n.sessions.key,))
        and n.scene.found.has(one.table, *one.columns)
    ]
    anew = (  # a row that was replaced has messages, and so has an id with orphans
        f"DELETE FROM {_COUNTS} WHERE session = NEW.{n.key}; "
        f"INSERT INTO {_COUNTS} (session, {n.each(quoted)}) "
        f"SELECT NEW.{n.key}, r.* FROM ({n.real(f'NEW.{n.key}')}) AS r; {right}"
    )
    renamed = f"WHEN NEW.{n.key} IS NOT OLD.{n.key}"
    own = f"SELECT 1 FROM {_COUNTS} AS c WHERE c.session = NEW.{n.key}"
    return {
        "counts_moved": (
            f"AFTER UPDATE ON {_COUNTS} WHEN {moved}",
            f"UPDATE {n.parent} SET {follow} WHERE {n.key} = NEW.session;",
        ),
        "counters_written": (
            f"AFTER UPDATE OF {n.each(quoted)} ON {n.parent} "
            f"WHEN EXISTS ({own} AND ({differs}))",
            right,
        ),
        "session_came": (
            f"AFTER INSERT ON {n.parent} WHEN NEW.{n.key} IS NOT NULL",
            anew,
        ),
        "session_renames": (
            f"BEFORE UPDATE OF {n.key} ON {n.parent} {renamed}",
            "SELECT RAISE(ABORT, 'a session with messages keeps its id') WHERE EXISTS "
            f"(SELECT 1 FROM {n.messages} AS m WHERE m.{n.of} = OLD.{n.key});",
        ),
        "session_renamed": (
            f"AFTER UPDATE OF {n.key} ON {n.parent} {renamed} AND NEW.{n.key} IS NOT NULL",
            f"DELETE FROM {_COUNTS} WHERE session = OLD.{n.key}; {anew}",
        ),
        "session_went": (
            f"AFTER DELETE ON {n.parent}",
            f"{' '.join(belong)} DELETE FROM {_COUNTS} WHERE session = OLD.{n.key};",
        ),
    }  # fmt: skip
