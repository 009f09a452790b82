"""Restores: verified before, atomic, and what was there is kept with its log."""

from __future__ import annotations

import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from sessionproof import Message, Refused
from sessionproof.reference import ReferenceStore, backup, files, opening, steps
from sessionproof.reference.drill import drilled
from sessionproof.reference.restore import put_back, restore

CRASHED = """
import os, sys
from sessionproof import Message
from sessionproof.reference import ReferenceStore
store = ReferenceStore(sys.argv[1])
store.append("s", [Message("user", "in the log")])
os._exit(0)
"""


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Path:
    """A store of ten messages, a backup of it, and the store after a crash with one more."""
    place = tmp_path_factory.mktemp("scene")
    (place / "store").mkdir()
    (place / "backups").mkdir()
    with ReferenceStore(place / "store", durability="process") as store:
        for number in range(10):
            store.append("s", [Message("user", f"{number} " + "x" * 900)])
    backup.back_up(place / "store", place / "backups")
    shutil.copytree(place / "store", place / "crashed")
    subprocess.run([sys.executable, "-c", CRASHED, str(place / "crashed")], check=True, timeout=60)
    assert (place / "crashed" / "sessions.db-wal").stat().st_size > 0
    return place


@pytest.fixture
def directory(scene: Path, tmp_path: Path) -> Path:
    """A store of ten messages."""
    return shutil.copytree(scene / "store", tmp_path / "store")


@pytest.fixture
def made(scene: Path, tmp_path: Path) -> Path:
    """A backup of those ten."""
    (one,) = shutil.copytree(scene / "backups", tmp_path / "backups").iterdir()
    return one


@pytest.fixture
def crashed(scene: Path, tmp_path: Path) -> Path:
    """The store with an eleventh message, which is in the log alone."""
    return shutil.copytree(scene / "crashed", tmp_path / "crashed")


def count(directory: Path) -> int:
    """How many messages there are, by a store that then writes one more."""
    with ReferenceStore(directory) as store:
        found = store.read("s")
        assert store.verify().ok
        store.append("s", [Message("user", "goes on")])
    return len(found)


def contents(directory: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in directory.iterdir()}


def test_what_was_there_can_be_restored(crashed: Path, made: Path):
    """The copy of what was there has what was in its log; it is private, and restored in turn."""
    before = restore(str(made), str(crashed))
    assert before is not None
    assert stat.S_IMODE(Path(before).stat().st_mode) == 0o600
    assert not (crashed / "sessions.db-wal").exists()
    assert count(crashed) == 10
    again = restore(before, str(crashed))
    assert again not in (None, before)
    assert count(crashed) == 11


def test_the_file_stays_the_same(crashed: Path, made: Path):
    """A sound database is written over in place: those who open it later meet no other file."""
    inode = (crashed / "sessions.db").stat().st_ino
    put_back(made, crashed)
    assert (crashed / "sessions.db").stat().st_ino == inode


def test_into_an_empty_directory(made: Path, tmp_path: Path):
    """There is nothing to keep."""
    place = tmp_path / "new"
    place.mkdir()
    assert restore(str(made), str(place)) is None
    assert list(contents(place)) == ["sessions.db"]
    assert stat.S_IMODE((place / "sessions.db").stat().st_mode) == 0o600
    assert count(place) == 10


def spoiled(content: bytes, how: str) -> bytes:
    middle = len(content) // 8192 * 4096
    return {
        "empty": b"",
        "byte": b"S",
        "text": b"once upon a time " * 400,
        "half": content[:middle],
        "one byte less": content[:-1],
        "header": bytes(100) + content[100:],
        "page": content[:middle] + bytes(4096) + content[middle + 4096 :],
        "text bit": content.replace(b"xxxxxxxx", b"xxxyxxxx", 1),
    }[how]


HOW = ("empty", "byte", "text", "half", "one byte less", "header", "page")


@pytest.mark.parametrize("how", [*HOW, "text bit"])
def test_a_bad_backup_replaces_nothing(crashed: Path, made: Path, how: str):
    """It is refused in one line, and every file of the directory stays, byte for byte."""
    made.write_bytes(spoiled(made.read_bytes(), how))
    before = contents(crashed)
    with pytest.raises(Refused) as caught:
        restore(str(made), str(crashed))
    assert "\n" not in str(caught.value)
    assert contents(crashed) == before


# A file that is cut by a byte is sound as long as the log has its last page.
@pytest.mark.parametrize("how", [one for one in HOW if one != "one byte less"])
def test_damaged_files_are_moved_aside(crashed: Path, made: Path, how: str):
    """A damaged database and its log are kept byte for byte, and neither gets into the new one."""
    file = crashed / "sessions.db"
    file.chmod(0o640)
    file.write_bytes(spoiled(file.read_bytes(), how))
    was, log = file.read_bytes(), (crashed / "sessions.db-wal").read_bytes()
    before = put_back(made, crashed).before
    assert before is not None
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert before.read_bytes() == was
    assert before.with_name(f"{before.name}-wal").read_bytes() == log
    assert not (crashed / "sessions.db-wal").exists()
    assert count(crashed) == 10


def test_a_stale_log_is_moved_aside(crashed: Path, made: Path):
    """A log whose database was removed is not merged into what is restored."""
    log = (crashed / "sessions.db-wal").read_bytes()
    (crashed / "sessions.db").unlink()
    assert restore(str(made), str(crashed)) is None
    (kept,) = crashed.glob("*.before-restore-wal")
    assert kept.read_bytes() == log
    assert count(crashed) == 10


def test_nobody_may_have_it_open(directory: Path, made: Path):
    """A handle, also one whose file was removed, is in the way, and can go on."""
    with ReferenceStore(directory) as store:
        before = set(contents(directory))
        with pytest.raises(Refused, match="in use"):
            restore(str(made), str(directory))
        assert set(contents(directory)) == before
        store.append("s", [Message("user", "eleven")])
        assert store.count("s") == 11
    with ReferenceStore(directory):
        (directory / "sessions.db").unlink()
        with pytest.raises(Refused, match="in use"):
            restore(str(made), str(directory))


def test_a_dry_run_changes_nothing(crashed: Path, made: Path):
    """It says what would be restored, of a backup that is then known to be in order."""
    before = contents(crashed)
    done = put_back(made, crashed, dry_run=True)
    assert done.rows["messages"] == 10
    assert done.before is None
    assert contents(crashed) == before


def test_an_interrupt_leaves_the_old_content(crashed: Path, made: Path, monkeypatch):
    """Ctrl-C in the middle of writing over the database undoes all of it."""
    monkeypatch.setattr("sessionproof.reference.restore.PAGES_AT_ONCE", 4)
    steps = []

    def progress(step: str) -> None:
        steps.append(step)
        if sum(one.startswith("page") for one in steps) == 2:  # the first is of the copy
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        put_back(made, crashed, progress=progress)
    assert not list(crashed.glob(".*"))
    assert count(crashed) == 11


def test_rows_that_contradict_each_other_go_back_as_they_were(crashed: Path, made: Path):
    """What was there may have had problems: its copy is restored nevertheless, a backup is not."""
    with closing(sqlite3.connect(crashed / "sessions.db")) as stranger:
        stranger.execute("UPDATE sessions SET total_tokens = 7")
        stranger.commit()
    before = restore(str(made), str(crashed))
    plain = made.with_name("plain.db")
    plain.write_bytes(Path(before).read_bytes())
    with pytest.raises(Refused, match="choose another backup"):
        restore(str(plain), str(crashed))
    restore(before, str(crashed))
    with ReferenceStore(crashed) as store:
        assert store.get("s").total_tokens == 7


def test_pages_of_another_size_are_put_in_place(crashed: Path, made: Path):
    """A log takes pages of one size only, so the file is moved aside and stays readable."""
    with closing(sqlite3.connect(made)) as copy:
        copy.execute("PRAGMA page_size = 8192")
        copy.execute("VACUUM")
    before = restore(str(made), str(crashed))
    assert count(crashed) == 10
    restore(before, str(crashed))
    assert count(crashed) == 11


def legacy(file: Path, rows: int, *, table: str = "chats") -> Path:
    with closing(sqlite3.connect(file)) as other:
        other.execute(f"CREATE TABLE {table} (a)")
        other.executemany(f"INSERT INTO {table} VALUES (?)", [(n,) for n in range(rows)])
        other.commit()
    return file


def test_another_programs_database_goes_back_to_its_file(directory: Path, tmp_path: Path):
    """Where its like is, or nothing; never over a store, and never over another program's."""
    chat, folder = legacy(tmp_path / "chat.db", 3), tmp_path / "b"
    folder.mkdir()
    made = backup.back_up(chat, folder)
    chat.unlink()
    assert put_back(made, chat).rows == {"chats": 3}
    assert put_back(made, chat).before is not None
    before = contents(directory)
    empty = tmp_path / "empty"
    empty.mkdir()
    for target, words in (
        (directory, "no store of ours"),
        (empty, "no store of ours"),
        (legacy(tmp_path / "photos.db", 1, table="photos"), "no table in common"),
        (made, "is that file itself"),
        (tmp_path / "none" / "chat.db", "is no directory"),
    ):
        with pytest.raises(Refused, match=words):
            put_back(made, target)
    assert contents(directory) == before
    assert not list(empty.iterdir())


def test_a_store_is_not_restored_to_a_name_that_it_has_not(made: Path, tmp_path: Path):
    """A directory that was mistyped does not become a file."""
    with pytest.raises(Refused, match="make that directory first"):
        put_back(made, tmp_path / "mistyped")
    assert not (tmp_path / "mistyped").exists()


@pytest.mark.parametrize("version", range(1, len(steps.shipped()) + 1))
def test_earlier_releases_are_restored(tmp_path: Path, version: int):
    """A backup of any earlier schema is verified and restored; opening it brings it up to date."""
    old, folder, new = (tmp_path / name for name in ("old", "folder", "new"))
    for one in (old, folder, new):
        one.mkdir()
    file = opening.prepare(old, steps.shipped()[:version], lambda work: work())
    with closing(sqlite3.connect(file)) as stranger:
        stranger.executescript(
            "INSERT INTO sessions (session_id, created_at_us, last_activity_us) VALUES ('s', 1, 1);"
            "INSERT INTO messages (sid, seq, appended_at_us, content) VALUES (1, 1, 1, 'hello');"
        )
    put_back(backup.back_up(old, folder), new)
    with ReferenceStore(new) as store:
        assert [one.content for one in store.read("s")] == ["hello"]


def test_a_later_release_is_refused(directory: Path, made: Path):
    """What this release does not know it cannot verify; the line says what to do."""
    with closing(sqlite3.connect(made)) as later:
        later.execute("PRAGMA user_version = 99")
    with pytest.raises(Refused, match=r"it has schema version 99, .*: upgrade sessionproof"):
        restore(str(made), str(directory))


def test_a_drill_reads_what_was_restored(made: Path, tmp_path: Path):
    """The newest backup of each file is tried; the temporary place is gone afterwards."""
    backup.back_up(legacy(tmp_path / "chat.db", 3), made.parent)
    ours, chat = drilled(made.parent)
    assert (ours.sessions, ours.messages, ours.problems, ours.good) == (1, 10, (), made)
    assert (chat.messages, dict(chat.rows), chat.problems) == (None, {"chats": 3}, ())


@pytest.mark.parametrize("how", [*HOW, "text bit"])
def test_a_drill_fails_for_a_bad_backup(scene: Path, made: Path, how: str):
    """It says what is wrong, and which older one is good."""
    newest = made.with_name(files.copy_name(scene / "store" / "sessions.db", "backup"))
    newest.write_bytes(spoiled(made.read_bytes(), how))
    (drill,) = drilled(made.parent)
    assert drill.backup == newest
    assert drill.problems
    assert drill.good == made


def test_a_drill_needs_backups(tmp_path: Path):
    """An empty folder is no good news."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(Refused, match="has no backups"):
        drilled(tmp_path / "empty")
    assert files.all_copies(tmp_path / "empty", "backup") == []
