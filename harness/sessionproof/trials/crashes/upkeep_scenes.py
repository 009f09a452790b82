"""What lies there before an upkeep that is to be interrupted, and the call that does it.

All of it lies below one folder: the store's location, a folder of backups, a file of another
schema. Nothing of it is traced; the call alone is.
"""

from __future__ import annotations

import importlib.resources
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sessionproof.audit.tables import quoted
from sessionproof.checks.flaws import told_of
from sessionproof.contract.location import Location
from sessionproof.contract.message import Message
from sessionproof.contract.operations import Append, Delete, Outcome, Upkeep
from sessionproof.contract.store import SqliteTables
from sessionproof.faults.crashes.images import image_in
from sessionproof.faults.tracing.recorder import Place
from sessionproof.trials.rounds import parent_of
from sessionproof.trials.single import Trial
from sessionproof.workload import lifetime, upkeep
from sessionproof.workload.guard import Handle
from sessionproof.workload.sessions import begin
from sessionproof.workload.texts import said, text_bytes
from sessionproof.workload.vocabulary import takes_times
from sessionproof.workload.whole_stores import LIVE, MADE, OLD

_TEXT_BYTES, _BIG_BYTES = 300, 9_000  # a big message takes several pages of a file
_ELSEWHERE = "../lending"
_FILE = "chat.db"
_FIRST_US = 1_700_000_000_000_000
_LIMITED, _LIMIT_US = ("first", "second", "third"), 1  # over at once, by any clock


class Unfit(Exception):
    """The store cannot be brought into this scene; the text is why."""


@dataclass(frozen=True)
class Scene:
    """``operation`` is what is asked for at ``place``; ``before`` says what was done until then."""

    operation: Upkeep
    place: Place
    before: tuple[str, ...]


def scene(trial: Trial, name: str) -> Scene:
    """The scene of this name, one of ``SCENES``; raises Unfit, CannotOpen."""
    missing = [one for one in NEEDS[name] if one not in trial.capabilities]
    if missing:
        raise Unfit(f"the store has no method {missing[0]}")
    with _folder(trial) as folder:
        return _MAKERS[name](_Making(trial, folder))


def _backup(making: _Making) -> Scene:
    """A store that has a backup, and has gone on since; one backup is to be kept."""
    _with_backup(making)
    operation = Upkeep("backup", (MADE,), {"keep": 1}, making.sessions)
    return making.scene(operation, location=LIVE)


def _restore(making: _Making) -> Scene:
    """The same; the backup is to be put back."""
    path = _with_backup(making)
    return making.scene(Upkeep("restore", (path, LIVE), {}, making.sessions))


def _first_backup(making: _Making) -> Scene:
    """A store that was never backed up."""
    with making.opened() as handle:
        making.say(handle, "kept", 3)
        making.say(handle, "grown", 3, big=True)
    return making.scene(Upkeep("backup", (MADE,), {}, making.sessions), location=LIVE)


def _restore_into_nothing(making: _Making) -> Scene:
    """A backup, and an empty directory."""
    path = _with_backup(making)
    shutil.rmtree(making.folder / LIVE)
    (making.folder / LIVE).mkdir()
    return making.scene(Upkeep("restore", (path, LIVE), {}, making.sessions))


def _sweep(making: _Making) -> Scene:
    """Sessions whose limits are over, and one without any."""
    with making.opened() as handle:
        making.say(handle, "kept", 3)
        for name in _LIMITED:
            making.say(handle, name, 2)
            limited = lifetime.set_limits(handle, making.id_of(name), idle_us=_LIMIT_US)
            making.ok("set_limits", limited)
            making.said.append(f"store.set_limits({name!r}, idle_us={_LIMIT_US})")
    return making.scene(Upkeep("sweep", (), {}, making.sessions), location=LIVE)


def _snapshot(making: _Making) -> Scene:
    """A session that is kept for the second time, with more in it."""
    _with_snapshot(making)
    operation = Upkeep("snapshot", (), {"session_id": making.id_of("grown")}, making.sessions)
    return making.scene(operation, location=LIVE)


def _restore_snapshot(making: _Making) -> Scene:
    """A session that was kept, and is gone."""
    kept = _with_snapshot(making)
    with making.opened() as handle:
        making.ok("delete", handle.invoke(Delete("grown"), making.id_of("grown")))
        making.said.append("store.delete('grown')")
    operation = Upkeep("restore_snapshot", (), {"snapshot_id": kept}, making.sessions)
    return making.scene(operation, location=LIVE)


def _with_snapshot(making: _Making) -> str:
    """Keep a session, and let it go on; the snapshot's id."""
    with making.opened() as handle:
        making.say(handle, "kept", 3)
        making.say(handle, "grown", 3, big=True)
        made = making.ok("snapshot", lifetime.snapshot(handle, making.id_of("grown")))
        making.said.append("store.snapshot('grown')")
        making.say(handle, "grown", 2)
    return str(made.value)


def _maintain(making: _Making) -> Scene:
    """A store that was never kept in order."""
    with making.opened() as handle:
        making.say(handle, "kept", 3)
        making.say(handle, "grown", 3, big=True)
    return making.scene(Upkeep("maintain", (), {}, making.sessions), location=LIVE)


def _with_backup(making: _Making) -> str:
    """Let the store have a backup, and go on; the backup's path below the scene's folder."""
    with making.opened() as handle:
        making.say(handle, "kept", 3)
        making.say(handle, "grown", 3, big=True)
        made = making.ok("backup", upkeep.backup(handle, making.folder / MADE))
        making.said.append(f"store.backup({MADE!r})")
        making.say(handle, "grown", 3)
        making.say(handle, "newer", 3, big=True)
    return Path(made.value).resolve().relative_to(making.folder.resolve()).as_posix()


def _repair(making: _Making) -> Scene:
    """Wrong counters, and messages whose session is gone."""
    with making.opened() as handle:
        for name in ("kept", "counted", "gone"):
            making.say(handle, name, 3)
        tables = making.ok("tables()", handle.perform("tables()", lambda call: call("tables")))
    if not isinstance(tables.value, SqliteTables):
        raise Unfit("tables() names no tables")
    try:
        _damage(tables.value, making)
    except sqlite3.Error as error:
        raise Unfit(f"the tables cannot be damaged: {error}") from None
    return making.scene(Upkeep("repair", (LIVE,), {"dry_run": False}, making.sessions))


def _damage(tables: SqliteTables, making: _Making) -> None:
    """What other programs leave behind that know nothing of the store's triggers and keys."""
    sessions, key = tables.sessions, tables.session_key
    if sessions is None or key is None:
        raise Unfit("the store shows no table of sessions that could be damaged")
    table = quoted(sessions)
    with closing(sqlite3.connect(tables.path)) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints = ON").close()
        triggers = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {quoted(name)}")
        keys = connection.execute(
            f"SELECT s.{quoted(key)} FROM {table} AS s JOIN {quoted(tables.messages)} AS m "
            f"ON m.{quoted(tables.message_session)} = s.{quoted(key)} "
            f"GROUP BY 1 ORDER BY min(m.rowid)"
        ).fetchall()
        if tables.session_count is not None:
            counter = quoted(tables.session_count)
            connection.execute(
                f"UPDATE {table} SET {counter} = {counter} - 1 WHERE {quoted(key)} = ?", keys[1]
            )
            making.said.append(f"# by plain SQL: {tables.session_count} of a session is 1 too low")
        connection.execute(f"DELETE FROM {table} WHERE {quoted(key)} = ?", keys[-1])
        making.said.append(f"# by plain SQL: a row of {sessions} is removed, its messages stay")
        for _, sql in triggers:
            connection.execute(sql)


def _migrate(making: _Making) -> Scene:
    """A file of the plain legacy schema elsewhere, and an empty directory."""
    path = f"{OLD}/{_FILE}"
    _write_legacy(making, path)
    return _migrated_from(making, path)


def _migrate_in_place(making: _Making) -> Scene:
    """The same file where the store would have its own."""
    with making.opened():
        pass
    files = [name for name, one in image_in(making.folder / LIVE).files.items() if one.size]
    if len(files) != 1:
        raise Unfit("the store has not one file, so none is to be migrated in its place")
    shutil.rmtree(making.folder / LIVE)
    (making.folder / LIVE).mkdir()
    path = f"{LIVE}/{files[0]}"
    _write_legacy(making, path)
    return _migrated_from(making, path)


def _migrated_from(making: _Making, path: str) -> Scene:
    with making.opened(elsewhere=True) as handle:
        told = making.ok(
            "migrate(…, dry_run=True) of a file of the plain legacy schema",
            upkeep.migrate(handle, making.folder / path, making.folder / LIVE, dry_run=True),
        )
    if not told.value.messages:
        raise Unfit("migrate takes no message of a file of the plain legacy schema")
    return making.scene(Upkeep("migrate", (path, LIVE), {}, making.sessions))


def _write_legacy(making: _Making, path: str) -> None:
    """Three sessions, one counter that has drifted, and a message without a session."""
    schema = importlib.resources.files("sessionproof") / "legacy" / "plain.sql"
    names = ("first", "second", "third")
    with closing(sqlite3.connect(making.folder / path)) as connection, connection:
        connection.executescript(schema.read_text("utf-8"))
        for at, name in enumerate(names):
            connection.execute(
                "INSERT INTO sessions (session_id, title, created_at, updated_at, message_count) "
                "VALUES (?, 'A chat', ?, ?, ?)",
                (name, _LEGACY_TIME, _LEGACY_TIME, 4 if at else 9),
            )
        for at in range(4):
            for name in (*names, *(["nowhere"] if not at else [])):
                text = f"legacy {name} {at} ".ljust(_TEXT_BYTES, "-")
                role = "assistant" if at % 2 else "user"
                connection.execute(
                    "INSERT INTO messages (message_id, session_id, role, content, timestamp) "
                    "VALUES (?, ?, ?, ?, ?)",
                    (f"{name}-{at}", name, role, text, f"2024-05-01 10:00:0{at}"),
                )
    making.said.append(f"# {path}: 12 messages in 3 sessions of the plain legacy schema, an orphan")
    making.known += names


_LEGACY_TIME = "2024-05-01 10:00:00"


@dataclass
class _Making:
    """A scene in the making: what was said, and to whom. ``known`` are ids of sessions."""

    trial: Trial
    folder: Path
    known: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    _ids: dict[str, str] = field(default_factory=dict)
    _number: int = 0

    @property
    def sessions(self) -> tuple[str, ...]:
        """The ids that tell what is there."""
        return tuple(self.known)

    def scene(self, operation: Upkeep, *, location: str = _ELSEWHERE) -> Scene:
        """What lies there now, and what is to be done."""
        return Scene(operation, Place(there=image_in(self.folder), location=location),
                     tuple(self.said))  # fmt: skip

    @contextmanager
    def opened(self, *, elsewhere: bool = False) -> Iterator[Handle]:
        """A handle on the location of the scene, or on one that only lends its code."""
        store = self.trial.store
        with tempfile.TemporaryDirectory(dir=parent_of(self.trial)) as lending:
            root = Path(lending) if elsewhere else self.folder / LIVE
            handle = Handle(
                store.spec, Location(root), deadlines=store.deadlines, awaited=store.awaited
            )
            try:
                yield handle
            finally:
                closed = handle.close()
            self.ok("close()", closed)

    def say(self, handle: Handle, name: str, number: int, *, big: bool = False) -> None:
        """Append so many messages to a session, one by one."""
        claims = self.trial.claims
        if name not in self._ids:
            begun = begin(handle, name, claims, self.trial.capabilities)
            self._ids[name] = str(self.ok(f"create({name!r})", begun).value)
            self.known.append(self._ids[name])
        for at in range(number):
            message = self._message(name, _BIG_BYTES if big and not at else _TEXT_BYTES)
            self.ok("append", handle.invoke(Append(name, (message,)), self._ids[name]))
        self.said.append(f"# {number} messages are appended to {name!r}, one by one")

    def id_of(self, name: str) -> str:
        """The id of a session that was spoken of."""
        return self._ids[name]

    def ok(self, call: str, outcome: Outcome) -> Outcome:
        """The outcome; raises Unfit for one that is not ok."""
        if outcome.type != "ok":
            raise Unfit(f"{call}: {told_of(outcome)}")
        return outcome

    def _message(self, name: str, size: int) -> Message:
        self._number += 1
        claims = self.trial.claims
        at_us = _FIRST_US + self._number if takes_times(claims) else None
        text = f"{name} {self._number} ".ljust(text_bytes(claims, size), "-")
        return said(self.trial.words.samples[0], text, at_us=at_us)


@contextmanager
def _folder(trial: Trial) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="scene-", dir=parent_of(trial)))
    for name in (LIVE, MADE, OLD):
        (folder / name).mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


_MAKERS: Mapping[str, Callable[[_Making], Scene]] = {
    "backup": _backup,
    "restore": _restore,
    "repair": _repair,
    "migrate": _migrate,
    "migrate in place": _migrate_in_place,
    "first backup": _first_backup,
    "restore into nothing": _restore_into_nothing,
    "sweep": _sweep,
    "snapshot": _snapshot,
    "restore of a snapshot": _restore_snapshot,
    "maintain": _maintain,
}
NEEDS: Mapping[str, Sequence[str]] = {
    "backup": ("backup", "restore"),
    "restore": ("backup", "restore"),
    "repair": ("repair", "tables"),
    "migrate": ("migrate",),
    "migrate in place": ("migrate",),
    "first backup": ("backup", "restore"),
    "restore into nothing": ("backup", "restore"),
    "sweep": ("set_limits", "sweep"),
    "snapshot": ("snapshot", "restore_snapshot", "snapshots"),
    "restore of a snapshot": ("snapshot", "restore_snapshot", "delete"),
    "maintain": ("maintain",),
}
"""The scenes, and the methods that each needs."""

SCENES = ("backup", "restore", "repair", "migrate", "migrate in place")
MORE_SCENES = ("first backup", "restore into nothing")
"""What is played always, and what where those have too few states, as with small files."""

OWN_SCENES = ("sweep", "snapshot", "restore of a snapshot", "maintain")
"""What is played beside them where the store has the methods."""
