"""Repair of rows that contradict each other: nothing that is right changes, nothing is dropped."""

import json
import sqlite3
from contextlib import closing

import pytest

from fixtures.legacy import build, damaged
from sessionproof import Message, Refused
from sessionproof.audit.examine import audit
from sessionproof.reference import ReferenceStore
from sessionproof.reference.repair import repair
from sessionproof.reference.verify import verify_file

# What a repair leaves alone: it needs people, or it is what migration is for.
LEFT = {"mixed-times", "missing-trigger", "altered-trigger", "altered-table"}


@pytest.fixture
def filled(tmp_path):
    """A closed store with two sessions of five messages, state and a model."""
    with ReferenceStore(tmp_path, durability="process") as store:
        for name in ("a", "b"):
            for at in range(5):
                store.append(name, [Message("user", f"{name}{at}", tokens=at, duration_us=at)])
            store.set_state(name, "key", 1)
        store.create("m", llm_model="gpt")
    return tmp_path


def harm(directory, *statements):
    """Write past all triggers and CHECKs, as a fault or another program would."""
    path = directory / "sessions.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        sql = "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY rowid"
        triggers = db.execute(sql).fetchall()
        for name, _ in triggers:
            db.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            db.execute(statement)
        for _, create in triggers:
            db.execute(create)


def unhook(directory, *statements):
    """Write while the table of messages has forgotten that numbers are unique."""
    path = directory / "sessions.db"
    of_table = "FROM sqlite_schema WHERE tbl_name = 'messages'"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        (sql,) = db.execute(f"SELECT sql {of_table} AND type = 'table'").fetchone()
        indexes = db.execute(f"SELECT * {of_table} AND type = 'index'").fetchall()
        db.execute("PRAGMA writable_schema = ON")
        db.execute(f"DELETE {of_table} AND type = 'index'")
        forgets = sql.replace("UNIQUE (sid, seq)", "CHECK (1)")
        db.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'messages'", (forgets,))
        bump(db)
    harm(directory, *statements)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'messages'", (sql,))
        db.executemany("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)", indexes)
        bump(db)


def bump(db):
    """Let other connections read the schema anew."""
    (version,) = db.execute("PRAGMA schema_version").fetchone()
    db.execute(f"PRAGMA schema_version = {version + 1}")


def schema_of(directory):
    with closing(sqlite3.connect(directory / "sessions.db")) as db:
        return dict(db.execute("SELECT type || ' ' || name, sql FROM sqlite_schema").fetchall())


INSERT = "INSERT INTO messages (sid, seq, role, content, appended_at_us) VALUES"
LOST_STATE = "INSERT INTO state (sid, key, value) VALUES (77, 'k', '1')"
SECOND_OF_A = "WHERE sid = 1 AND seq = 2"
DAMAGES = {
    "orphans": ([f"{INSERT} (99, 1, 'user', 'x', 1)", LOST_STATE],
                5, 2),
    "counters": (["UPDATE sessions SET message_count = message_count - 2, total_tokens = 99"],
                 5, 0),
    "gap": ([f"DELETE FROM messages {SECOND_OF_A}"], 4, 0),
    "role": ([f"UPDATE messages SET role = 'robot', digest = NULL {SECOND_OF_A}"], 4, 1),
    "kind": ([f"UPDATE messages SET kind = 'zzz' {SECOND_OF_A}"], 4, 1),
    "status": (["UPDATE sessions SET status = 'gone' WHERE id = 1"], 5, 1),
    "tokens": ([f"UPDATE messages SET tokens = -5 {SECOND_OF_A}"], 5, 1),
    "name": ([f"UPDATE messages SET name = 5 {SECOND_OF_A}"], 5, 1),
    "next": (["UPDATE sessions SET next_seq = 4, message_count = 3 WHERE id = 1"], 5, 0),
    "model": (["DELETE FROM llm_models"], 5, 0),
    "bytes": ([f"UPDATE messages SET content = CAST(X'FFFE80' AS TEXT) {SECOND_OF_A}"], 4, 1),
    "json": ([f"UPDATE messages SET content = NULL, content_json = '[' {SECOND_OF_A}"], 4, 1),
    "metadata": ([f"UPDATE messages SET metadata = '[' {SECOND_OF_A}"], 5, 1),
    "owner": (["UPDATE sessions SET owner = 5 WHERE id = 1"], 5, 1),
    "trigger": (["DROP INDEX sessions_by_owner"], 5, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_rows_are_mended_and_the_rest_stays(filled, name):
    """A dry run changes no byte; then all is in order, the other session untouched, rows kept."""
    statements, of_a, kept = DAMAGES[name]
    right = schema_of(filled)
    with ReferenceStore(filled) as store:
        before = store.read("b"), store.get("b"), [one.content for one in store.read("a")]
    harm(filled, *statements)
    assert not verify_file(filled).ok
    image = (filled / "sessions.db").read_bytes()
    told = repair(filled)
    assert told.changes
    assert told.backup is None
    assert [one.name for one in filled.iterdir()] == ["sessions.db"]
    assert (filled / "sessions.db").read_bytes() == image
    done = repair(filled, dry_run=False)
    assert done.changes[: len(told.changes)] == told.changes
    assert verify_file(filled).ok
    assert repair(filled).changes == ()
    assert schema_of(filled) == right
    aside = [json.loads(line) for line in aside_of(filled)]
    assert len(aside) == kept
    with ReferenceStore(filled) as store:
        texts = [one.content for one in store.read("a")]
        assert (store.read("b"), store.get("b")) == before[:2]
        assert len(texts) == of_a
        assert [one for one in before[2] if one in texts] == texts
        assert store.append("a", [Message("user", "on")]).seqs == (6,)


def aside_of(directory):
    """The lines of the files with what was set aside."""
    return [
        line
        for file in sorted(directory.glob("*.set-aside.jsonl"))
        for line in file.read_text("ascii").splitlines()
    ]


def test_the_copy_has_every_row_as_it_was(filled):
    """The copy that is made before is the damaged database."""
    harm(filled, *DAMAGES["orphans"][0], *DAMAGES["gap"][0])
    with closing(sqlite3.connect(filled / "sessions.db")) as db:
        before = db.execute("SELECT * FROM messages").fetchall()
    done = repair(filled, dry_run=False)
    with closing(sqlite3.connect(done.backup)) as db:
        assert db.execute("SELECT * FROM messages").fetchall() == before


def test_what_is_set_aside_can_be_read_again(filled):
    """Each row stands in a line of JSON with its table and the reason."""
    harm(filled, f"{INSERT} (99, 1, 'user', 'lost', 1)")
    repair(filled, dry_run=False)
    (line,) = aside_of(filled)
    row = json.loads(line)
    assert (row["table"], row["stays"]) == ("messages", False)
    assert (row["row"]["sid"], row["row"]["content"]) == (99, "lost")
    assert "sessions that are not there" in row["why"]


def test_a_role_is_put_right_by_the_digest(filled):
    """The digest says which role a message had when it was changed by itself."""
    harm(filled, f"UPDATE messages SET role = 'robot' {SECOND_OF_A}")
    assert not verify_file(filled).ok
    repair(filled, dry_run=False)
    assert verify_file(filled).ok
    with ReferenceStore(filled, check_digests=True) as store:
        assert [one.role for one in store.read("a")] == ["user"] * 5


def test_the_later_of_two_messages_with_a_number_gets_a_new_one(filled):
    """The first keeps its number, the second gets one that nobody had; the index is made anew."""
    unhook(filled, "UPDATE messages SET seq = 2 WHERE sid = 1 AND seq = 4")
    assert not verify_file(filled).ok
    repair(filled, dry_run=False)
    assert verify_file(filled).ok
    with ReferenceStore(filled) as store:
        assert [one.content for one in store.read("a")] == ["a0", "a1", "a2", "a4", "a3"]
        assert store.append("a", [Message("user", "on")]).seqs == (7,)


def test_a_session_whose_name_cannot_be_read_keeps_its_messages(filled):
    """It is called after its row, as the name is lost; the bytes that were there are set aside."""
    harm(filled, "UPDATE sessions SET session_id = CAST(X'61FF' AS TEXT) WHERE id = 1")
    repair(filled, dry_run=False)
    with ReferenceStore(filled) as store:
        assert sorted(store.list()) == ["b", "m", "recovered-1"]
        assert len(store.read("recovered-1")) == 5
    (line,) = aside_of(filled)
    assert json.loads(line)["row"]["session_id"].encode("utf-8", "surrogateescape") == b"a\xff"


def test_a_session_gets_another_tag_where_its_own_cannot_be_read(filled):
    """Ids of messages begin with it; a session is never taken away for it."""
    harm(filled, "UPDATE sessions SET tag = CAST(X'FF' AS TEXT) WHERE id = 1")
    repair(filled, dry_run=False)
    assert verify_file(filled).ok
    with ReferenceStore(filled) as store:
        assert len({one.id for one in store.read("a")}) == 5


def test_an_index_that_lacks_rows_is_made_anew(filled):
    """No message is called an orphan, or gone, because an index does not have it."""
    unhook(filled, "UPDATE messages SET seq = 9 WHERE sid = 1 AND seq = 5")
    done = repair(filled, dry_run=False)
    assert any("index" in one for one in done.changes)
    assert verify_file(filled).ok
    with ReferenceStore(filled) as store:
        assert len(store.read("a")) == 5


@pytest.mark.parametrize("one", damaged(), ids=lambda one: one.name)
def test_legacy_databases_are_mended_where_they_lie(tmp_path, one):
    """What is left afterwards is no matter of rows, and a second repair has nothing to do."""
    path = tmp_path / "chat.db"
    build(one, path)
    image = path.read_bytes()
    told = repair(path)
    assert path.read_bytes() == image
    done = repair(path, dry_run=False)
    assert bool(told.changes) == bool(done.changes) == (done.backup is not None)
    left = {problem.kind for problem in audit(path).problems}
    assert left <= LEFT | ({"bad-number"} if one.name == "enhanced_fraction" else set())
    assert repair(path).changes == ()


def test_a_store_that_is_open_is_refused(filled):
    """Somebody else may be writing: one line, and nothing is changed."""
    harm(filled, *DAMAGES["counters"][0])
    with ReferenceStore(filled), pytest.raises(Refused, match="in use"):
        repair(filled, dry_run=False)
    assert not [*filled.glob("*.before-repair")]


def test_what_is_damaged_below_its_rows_is_refused(filled):
    """A page of zeros is no matter of rows: recover saves what can be read."""
    path = filled / "sessions.db"
    harm(filled, *DAMAGES["counters"][0])
    with closing(sqlite3.connect(path)) as db:
        sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'messages'"
        (page,) = db.execute(sql).fetchone()
    image = bytearray(path.read_bytes())
    image[(page - 1) * 4096 : page * 4096] = bytes(4096)
    path.write_bytes(image)
    for dry_run in (True, False):
        with pytest.raises(Refused, match="recover"):
            repair(filled, dry_run=dry_run)
    assert path.read_bytes() == image
    assert [one.name for one in filled.iterdir()] == ["sessions.db"]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [("missing.db", None, "does not exist"), ("text.db", b"hello", "no SQLite database"),
     ("empty.db", b"", "is empty")],
)  # fmt: skip
def test_what_is_no_database_is_refused(tmp_path, name, data, said):
    """One line that names the file."""
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(Refused, match=said):
        repair(path, dry_run=False)


def test_an_unknown_schema_is_refused(tmp_path):
    """Nothing says which rows are right."""
    with closing(sqlite3.connect(tmp_path / "other.db")) as db:
        db.execute("CREATE TABLE things (id INTEGER PRIMARY KEY)")
    with pytest.raises(Refused, match="schema is not known"):
        repair(tmp_path / "other.db")


def test_what_is_still_in_the_log_is_mended_too(filled):
    """The log of a process that died is part of the database, and of the copy."""
    path = filled / "sessions.db"
    harm(filled, *DAMAGES["gap"][0])
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.execute("UPDATE sessions SET total_tokens = 77 WHERE id = 2")
        crashed = filled / "crashed"
        crashed.mkdir()
        for name in ("sessions.db", "sessions.db-wal"):
            (crashed / name).write_bytes((filled / name).read_bytes())
    finally:
        db.close()
    done = repair(crashed, dry_run=False)
    assert any("total_tokens" in one and "77" in one for one in done.changes)
    assert verify_file(crashed).ok
