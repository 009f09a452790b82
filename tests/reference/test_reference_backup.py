"""Backups: whole under load, verified, private; old ones make room, good ones stay."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest

from fixtures.legacy import Damaged, build, damaged
from sessionproof import Message, Refused
from sessionproof.reference import ReferenceStore, backup, copying, files
from sessionproof.reference.restore import put_back
from sessionproof.reference.verify import verify_file


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    place = tmp_path / "store"
    place.mkdir()
    with ReferenceStore(place, durability="process") as store:
        for number in range(30):
            store.append("s", [Message("user", f"{number} " + "x" * 400, tokens=1)])
    return place


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "backups"
    place.mkdir()
    return place


def opened(made: Path, tmp_path: Path) -> ReferenceStore:
    """A store on a copy of the backup file alone."""
    place = tmp_path / f"of-{made.name}"
    place.mkdir()
    (place / "sessions.db").write_bytes(made.read_bytes())
    return ReferenceStore(place)


def spoil(made: Path) -> None:
    """Zero a page in the middle."""
    content = bytearray(made.read_bytes())
    content[8192:12288] = bytes(4096)
    made.write_bytes(content)


def names(folder: Path) -> set[str]:
    return {one.name for one in folder.iterdir()}


def test_a_backup_is_one_private_file(directory: Path, folder: Path, tmp_path: Path):
    """It has what is in the log, needs nothing beside it, and only its owner can read it."""
    with ReferenceStore(directory, durability="process") as store:
        store.append("s", [Message("user", "in the log")])
        made = backup.back_up(directory, folder)
        assert (directory / "sessions.db-wal").stat().st_size > 0
    assert names(folder) == {made.name}
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert verify_file(made).ok
    with opened(made, tmp_path) as copy:
        assert [one.content for one in copy.read("s")][-1] == "in the log"
        assert copy.count("s") == 31
        copy.append("s", [Message("user", "goes on")])


def test_a_backup_under_load_has_all_that_was_acknowledged(
    directory: Path, folder: Path, tmp_path: Path
):
    """Each of several has a prefix of what one thread appends, and all acknowledged before it."""
    with ReferenceStore(directory, durability="process") as store:
        acknowledged, ended = [0], threading.Event()

        def write() -> None:
            while not ended.is_set():
                store.append("load", [Message("user", str(acknowledged[0]), tokens=1)])
                acknowledged[0] += 1

        writer = threading.Thread(target=write)
        writer.start()
        try:
            made = []
            for _ in range(5):
                before = acknowledged[0]
                made.append((before, backup.back_up(directory, folder)))
        finally:
            ended.set()
            writer.join()
    for before, path in made:
        with opened(path, tmp_path) as copy:
            contents = [one.content for one in copy.read("load")]
        assert len(contents) >= before
        assert contents == [str(number) for number in range(len(contents))]


def test_a_closed_store_is_left_as_it_is(directory: Path, folder: Path):
    """A backup of a store that nobody has open changes none of its files."""
    before = {one.name: one.read_bytes() for one in directory.iterdir()}
    backup.back_up(directory, folder)
    assert {one.name: one.read_bytes() for one in directory.iterdir()} == before


def test_old_backups_make_room(directory: Path, folder: Path):
    """``keep`` leaves so many of the store's own; whatever else is in the folder stays."""
    (folder / "notes.txt").write_text("mine")
    (folder / "sessions.db").write_text("mine")
    other = folder.parent / "other"
    other.mkdir()
    with ReferenceStore(other, durability="process") as store:
        store.append("s", [Message("user", "x")])
    foreign = {backup.back_up(other, folder).name, "notes.txt", "sessions.db"}
    made = [backup.back_up(directory, folder, keep=3).name for _ in range(6)]
    assert names(folder) == {*made[-3:], *foreign}


def test_damaged_backups_count_for_nothing(directory: Path, folder: Path):
    """The good ones that ``keep`` asks for stay, however many damaged ones are newer."""
    good = [backup.back_up(directory, folder) for _ in range(2)]
    bad = [backup.back_up(directory, folder) for _ in range(3)]
    for one in bad:
        spoil(one)
    newest = backup.back_up(directory, folder, keep=2)
    assert names(folder) == {one.name for one in (good[1], *bad, newest)}
    last = backup.back_up(directory, folder, keep=2)
    assert names(folder) == {newest.name, last.name}  # now there are two good ones


def test_a_damaged_store_replaces_no_backup(directory: Path, folder: Path):
    """Neither damaged pages nor rows that contradict each other get into a backup."""
    good = backup.back_up(directory, folder)
    with closing(sqlite3.connect(directory / "sessions.db")) as stranger:
        stranger.execute("UPDATE sessions SET total_tokens = 7")
        stranger.commit()
    with pytest.raises(Refused, match=r"has problems: .*repair it first"):
        backup.back_up(directory, folder, keep=1)
    assert names(folder) == {good.name}
    as_it_is = backup.make_backup(directory, folder, as_it_is=True)
    assert not verify_file(as_it_is.path).ok
    as_it_is.path.unlink()
    spoil(directory / "sessions.db")
    for also in (False, True):
        with pytest.raises(Refused):
            backup.make_backup(directory, folder, keep=1, as_it_is=also)
    assert names(folder) == {good.name}


def test_another_programs_database_is_backed_up(tmp_path: Path, folder: Path):
    """Any SQLite file can be; row counts are compared, and views and indexes come along."""
    file = tmp_path / "chat.db"
    with closing(sqlite3.connect(file)) as other:
        other.executescript(
            'CREATE TABLE "odd ""name" (a); INSERT INTO "odd ""name" VALUES (1), (2);'
            "CREATE TABLE empty (a); CREATE VIEW v AS SELECT 1; CREATE INDEX i ON empty (a);"
        )
        made = backup.make_backup(file, folder)
    assert made.rows == {'odd "name': 2, "empty": 0}
    with closing(sqlite3.connect(made.path)) as copy:
        assert copy.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (4,)


@pytest.mark.parametrize("one", damaged(), ids=lambda one: one.name)
def test_whatever_the_rows_of_legacy_databases_are(tmp_path: Path, folder: Path, one: Damaged):
    """Rows without a parent, or against a rule, are backed up as they are, and can be restored."""
    file = tmp_path / "chat.db"
    build(one, file)
    made = backup.make_backup(file, folder)
    file.unlink()
    assert put_back(made.path, file).rows == made.rows


def test_rows_against_a_rule_hide_no_damage(tmp_path: Path, folder: Path):
    """NULLs and values that a CHECK forbids are copied, a thousand, too; a damaged page is told."""
    file = tmp_path / "chat.db"
    with closing(sqlite3.connect(file)) as other:
        other.execute("PRAGMA auto_vacuum = NONE")
        other.execute("CREATE TABLE chats (a INTEGER NOT NULL, b CHECK (b > 0), c)")
        other.execute("PRAGMA ignore_check_constraints = ON")
        other.executemany(
            "INSERT INTO chats VALUES (1, -1, ?)", [("x" * 100,) for _ in range(1000)]
        )
        other.execute("PRAGMA writable_schema = ON")
        other.execute("UPDATE sqlite_schema SET sql = replace(sql, ', c)', ', c NOT NULL)')")
        other.execute("UPDATE chats SET c = NULL WHERE rowid % 2")
        other.commit()
    with closing(sqlite3.connect(file)) as other:
        said = other.execute("PRAGMA integrity_check").fetchall()
        assert len(said) == 100  # SQLite stops there
        assert {words.partition(" in ")[0] for (words,) in said} == {
            "NULL value", "CHECK constraint failed",
        }  # fmt: skip
    assert backup.make_backup(file, folder).rows == {"chats": 1000}
    spoil(file)
    with pytest.raises(Refused, match="no backup of"):
        backup.back_up(file, folder)


def test_a_broken_index_is_told(tmp_path: Path, folder: Path):
    """It is damage, which is copied as it is when that is asked for."""
    file = tmp_path / "chat.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.executescript("CREATE TABLE chats (a); CREATE INDEX by_a ON chats (a);")
        other.execute("PRAGMA writable_schema = ON")
        (index,) = other.execute(
            "DELETE FROM sqlite_schema WHERE name = 'by_a' RETURNING sql, rootpage"
        )
        other.execute("PRAGMA writable_schema = RESET")
        other.execute("INSERT INTO chats VALUES (1)")
        other.execute("PRAGMA writable_schema = ON")
        other.execute(
            "INSERT INTO sqlite_schema VALUES ('index', 'by_a', 'chats', ?, ?)", index[::-1]
        )
    with pytest.raises(Refused, match="missing from index by_a"):
        backup.back_up(file, folder)
    made = backup.make_backup(file, folder, as_it_is=True)
    assert put_back(made.path, file, as_it_is=True).rows == {"chats": 1}


def test_rows_that_went_missing_are_noticed(directory: Path, folder: Path):
    """A copy with fewer rows than the state it was made of is not in order."""
    made = backup.make_backup(directory, folder)
    assert copying.problems_of(made.path, made.rows, as_it_is=True) == ()
    with closing(sqlite3.connect(made.path)) as copy:
        copy.execute("DELETE FROM messages WHERE id = 3")
        copy.commit()
    (problem,) = copying.problems_of(made.path, made.rows, as_it_is=True)
    assert problem == "table messages has 29 rows, and should have 30"


@pytest.mark.parametrize("strikes", [1, 2])
def test_nothing_is_left_of_one_that_was_interrupted(directory: Path, folder: Path, strikes: int):
    """Ctrl-C while pages are copied, or while they are verified, leaves no file."""
    told = []

    def progress(step: str) -> None:
        told.append(step)
        if len(told) == strikes:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backup.make_backup(directory, folder, progress=progress)
    assert len(told) == strikes
    assert names(folder) == set()
    backup.back_up(directory, folder)


def test_what_a_killed_backup_left_is_removed_in_time(directory: Path, folder: Path):
    """A part is no backup; the next backup removes it when it is a day old, and not before."""
    name = files.copy_name(files.located(directory), "backup")
    fresh, old = folder / f".{name}.part", folder / f".{name}.0.part"
    for one in (fresh, old):
        one.write_bytes(b"half")
    os.utime(old, (1, 1))
    made = backup.back_up(directory, folder, keep=1)
    assert names(folder) == {made.name, fresh.name}


def test_what_cannot_be_is_refused(directory: Path, folder: Path, tmp_path: Path):
    """No folder, no file, an empty one, and nonsense for ``keep`` are told in one line."""
    empty = tmp_path / "empty.db"
    empty.touch()
    for file, to, keep, words in (
        (directory, tmp_path / "none", None, "is no folder"),
        (tmp_path, folder, None, "does not exist"),
        (empty, folder, None, "is empty"),
        (directory, folder, 0, "keep must be"),
    ):
        with pytest.raises(Refused, match=words) as caught:
            backup.back_up(file, to, keep=keep)
        assert "\n" not in str(caught.value)
    assert names(folder) == set()
