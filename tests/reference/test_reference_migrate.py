"""Old files are taken over whole, or not at all; what is not taken over is kept and told."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta, timezone
from pathlib import Path

import pytest

from fixtures.legacy import build, damaged, database
from sessionproof.contract.errors import Refused
from sessionproof.contract.message import Message
from sessionproof.reference import ReferenceStore, steps
from sessionproof.reference.legacy.values import Manner
from sessionproof.reference.migrate import migrate
from sessionproof.reference.rollback import rollback
from sessionproof.reference.verify import verify_file

# Of those that have any: how many rows become neither session nor message, and how many messages
# there are.
TAKEN = {
    "enhanced": (0, 3), "plain": (0, 3), "portal": (0, 3), "manager": (0, 2),
    "enhanced_deleted": (0, 3), "enhanced_orphans": (4, 3), "enhanced_counters": (0, 3),
    "enhanced_moved": (0, 3), "enhanced_null_keys": (3, 4), "enhanced_values": (0, 5),
    "enhanced_fraction": (0, 4), "enhanced_times": (0, 3), "enhanced_quick_fix": (0, 5),
    "enhanced_no_trigger": (0, 2), "enhanced_residue": (0, 3), "enhanced_rebuilt": (0, 3),
    "enhanced_search": (0, 3), "plain_counted_twice": (0, 3), "plain_orphans": (2, 1),
    "plain_words": (1, 2), "portal_orphaned_messages": (2, 1), "portal_orphaned_users": (0, 3),
    "portal_counts": (0, 3), "portal_words": (1, 2), "manager_damaged": (2, 3),
}  # fmt: skip


@pytest.fixture
def place(tmp_path) -> Path:
    """An empty directory for the new store."""
    folder = tmp_path / "chats"
    folder.mkdir()
    return folder


@pytest.fixture
def plain(tmp_path) -> Path:
    """A file of the plain schema, with two sessions."""
    return made(tmp_path / "old.db", "plain")


def made(path: Path, name: str) -> Path:
    build(next(one for one in damaged() if one.name == name), path)
    return path


def changed(path: Path, sql: str) -> Path:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(sql)
    return path


def everything(folder: Path) -> dict[str, bytes]:
    files = [one for one in folder.rglob("*") if one.is_file()]
    return {str(one.relative_to(folder)): one.read_bytes() for one in files}


def messages(place: Path, session: str) -> list[Message]:
    with ReferenceStore(place) as store:
        return store.read(session)


def aside(place: Path) -> list[dict]:
    lines = (place / "migrated" / "aside.jsonl").read_text("ascii").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("one", damaged(), ids=lambda one: one.name)
def test_every_legacy_file_is_taken_over_and_given_back(one, tmp_path, place):
    """It verifies clean, a dry run foretells it, again changes nothing, and the way back is one."""
    build(one, tmp_path / "old.db")
    before = (tmp_path / "old.db").read_bytes()
    would = migrate(tmp_path / "old.db", place, dry_run=True)
    assert not any(place.iterdir())
    answer = migrate(tmp_path / "old.db", place)
    assert (answer.set_aside, answer.messages) == TAKEN[one.name]
    assert would == answer
    assert verify_file(place).ok
    again = migrate(tmp_path / "old.db", place)
    assert (again.changed, again.messages, again.notes) == (False, answer.messages, answer.notes)
    with ReferenceStore(place) as store:
        store.append("since", [Message("user", "x")])
    kept = rollback(place).kept
    assert (tmp_path / "old.db").read_bytes() == before
    assert list(everything(place)) == [kept.name]


@pytest.mark.parametrize("name", ["enhanced_orphans", "portal", "manager_damaged", "plain"])
def test_a_file_in_the_stores_own_place_is_replaced_and_given_back(name, place):
    """sessions.db itself: the old bytes are kept, come back, and can be migrated again."""
    file = made(place / "sessions.db", name)
    before = file.read_bytes()
    answer = migrate(file, place)
    assert answer.changed
    assert not migrate(file, place).changed
    assert verify_file(place).ok
    rollback(place)
    assert file.read_bytes() == before
    assert migrate(file, place) == answer


def logged(path: Path, name: str) -> tuple[bytes, bytes]:
    """A file whose newest message is in its log, as after a crash; both, byte for byte."""
    source = made(path.with_name("draft.db"), name)
    with closing(sqlite3.connect(source, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(
            "INSERT INTO messages (message_id, session_id, role, content) "
            "VALUES ('n', 'b', 'assistant', 'newest')"
        )
        for end in ("", "-wal"):
            shutil.copyfile(f"{source}{end}", f"{path}{end}")
    return path.read_bytes(), Path(f"{path}-wal").read_bytes()


@pytest.mark.parametrize("inside", [False, True])
def test_what_is_in_the_log_is_taken_over_and_comes_back(inside, tmp_path, place):
    """The newest message was in the log alone; file and log are afterwards what they were."""
    path = place / "sessions.db" if inside else tmp_path / "old.db"
    before = logged(path, "plain")
    (path.with_name("draft.db")).unlink()
    assert migrate(path, place).messages == 4
    assert [one.content for one in messages(place, "b")] == ["good day", "newest"]
    if not inside:
        assert (path.read_bytes(), Path(f"{path}-wal").read_bytes()) == before
    rollback(place)
    assert (path.read_bytes(), Path(f"{path}-wal").read_bytes()) == before


def test_nulls_stay_nulls_and_times_are_read(tmp_path, place):
    """Unknown tokens are not 0; seconds, milliseconds, zones and texts without one are times."""
    file = changed(
        made(tmp_path / "old.db", "plain"),
        """UPDATE messages SET tokens_used = NULL, timestamp = 1767225600 WHERE message_id = 'a1';
        UPDATE messages SET timestamp = '2026-01-01T02:00:01+02:00', metadata = '{"n": 1}'
        WHERE message_id = 'a2';""",
    )
    migrate(file, place)
    first, second = messages(place, "a")
    assert (first.tokens, first.created_at_us, first.id) == (None, 1767225600_000000, "a1")
    assert (second.created_at_us, second.metadata) == (1767225601_000000, {"n": 1})


def test_a_zone_and_words_of_the_file_can_be_told(tmp_path, place):
    """Naive times are those of the zone, and a role's own word is no reason to put it aside."""
    file = changed(
        made(tmp_path / "old.db", "plain"),
        "UPDATE messages SET role = 'ai', timestamp = '2026-01-01 09:00:00'",
    )
    manner = Manner(timezone(timedelta(hours=9)), {"ai": "assistant"})
    assert migrate(file, place, manner=manner).set_aside == 0
    first, _ = messages(place, "a")
    assert (first.role, first.created_at_us) == ("assistant", 1767225600_000000)


def test_rows_that_are_put_aside_are_kept_whole(tmp_path, place):
    """Each is a line with all of its columns and the reason."""
    migrate(made(tmp_path / "old.db", "enhanced_orphans"), place)
    lines = aside(place)
    assert {line["why"] for line in lines} == {"their session is gone"}
    assert all(line["taken_over"] is False for line in lines)
    assert all(line["row"]["content"] for line in lines)


def test_numbers_are_kept_with_their_gaps(tmp_path, place):
    """A number that can be kept is; one that cannot be comes after the one before it."""
    file = changed(
        made(tmp_path / "old.db", "enhanced"),
        """INSERT INTO messages (message_id, session_id, sequence_number, role, content) VALUES
        ('a9', 'a', 9, 'user', 'nine'), ('a7', 'a', 7, 'user', 'seven'),
        ('a8', 'a', 8.5, 'user', 'eight and a half');""",
    )
    answer = migrate(file, place)
    with closing(sqlite3.connect(place / "sessions.db")) as new:
        rows = new.execute(
            "SELECT seq, content FROM messages AS m JOIN sessions AS s ON s.id = m.sid "
            "WHERE s.session_id = 'a' ORDER BY seq"
        ).fetchall()
    assert rows[2:] == [(7, "seven"), (8, "eight and a half"), (9, "nine")]
    assert any("numbered anew: 1 message " in note for note in answer.notes)


def test_sessions_keep_their_facts(tmp_path, place):
    """Title, model, status, owner and limits; a soft-deleted chat is archived, and says so."""
    file = changed(
        made(tmp_path / "old.db", "portal"),
        "UPDATE conversations SET status = 'deleted', title = 'one', model = 'm' "
        "WHERE conversation_id = 'k1'",
    )
    migrate(file, place)
    with ReferenceStore(place) as store:
        info = store.get("k1")
        assert (info.title, info.llm_model, info.status) == ("one", "m", "archived")
        assert (info.owner, info.message_count) == ("a@b", 2)
        assert store.get_state("k1", "legacy_status") == "deleted"
        assert store.get("k2").last_activity_us == 1767261600_000000


def test_texts_that_are_no_utf8_survive(tmp_path, place):
    """A wrong byte costs nothing but itself: the message is there, and nothing is put aside."""
    file = changed(
        made(tmp_path / "old.db", "plain"),
        "UPDATE messages SET content = CAST(x'68FF69' AS TEXT) WHERE message_id = 'a1'; "
        "UPDATE messages SET content = CAST('blob' AS BLOB) WHERE message_id = 'a2'",
    )
    assert migrate(file, place).set_aside == 0
    assert [one.content for one in messages(place, "a")] == ["h\udcffi", "blob"]


@pytest.mark.parametrize("version", range(1, len(steps.shipped())))
@pytest.mark.parametrize("inside", [False, True])
def test_earlier_releases_are_taken_over(version, inside, tmp_path, place):
    """A database that misses the last steps gets them, elsewhere or where it is."""
    path = place / "sessions.db" if inside else tmp_path / "old.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        steps.upgrade(old, steps.shipped()[:version])
        old.execute(
            "INSERT INTO sessions (session_id, created_at_us, last_activity_us) VALUES ('s', 1, 1)"
        )
        old.execute(
            "INSERT INTO messages (sid, seq, role, content, appended_at_us) "
            "VALUES (1, 1, 'user', 'hello', 1)"
        )
    before = path.read_bytes()
    assert migrate(path, place).messages == 1
    assert not migrate(path, place).changed
    assert [one.content for one in messages(place, "s")] == ["hello"]
    assert verify_file(place).ok
    rollback(place)
    assert path.read_bytes() == before


def test_a_store_of_this_release_needs_no_migration(place):
    """Asked for its own database, nothing is done."""
    with ReferenceStore(place) as store:
        store.append("a", [Message("user", "x")])
    before = everything(place)
    answer = migrate(place / "sessions.db", place)
    assert (answer.changed, answer.sessions, answer.messages) == (False, 1, 1)
    assert everything(place) == before


def foreign(path: Path) -> None:
    changed(path, "CREATE TABLE recipes (name TEXT)")


def cut(path: Path) -> None:
    made(path, "enhanced")
    data = bytearray(path.read_bytes())
    data[4096 * 2 : 4096 * 6] = bytes(4096 * 4)
    path.write_bytes(data)


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        steps.upgrade(old, steps.shipped())
        old.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize(
    ("write", "told"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.mkdir(), "is no file"),
        (lambda path: path.write_bytes(b""), "empty"),
        (lambda path: path.write_text("hello, I am a text\n"), "no SQLite database"),
        (foreign, "its schema is not known"),
        (cut, "damaged"),
        (newer, "upgrade sessionproof"),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
def test_other_files_are_refused_in_one_line(write, told, dry_run, tmp_path, place):
    """The error names the file; nothing is made, and the file stays as it is."""
    path = tmp_path / "old.db"
    write(path)
    before = everything(tmp_path)
    with pytest.raises(Refused, match=told) as refused:
        migrate(path, place, dry_run=dry_run)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert everything(tmp_path) == before


def test_a_directory_with_a_store_is_refused(plain, place):
    """Chats that are there are not mixed with others, nor is a log that was left."""
    with ReferenceStore(place) as store:
        store.append("a", [Message("user", "x")])
    before = everything(place)
    with pytest.raises(Refused, match="choose an empty directory"):
        migrate(plain, place)
    assert everything(place) == before
    (place / "sessions.db").rename(place / "sessions.db-wal")
    with pytest.raises(Refused, match="move it away"):
        migrate(plain, place)


def test_a_file_that_changed_since_is_told(plain, place):
    """The old program went on: what it wrote is not in the new store, and that is said."""
    migrate(plain, place)
    changed(plain, "INSERT INTO sessions (session_id) VALUES ('new')")
    with pytest.raises(Refused, match="has changed since it was migrated"):
        migrate(plain, place)


def test_a_file_in_use_is_not_replaced(place):
    """In the store's own place, a program that has it open would go on with the old file."""
    file = made(place / "sessions.db", "plain")
    with closing(sqlite3.connect(file)) as other:
        other.execute("SELECT COUNT(*) FROM sessions").fetchone()
        with pytest.raises(Refused, match="in use"):
            migrate(file, place)
        assert other.execute("SELECT COUNT(*) FROM sessions").fetchone() == (2,)
    assert [*everything(place)] == ["sessions.db"]


def test_a_migration_that_ended_half_way_is_done_again(plain, place):
    """The kept file was in place and the new one not yet: it is not migrated, and then it is."""
    answer = migrate(plain, place)
    (place / "sessions.db").unlink()
    assert migrate(plain, place) == answer
    assert verify_file(place).ok
    (place / "sessions.db").unlink()
    changed(plain, "DELETE FROM messages WHERE message_id = 'b1'")  # another file by now
    assert migrate(plain, place).messages == 2
    assert len([one for one in place.iterdir() if one.name.startswith("old.db")]) == 1


def test_a_table_without_its_main_columns_is_refused(tmp_path, place):
    """A table that lacks what a message must have is named."""
    with closing(database("plain", path=tmp_path / "old.db")) as old:
        old.execute("ALTER TABLE messages RENAME COLUMN content TO body")
    with pytest.raises(Refused, match="content"):
        migrate(tmp_path / "old.db", place)
    assert not any(place.iterdir())
