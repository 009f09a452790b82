"""An audit reads the committed state, changes nothing, and leaves nothing behind."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from sessionproof.audit import file
from sessionproof.audit.examine import audit
from sessionproof.audit.file import Unreadable

SCHEMA = "CREATE TABLE p (id TEXT PRIMARY KEY); CREATE TABLE c (p TEXT REFERENCES p (id));"
ORPHAN = "INSERT INTO c VALUES ('gone')"


def make(path, *, mode):
    """A database without problems, in a journal mode; the connection stays open."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA journal_mode = {mode}")
    connection.executescript(SCHEMA)
    return connection


def left(path, *suffixes, mode="wal"):
    """The files of a database whose writer died after it committed an orphan."""
    source = path.with_name("source")
    source.mkdir()
    with closing(make(source / path.name, mode=mode)) as connection:
        connection.execute(ORPHAN)
        for suffix in ("", *suffixes):
            shutil.copy(f"{source / path.name}{suffix}", f"{path}{suffix}")
    shutil.rmtree(source)


def hot(path):
    """The files of a database whose writer died within a transaction that the file has in part."""
    source = path.with_name("source")
    source.mkdir()
    with closing(make(source / path.name, mode="delete")) as connection:
        connection.execute("PRAGMA cache_size = 5")
        connection.execute("BEGIN")
        for _ in range(2000):
            connection.execute("INSERT INTO c VALUES (?)", ("gone" * 50,))
        for suffix in ("", "-journal"):
            shutil.copy(f"{source / path.name}{suffix}", f"{path}{suffix}")
        connection.execute("ROLLBACK")
    shutil.rmtree(source)


def kinds(found):
    return [one["kind"] for one in found["problems"]]


@pytest.mark.parametrize("mode", ["delete", "truncate", "persist", "wal"])
def test_a_closed_file_is_read_in_place(folder, elsewhere, listing, mode):
    """Whatever its journal mode was, no file is made beside it, and none is changed."""
    with closing(make(folder / "a.db", mode=mode)) as connection:
        connection.execute(ORPHAN)
    before = listing(folder)
    found = elsewhere(folder / "a.db")
    assert (kinds(found), found["read"]) == (["orphan"], "in place")
    assert listing(folder) == before


def test_commits_that_are_in_the_log_alone_are_seen(folder, elsewhere, listing):
    """A store that is open with a log is judged by what it committed, and goes on."""
    with closing(make(folder / "a.db", mode="wal")) as connection:
        connection.execute(ORPHAN)
        before = listing(folder)
        found = elsewhere(folder / "a.db")
        assert (kinds(found), found["read"]) == (["orphan"], "in place")
        assert listing(folder) == before
        connection.execute(ORPHAN)
        assert elsewhere(folder / "a.db")["problems"][0]["count"] == 2


@pytest.mark.parametrize(
    ("suffixes", "read"), [(("-wal", "-shm"), "in place"), (("-wal",), "as a copy")]
)
def test_a_log_that_was_left_is_read_with_the_file(folder, elsewhere, listing, suffixes, read):
    """Commits of a process that died count, with or without the index of its log."""
    left(folder / "a.db", *suffixes)
    before = listing(folder)
    found = elsewhere(folder / "a.db")
    assert (kinds(found), found["read"]) == (["orphan"], read)
    assert listing(folder) == before


def test_a_hot_journal_is_rolled_back_in_a_copy_alone(folder, elsewhere, listing):
    """What was never committed is not judged, and the journal stays for the store."""
    hot(folder / "a.db")
    before = listing(folder)
    found = elsewhere(folder / "a.db")
    assert (kinds(found), found["read"], found["rows"]["c"]) == ([], "as a copy", 0)
    assert listing(folder) == before


def test_an_open_transaction_is_not_judged(folder, elsewhere, listing):
    """A writer that has not committed is not disturbed, nor its rows counted."""
    with closing(make(folder / "a.db", mode="delete")) as connection:
        connection.execute("BEGIN")
        connection.execute(ORPHAN)
        before = listing(folder)
        assert elsewhere(folder / "a.db")["rows"]["c"] == 0
        assert listing(folder) == before
        connection.execute("COMMIT")
    assert kinds(elsewhere(folder / "a.db")) == ["orphan"]


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_file_that_is_locked_is_no_verdict(folder, elsewhere, listing, mode):
    """While another process keeps everybody out, nothing can be said, in one line."""
    connection = make(folder / "a.db", mode=mode)
    with closing(connection):
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute(ORPHAN)
        before = listing(folder)
        found = elsewhere(folder / "a.db")
        assert "is locked by another process" in found["unreadable"]
        assert "\n" not in found["unreadable"]
        assert listing(folder) == before


@pytest.mark.parametrize(
    "state", ["delete", "wal", "left with index", "left without index", "hot journal"]
)
def test_nothing_needs_to_be_writable(folder, elsewhere, listing, state):
    """Files and a folder that may only be read are enough, in every state."""
    path = folder / "a.db"
    match state:
        case "hot journal":
            hot(path)
        case "left with index":
            left(path, "-wal", "-shm")
        case "left without index":
            left(path, "-wal")
        case mode:
            with closing(make(path, mode=mode)) as connection:
                connection.execute(ORPHAN)
    for one in folder.iterdir():
        one.chmod(0o444)
    folder.chmod(0o555)
    before = listing(folder)
    found = elsewhere(path, rights="nobody")
    assert kinds(found) == ([] if state == "hot journal" else ["orphan"])
    assert listing(folder) == before


def empty(path):
    path.touch()


def foreign(path):
    path.write_text("SQLite format 2 was long ago", "utf-8")


def torn(path):
    path.write_bytes(b"SQLite format 3\0")


def fifo(path):
    os.mkfifo(path)


def loop(path):
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda path: None, "does not exist"),
        (empty, "is empty"),
        (foreign, "is no SQLite database"),
        (torn, "cannot be opened"),
        (Path.mkdir, "is a directory"),
        (fifo, "is no regular file"),
        (loop, "cannot be read"),
        (lambda path: sqlite3.connect(path).execute("PRAGMA user_version = 1"), "has no tables"),
    ],
)
def test_what_is_no_database_is_one_line(tmp_path, listing, prepare, words):
    """The line names the file and says why; no file is made in its place."""
    path = tmp_path / "a.db"
    prepare(path)
    names = sorted(tmp_path.iterdir())
    with pytest.raises(Unreadable, match=words) as raised:
        audit(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert sorted(tmp_path.iterdir()) == names


def test_without_room_for_a_copy_the_remedy_is_named(tmp_path, monkeypatch):
    """Before it copies, the audit sees whether there is room."""
    left(tmp_path / "a.db", "-wal")
    room = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(file.shutil, "disk_usage", lambda _: room)
    with pytest.raises(Unreadable, match="set TMPDIR to a folder with more room"):
        audit(tmp_path / "a.db")


def test_a_copy_does_not_stay(tmp_path, monkeypatch):
    """The private folder is gone afterwards, also when the audit fails."""
    left(tmp_path / "a.db", "-wal")
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    assert audit(tmp_path / "a.db").read == "as a copy"
    with pytest.raises(ZeroDivisionError):
        file.on_committed_state(tmp_path / "a.db", lambda _: 1 / 0)
    assert list(place.iterdir()) == []


def test_a_writer_that_comes_meanwhile_starts_the_audit_again(tmp_path):
    """A file that was read without locks is read anew once somebody opened it to write."""
    path = tmp_path / "a.db"
    make(path, mode="wal").close()
    script = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None); "
        f'db.execute("{ORPHAN}"); print("there", flush=True); sys.stdin.read()'
    )
    seen, writers = [], []

    def work(reading):
        if not seen:
            command = [sys.executable, "-c", script, str(path)]
            writers.append(subprocess.Popen(command, stdin=-1, stdout=-1))
            assert writers[0].stdout.readline() == b"there\n"
        seen.append(reading.connection.execute("SELECT COUNT(*) FROM c").fetchone()[0])
        return seen[-1]

    try:
        assert file.on_committed_state(path, work) == 1
    finally:
        for writer in writers:
            writer.communicate()
    assert len(seen) == 2


def test_a_log_that_begins_anew_while_it_is_copied_is_copied_again(tmp_path, monkeypatch):
    """File and log of different moments are never taken together."""
    path = tmp_path / "a.db"
    left(path, "-wal")
    log, copied, count = Path(f"{path}-wal"), shutil.copyfileobj, []

    def disturbed(*arguments):
        copied(*arguments)
        count.append(1)
        if len(count) == 1:
            later = bytearray(log.read_bytes())
            later[12:16] = b"\1\2\3\4"
            log.write_bytes(later)

    monkeypatch.setattr(file.shutil, "copyfileobj", disturbed)
    assert file.on_committed_state(path, lambda reading: reading.read) == "as a copy"
    assert len(count) == 2


def test_a_link_leads_to_the_file_and_its_log(tmp_path):
    """The log lies beside the file itself, not beside a link to it."""
    left(tmp_path / "a.db", "-wal")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "chat.db").symlink_to(tmp_path / "a.db")
    assert not audit(tmp_path / "links" / "chat.db").ok


WRITER = """
import sys
from sessionproof import Message
from sessionproof.reference import ReferenceStore
number = 0
while True:
    with ReferenceStore(sys.argv[1], durability="process") as store:
        for number in range(number, number + 40):
            name = f"s{number % 7}"
            store.append(name, [Message("user", "x" * 300, tokens=3)] * 3)
            if number % 5 == 0:
                store.pop_last(name)
            if number % 31 == 0:
                store.delete(name)
            print(flush=True)
"""


def test_a_store_in_use_is_never_called_damaged(tmp_path):
    """Counters and messages are of one moment, while the store writes, closes and opens again."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE
    ) as writer:
        try:
            for _ in range(5):
                for _ in range(30):
                    assert writer.stdout.readline()
                found = audit(tmp_path / "sessions.db")
                assert (found.problems, found.unchecked) == ((), ())
                assert found.rows["messages"] > 0
        finally:
            writer.kill()
