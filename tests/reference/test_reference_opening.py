"""Making, recognising and upgrading the file."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from sessionproof import Location, Message, Refused
from sessionproof.reference import ReferenceStore, opening, steps
from sessionproof.reference.steps import Step

FILE = opening.FILE


def make(directory: Path) -> Path:
    with ReferenceStore(directory, durability="process") as store:
        store.append("s", [Message("user", "kept", tokens=3)])
    return directory / FILE


def digests(directory: Path) -> dict[str, str]:
    return {
        item.name: hashlib.sha256(item.read_bytes()).hexdigest() for item in directory.iterdir()
    }


def refusal(directory: Path) -> str:
    """The one line with which opening is refused; nothing in the directory changes."""
    before = digests(directory)
    with pytest.raises(Refused) as caught:
        ReferenceStore(directory)
    assert digests(directory) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", [str, Path, lambda path: Location(path)])
def test_opens_any_path_like(tmp_path: Path, kind):
    """A location is a contract Location or any path; the file is sessions.db in it."""
    with ReferenceStore(kind(tmp_path)) as store:
        store.append("s", [Message("user", "x")])
        assert store.tables().path == str(tmp_path / FILE)
    assert [item.name for item in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize("name", ["a b", "50%", "q?mode=memory", "h#ash", "ü😀", "'quote\""])
def test_opens_directories_of_any_name(tmp_path: Path, name: str):
    """The directory's name is never read as anything but a name."""
    (tmp_path / name).mkdir()
    with ReferenceStore(tmp_path / name) as store:
        store.append("s", [Message("user", "x")])
    assert (tmp_path / name / FILE).is_file()
    assert len(list(tmp_path.iterdir())) == 1


def test_a_relative_path_is_fixed_at_open(tmp_path: Path, monkeypatch):
    """Changing the working directory later moves nothing."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    with ReferenceStore("here") as store:
        monkeypatch.chdir("/")
        store.append("s", [Message("user", "x")])
        assert store.count("s") == 1


def test_keeps_all_across_reopening(tmp_path: Path):
    """What was appended is there after close and open, with its counters."""
    make(tmp_path)
    with ReferenceStore(tmp_path) as store:
        assert [message.content for message in store.read("s")] == ["kept"]
        assert store.get("s").total_tokens == 3
        assert store.append("s", [Message("user", "y")]).seqs == (2,)


def test_settles_what_cannot_be_changed_later(tmp_path: Path):
    """A new file is ours by its number, in WAL mode, vacuums by steps, and is its owner's alone."""
    path = make(tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        names = ("application_id", "user_version", "journal_mode", "auto_vacuum", "page_size")
        seen = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names}
        loose = connection.execute(
            "SELECT name FROM pragma_table_list "
            "WHERE type = 'table' AND NOT strict AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
    assert seen == {
        "application_id": steps.APPLICATION_ID,
        "user_version": len(steps.shipped()),
        "journal_mode": "wal",
        "auto_vacuum": 2,
        "page_size": 4096,
    }
    assert loose == []
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("durability", ["power", "process"])
def test_every_connection_has_its_settings(tmp_path: Path, durability: str):
    """Writer and readers wait for locks, check references, and sync as the claim needs."""
    names = ("foreign_keys", "synchronous", "busy_timeout", "query_only", "temp_store")
    seen = {}
    with ReferenceStore(tmp_path, durability=durability) as store:
        for name, run in (("writer", store._writer.run), ("reader", store._readers.run)):
            seen[name] = run(
                lambda db: [db.execute(f"PRAGMA {one}").fetchone()[0] for one in names]
            )
        assert store.claims.durability == durability
    synchronous = {"power": 2, "process": 1}[durability]
    assert seen["writer"] == [1, synchronous, 0, 0, 2]  # the writer's waiting is our own
    assert seen["reader"] == [1, synchronous, 5000, 1, 2]


def test_a_missing_directory_is_named(tmp_path: Path):
    """Nothing is created where no directory is."""
    with pytest.raises(Refused, match="nowhere is no directory"):
        ReferenceStore(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_the_directory_is_refused(tmp_path: Path):
    """A location must be a directory."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(Refused, match="is no directory"):
        ReferenceStore(tmp_path / "file")


def test_a_directory_in_place_of_the_file_is_refused(tmp_path: Path):
    """A directory of the file's name is no database."""
    (tmp_path / FILE).mkdir()
    with pytest.raises(Refused, match="is no file"):
        ReferenceStore(tmp_path)


@pytest.mark.parametrize(
    "content", [b"x", b"hello, this is no database" * 400, bytes(8192), b"SQLite format 3\0" * 300]
)
def test_refuses_other_files(tmp_path: Path, content: bytes):
    """A file that is no database is refused and stays as it is."""
    (tmp_path / FILE).write_bytes(content)
    assert FILE in refusal(tmp_path)


def test_refuses_an_empty_file(tmp_path: Path):
    """An empty file is what a failed copy leaves: it is never filled with an empty store."""
    (tmp_path / FILE).touch()
    assert "is empty" in refusal(tmp_path)


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_refuses_databases_of_others(tmp_path: Path, mode: str):
    """Another application's database is refused, and neither it nor its log is touched."""
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as theirs:
        theirs.execute("PRAGMA application_id = 77")
        theirs.execute(f"PRAGMA journal_mode = {mode}")
        theirs.execute("CREATE TABLE t (x)")
        assert "another application" in refusal(tmp_path)


def test_refuses_a_lost_database(tmp_path: Path):
    """A log without its database is refused: a new database would be merged with it."""
    (tmp_path / f"{FILE}-wal").write_bytes(b"x" * 100)
    assert "is missing, but its log" in refusal(tmp_path)


@pytest.mark.parametrize("keep", [0, 1, 50, 100, 4095, 4096, 8192, -4096, -1])
def test_refuses_cut_files(tmp_path: Path, keep: int):
    """A file that was cut is refused, or its damage is an error when it is read."""
    path = make(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:keep])
    assert FILE in refusal(tmp_path)


def test_damage_within_is_an_error(tmp_path: Path):
    """Zeroed pages of tables are an error, never an empty session."""
    path = make(tmp_path)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(bytes(size - 4096))
    with pytest.raises(Refused) as caught, ReferenceStore(tmp_path) as store:
        store.read("s")
    assert "damaged" in str(caught.value)


def test_refuses_newer_files(tmp_path: Path):
    """A file of a newer release is refused in one line that says what to do."""
    path = make(tmp_path)
    with closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA user_version = 1000")
    assert "upgrade sessionproof" in refusal(tmp_path)


def test_refuses_a_newer_version_that_is_still_in_the_log(tmp_path: Path):
    """The version counts where it is, also when no checkpoint has moved it into the file."""
    path = make(tmp_path)
    with closing(sqlite3.connect(path, isolation_level=None)) as newer:
        newer.execute("PRAGMA wal_autocheckpoint = 0")
        newer.execute("PRAGMA user_version = 1000")
        with pytest.raises(Refused, match="upgrade sessionproof"):
            ReferenceStore(tmp_path)


def test_refuses_old_sqlite(tmp_path: Path, monkeypatch):
    """A SQLite without strict tables is refused before anything is made."""
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.36.0")
    assert "3.36.0 is too old" in refusal(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_refuses_unknown_settings(tmp_path: Path):
    """A preset or durability that does not exist is named, and nothing is made."""
    with pytest.raises(ValueError, match="cli, web, high-concurrency"):
        ReferenceStore(tmp_path, preset="huge")
    with pytest.raises(ValueError, match="power, process"):
        ReferenceStore(tmp_path, durability="eternal")
    assert list(tmp_path.iterdir()) == []


# Upgrades, with one step more than there are.

LAST = len(steps.shipped()) + 1
NEXT = Step(
    LAST,
    "notes",
    """
    ALTER TABLE sessions ADD COLUMN note TEXT;
    CREATE TABLE notes (sid INTEGER REFERENCES sessions (id), at INTEGER) STRICT;
    CREATE TRIGGER noted AFTER UPDATE OF note ON sessions
    BEGIN
        INSERT INTO notes VALUES (NEW.id, NEW.last_activity_us); -- one; two;
        DELETE FROM notes WHERE at < 0;
    END;
    UPDATE sessions SET note = 'upgraded';
    """,
)
BROKEN = Step(LAST, "broken", "CREATE TABLE half (x);\nINSERT INTO missing VALUES (1);")
DANGLING = Step(
    LAST,
    "dangling",
    "CREATE TABLE child (p INTEGER REFERENCES sessions (id));\nINSERT INTO child VALUES (99);",
)


def with_step(monkeypatch, step: Step) -> None:
    more = (*steps.shipped(), step)
    monkeypatch.setattr(steps, "shipped", lambda: more)


def test_an_older_file_is_upgraded(tmp_path: Path, monkeypatch):
    """Opening a file of an earlier schema brings it to the last step with all that it has."""
    path = make(tmp_path)
    with_step(monkeypatch, NEXT)
    for _ in range(2):  # the second time there is nothing to do
        with ReferenceStore(tmp_path) as store:
            assert [message.content for message in store.read("s")] == ["kept"]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (LAST,)
        assert connection.execute("SELECT note FROM sessions").fetchall() == [("upgraded",)]
        assert connection.execute("SELECT count(*) FROM notes").fetchone() == (1,)


def test_a_new_file_gets_all_steps(tmp_path: Path, monkeypatch):
    """A file made today equals one that was upgraded."""
    with_step(monkeypatch, NEXT)
    with closing(sqlite3.connect(make(tmp_path))) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (LAST,)
        assert steps.differences(connection, steps.shipped()) == []


@pytest.mark.parametrize("step", [BROKEN, DANGLING], ids=["broken", "dangling"])
def test_a_failed_upgrade_leaves_the_old_file(tmp_path: Path, monkeypatch, step: Step):
    """An upgrade that fails midway changes nothing; the earlier release still opens the file."""
    path = make(tmp_path)
    with monkeypatch.context() as patch:
        with_step(patch, step)
        with pytest.raises(Refused):
            ReferenceStore(tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (LAST - 1,)
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
        assert not names & {"half", "child"}
    with ReferenceStore(tmp_path) as store:
        assert store.count("s") == 1


def test_an_upgrade_waits_for_writers(tmp_path: Path, monkeypatch):
    """A handle that is open during the upgrade goes on."""
    with ReferenceStore(tmp_path) as old:
        old.append("s", [Message("user", "a")])
        with monkeypatch.context() as patch:
            with_step(patch, NEXT)
            with ReferenceStore(tmp_path) as new:
                new.append("s", [Message("user", "b")])
                assert old.append("s", [Message("user", "c")]).seqs == (3,)
                assert new.count("s") == 3


def test_an_older_file_is_upgraded_while_its_log_is_emptied(tmp_path: Path, monkeypatch):
    """Where a checkpoint has only written the first page, the log tells how old the file is."""
    path = make(tmp_path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA wal_autocheckpoint = 0")
        other.execute("CREATE TABLE grown (x)")
        other.execute("INSERT INTO grown VALUES (zeroblob(100000))")
        other.execute("DROP TABLE grown")
        with path.open("r+b") as file:
            file.write(other.serialize()[:4096])
        with_step(monkeypatch, NEXT)
        with ReferenceStore(tmp_path) as store:
            assert [message.content for message in store.read("s")] == ["kept"]
        assert other.execute("PRAGMA user_version").fetchone() == (LAST,)


def test_statements_keep_triggers_whole():
    """A script is split at the ends of statements, not of the lines in a trigger's body."""
    assert [one.split()[1] for one in steps.statements(NEXT.sql)] == [
        "TABLE", "TABLE", "TRIGGER", "sessions",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="unfinished"):
        list(steps.statements("SELECT 1;\nSELECT 2"))


def test_failed_creation_leaves_nothing(tmp_path: Path, monkeypatch):
    """When a new file cannot be made, the directory stays empty."""

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(Refused, match="No space left"):
        ReferenceStore(tmp_path)
    assert list(tmp_path.iterdir()) == []
