"""Verify: every kind of damage is told, nothing is when all is well, and nothing is changed."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from sessionproof import Message, Refused
from sessionproof.reference import AsyncReferenceStore, ReferenceStore
from sessionproof.reference.verify import examined_file, verify_file


def filled(folder: Path) -> Path:
    """A closed database of twelve sessions of forty messages."""
    with ReferenceStore(folder, durability="process") as store:
        for number in range(12):
            batch = [Message("user", f"<{number}.{place}>" + "x" * 80) for place in range(40)]
            store.append(f"s{number}", batch)
        store.set_state("s1", "k", {"a": 1})
        return Path(store.tables().path)


def past_the_guards(path: Path, *statements: str) -> None:
    """Change rows as no writer could: without triggers and rules, which are there afterwards."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute("PRAGMA ignore_check_constraints = ON")
        triggers = db.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"
        ).fetchall()
        for name, _ in triggers:
            db.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            db.execute(statement)
        for _, sql in triggers:
            db.execute(sql)


ROWS = {
    "orphan": ("INSERT INTO messages (sid, seq, appended_at_us) VALUES (999, 1, 0)", "belong"),
    "count": ("UPDATE sessions SET message_count = 39 WHERE id = 3", "message_count"),
    "tokens": ("UPDATE sessions SET total_tokens = 7 WHERE id = 3", "total_tokens"),
    "duration": ("UPDATE sessions SET total_duration_us = 7 WHERE id = 3", "total_duration_us"),
    "gap": ("DELETE FROM messages WHERE sid = 3 AND seq = 7", "missing"),
    "next": ("UPDATE sessions SET next_seq = 40 WHERE id = 3", "next"),
    "role": ("UPDATE messages SET role = 'robot' WHERE sid = 3 AND seq = 2", ""),
    "kind": ("UPDATE messages SET kind = 'none' WHERE sid = 3 AND seq = 2", ""),
    "json": ("UPDATE messages SET metadata = '{' WHERE sid = 3 AND seq = 2", ""),
    "negative": ("UPDATE messages SET tokens = -2 WHERE sid = 3 AND seq = 2", ""),
    "content": ("UPDATE messages SET content = 'other' WHERE sid = 3 AND seq = 2", "as written"),
    "state": ("INSERT INTO state (sid, key, value) VALUES (999, 'k', '1')", "state"),
}


@pytest.mark.parametrize("name", ROWS)
def test_rows_that_contradict_are_told(tmp_path: Path, name: str):
    """Each kind of wrong row is a problem, of an open store and of a closed file."""
    path = filled(tmp_path)
    assert verify_file(tmp_path).ok
    statement, word = ROWS[name]
    past_the_guards(path, statement)
    found = verify_file(path).problems
    assert found
    assert word in " ".join(found)
    assert all(one.isprintable() for one in found)
    with ReferenceStore(tmp_path) as store:
        assert store.verify().problems
        about_one = store.verify("s2").problems
        assert bool(about_one) == (name not in ("orphan", "state"))
        assert store.verify("s5").ok


def damages(path: Path) -> dict[str, Callable[[bytearray], None]]:
    """Damage by name, for the bytes of the file at its real size."""
    with closing(sqlite3.connect(path)) as db:
        root = dict(db.execute("SELECT name, rootpage FROM sqlite_schema"))
    content = path.read_bytes()

    def flip(at: int) -> Callable[[bytearray], None]:
        def change(held: bytearray) -> None:
            held[at] ^= 1

        return change

    def zero(page: int) -> Callable[[bytearray], None]:
        def change(held: bytearray) -> None:
            held[(page - 1) * 4096 : page * 4096] = bytes(4096)

        return change

    def swap(held: bytearray) -> None:
        one, other = content.index(b"<2.5>") // 4096, content.index(b"<9.5>") // 4096
        for place, source in ((one, other), (other, one)):
            held[place * 4096 : (place + 1) * 4096] = content[source * 4096 : (source + 1) * 4096]

    return {
        "text": flip(content.index(b"<2.5>") + 1),
        "leaf": zero(content.index(b"<2.5>") // 4096 + 1),
        "root of messages": zero(root["messages"]),
        "index": zero(root["sqlite_autoindex_messages_1"]),
        "index of sessions": zero(root["sqlite_autoindex_sessions_1"]),
        "swapped": swap,
    }


NAMES = ("text", "leaf", "root of messages", "index", "index of sessions", "swapped")


@pytest.mark.parametrize("name", NAMES)
def test_damaged_pages_are_told(tmp_path: Path, name: str):
    """Verify finds it, and reads are right or raise an error of the store in one line."""
    path = filled(tmp_path)
    held = bytearray(path.read_bytes())
    damages(path)[name](held)
    path.write_bytes(held)
    assert verify_file(path).problems
    with ReferenceStore(tmp_path, check_digests=True) as store:
        assert store.verify().problems
        for number in range(12):
            right = [f"<{number}.{place}>" + "x" * 80 for place in range(40)]
            assert read_or_error(store, f"s{number}") in (right, "refused")


def read_or_error(store: ReferenceStore, session: str) -> list[str] | str:
    """The contents of the session; "refused" when the store says in one line that it cannot."""
    try:
        return [message.content for message in store.read(session)]
    except Refused as error:
        return "refused" if str(error).isprintable() else str(error)


def test_the_file_stays_as_it_is(tmp_path: Path):
    """Verify changes no byte and makes no file, of a good database and of a damaged one."""
    path = filled(tmp_path)
    for change in (b"<2.5>", b"<2.4>"):
        path.write_bytes(path.read_bytes().replace(b"<2.5>", change))
        before = sha256(path.read_bytes()).hexdigest()
        verify_file(tmp_path)
        assert sha256(path.read_bytes()).hexdigest() == before
        assert [one.name for one in tmp_path.iterdir()] == ["sessions.db"]


def test_a_database_with_a_log_and_no_index_is_verified(tmp_path: Path):
    """A file that was copied with its log is looked at as a whole, log included."""
    (tmp_path / "live").mkdir()
    (tmp_path / "copy").mkdir()
    with ReferenceStore(tmp_path / "live") as store:
        store.append("s", [Message("user", "in the log", metadata={"a": 1})])
        for name in ("sessions.db", "sessions.db-wal"):
            (tmp_path / "copy" / name).write_bytes((tmp_path / "live" / name).read_bytes())
    found = examined_file(tmp_path / "copy")
    assert (found.ok, found.rows["messages"], found.read) == (True, 1, "as a copy")
    assert len(list((tmp_path / "copy").iterdir())) == 2


def test_what_cannot_be_verified_is_a_note(tmp_path: Path):
    """A message that another program wrote is unverified: said, and no problem."""
    path = filled(tmp_path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(
            "INSERT INTO messages (sid, seq, role, content, appended_at_us) "
            "VALUES (1, 41, 'user', 'foreign', 0)"
        )
    found = examined_file(path)
    assert found.ok
    assert any(note.startswith("1 of the messages have no digest") for note in found.notes)
    other = tmp_path / "other"
    other.mkdir()
    assert not examined_file(filled(other)).notes


def test_what_is_no_database_of_ours_is_refused(tmp_path: Path):
    """Missing, empty, foreign and newer files are refused in one line, and stay."""
    with pytest.raises(Refused, match="does not exist"):
        verify_file(tmp_path)
    path = tmp_path / "sessions.db"
    for content in (b"", b"x", b"just a text\n" * 900):
        path.write_bytes(content)
        with pytest.raises(Refused) as refused:
            verify_file(tmp_path)
        assert str(refused.value).isprintable()
        assert path.read_bytes() == content
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, text)")
    with pytest.raises(Refused, match="no database of the reference store"):
        verify_file(tmp_path)
    newer = tmp_path / "newer"
    newer.mkdir()
    with closing(sqlite3.connect(filled(newer))) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(Refused, match="upgrade sessionproof"):
        verify_file(newer)


def test_verify_goes_on_beside_writers(tmp_path: Path):
    """While another thread appends, verify finds nothing wrong, and the writer is not refused."""
    filled(tmp_path)
    with ReferenceStore(tmp_path, durability="process", preset="cli") as store:
        done = threading.Event()

        def write() -> None:
            for _ in range(150):
                store.append("s1", [Message("user", "more", tokens=1)])
            done.set()

        writer = threading.Thread(target=write)
        writer.start()
        looked = 0
        while not done.is_set() or looked < 2:
            assert store.verify().problems == ()
            assert store.verify("s1").problems == ()
            looked += 1
        writer.join()
        assert store.count("s1") == 190


def test_a_closed_store_is_not_verified(tmp_path: Path):
    """After close it is refused; of an unknown session nothing is wrong."""
    with ReferenceStore(tmp_path) as store:
        assert store.verify("unknown").ok
        assert store.verify("\ud800").ok
        with pytest.raises(Refused):
            store.verify(7)
    with pytest.raises(Refused, match="closed"):
        store.verify()


def test_tasks_verify_too(tmp_path: Path):
    """The store behind ``async def`` answers the same."""

    async def main() -> None:
        async with AsyncReferenceStore(tmp_path) as store:
            await store.append("s", [Message("user", "x")])
            assert (await store.verify()).ok
            assert (await store.verify("s")).ok

    asyncio.run(main())
