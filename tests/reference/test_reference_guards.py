"""What a stranger with foreign keys off cannot do to the file, and what its writes keep right."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing

import pytest

from sessionproof import Message
from sessionproof.reference import ReferenceStore, opening, statements, steps

INSERT = "INSERT INTO messages (sid, seq, role, content, appended_at_us) VALUES "


@pytest.fixture
def filled(store: ReferenceStore) -> ReferenceStore:
    """Session a (id 1) with three messages, b (id 2) with one, c (id 3) archived; state in a."""
    store.append("a", [Message("user", text, tokens=10, id=f"id-{text}") for text in "xyz"])
    store.append("b", [Message("user", "w", tokens=1)])
    store.create("c")
    store.set_state("a", "k", 1)
    with closing(sqlite3.connect(store.tables().path, isolation_level=None)) as operator:
        operator.execute("UPDATE sessions SET status = 'archived' WHERE session_id = 'c'")
    return store


def audit(connection: sqlite3.Connection) -> Sequence[tuple]:
    """Everything that must never be: orphans, wrong counters, numbers out of range."""
    return connection.execute(
        """
        SELECT 'orphan', m.id FROM messages AS m
        WHERE NOT EXISTS (SELECT 1 FROM sessions AS s WHERE s.id = m.sid)
        UNION ALL
        SELECT 'orphan state', sid FROM state AS t
        WHERE NOT EXISTS (SELECT 1 FROM sessions AS s WHERE s.id = t.sid)
        UNION ALL
        SELECT 'counter', s.id FROM sessions AS s
        WHERE (message_count, total_tokens, total_duration_us) IS NOT (
            SELECT count(*), coalesce(sum(tokens), 0), coalesce(sum(duration_us), 0)
            FROM messages AS m WHERE m.sid = s.id)
        UNION ALL
        SELECT 'number', s.id FROM sessions AS s
        WHERE next_seq <= (SELECT max(seq) FROM messages AS m WHERE m.sid = s.id)
        """
    ).fetchall()


REFUSED = {
    "orphan": INSERT + "(99, 1, 'user', 'x', 1)",
    "gap": INSERT + "(1, 5, 'user', 'x', 1)",
    "number again": INSERT + "(1, 3, 'user', 'x', 1)",
    "number below 1": INSERT + "(1, 0, 'user', 'x', 1)",
    "archived": INSERT + "(3, 1, 'user', 'x', 1)",
    "replace by number": INSERT.replace("INSERT", "REPLACE", 1) + "(1, 3, 'user', 'x', 1)",
    "replace by row": "INSERT OR REPLACE INTO messages (id, sid, seq, appended_at_us) "
    "VALUES (1, 1, 4, 1)",
    "replace by id": "INSERT OR REPLACE INTO messages (sid, seq, message_id, appended_at_us) "
    "VALUES (1, 4, 'id-x', 1)",
    "negative row": "INSERT INTO messages (id, sid, seq, appended_at_us) VALUES (-1, 1, 4, 1)",
    "no number": "INSERT INTO messages (sid, appended_at_us) VALUES (1, 1)",
    "no time": "INSERT INTO messages (sid, seq) VALUES (1, 4)",
    "move": "UPDATE messages SET sid = 2 WHERE id = 1",
    "renumber": "UPDATE messages SET seq = 9 WHERE id = 1",
    "new row id": "UPDATE messages SET id = 50 WHERE id = 1",
    "update or replace": "UPDATE OR REPLACE messages SET message_id = 'id-x' WHERE id = 2",
    "role": "UPDATE messages SET role = 'robot' WHERE id = 1",
    "kind": "UPDATE messages SET kind = NULL WHERE id = 1",
    "negative tokens": "UPDATE messages SET tokens = -1 WHERE id = 1",
    "text tokens": "UPDATE messages SET tokens = 'many' WHERE id = 1",
    "fractional number": INSERT + "(1, 4.5, 'user', 'x', 1)",
    "numeric content": "UPDATE messages SET content = 5 WHERE id = 1",
    "bad metadata": "UPDATE messages SET metadata = '{' WHERE id = 1",
    "numeric metadata": "UPDATE messages SET metadata = 1 WHERE id = 1",
    "bad arguments": "UPDATE messages SET arguments = '{' WHERE id = 1",
    "two contents": "UPDATE messages SET content_json = '1' WHERE id = 1",
    "text time": "UPDATE messages SET created_at_us = '2024-01-01' WHERE id = 1",
    "session again": "INSERT OR REPLACE INTO sessions (session_id, created_at_us, "
    "last_activity_us) VALUES ('a', 1, 1)",
    "session row again": "INSERT OR REPLACE INTO sessions (id, session_id, created_at_us, "
    "last_activity_us) VALUES (1, 'new', 1, 1)",
    "session without id": "INSERT INTO sessions (session_id, created_at_us, last_activity_us) "
    "VALUES (NULL, 1, 1)",
    "session that counts": "INSERT INTO sessions (session_id, next_seq, message_count, "
    "created_at_us, last_activity_us) VALUES ('new', 9, 3, 1, 1)",
    "rename": "UPDATE sessions SET session_id = 'z' WHERE id = 1",
    "rename over another": "UPDATE OR REPLACE sessions SET session_id = 'b' WHERE id = 1",
    "new session row id": "UPDATE sessions SET id = 50 WHERE id = 1",
    "numbers again": "UPDATE sessions SET next_seq = 2 WHERE id = 1",
    "status": "UPDATE sessions SET status = 'gone' WHERE id = 1",
    "no status": "UPDATE sessions SET status = NULL WHERE id = 1",
    "no count": "UPDATE sessions SET message_count = NULL WHERE id = 1",
    "counted twice": "UPDATE sessions SET message_count = message_count + 1 WHERE id = 1",
    "orphan state": "INSERT INTO state (sid, key, value) VALUES (99, 'k', '1')",
    "moved state": "UPDATE state SET sid = 2",
    "moved over state": "UPDATE OR REPLACE state SET sid = 2",
    "bad state": "UPDATE state SET value = '{'",
}


@pytest.mark.parametrize("recursive", [0, 1], ids=["plain", "recursive_triggers"])
@pytest.mark.parametrize("sql", REFUSED.values(), ids=REFUSED)
def test_refuses_damage(filled: ReferenceStore, foreign, sql: str, recursive: int):
    """SQL that would damage references, numbers or counters is refused and changes nothing."""
    foreign.execute(f"PRAGMA recursive_triggers = {recursive}")
    before = list(foreign.iterdump())
    with pytest.raises(sqlite3.IntegrityError):
        foreign.execute(sql)
    assert list(foreign.iterdump()) == before
    assert audit(foreign) == []


WRITES = {
    "append": INSERT + "(1, 4, 'user', 'x', 1)",
    "batch": "INSERT INTO messages (sid, seq, tokens, appended_at_us) "
    "VALUES (1, 4, 2, 1), (1, 5, NULL, 1)",
    "edit tokens": "UPDATE messages SET tokens = 510, duration_us = 3",
    "forget tokens": "UPDATE messages SET tokens = NULL",
    "delete a message": "DELETE FROM messages WHERE id = 2",
    "delete all messages": "DELETE FROM messages",
    "delete a session": "DELETE FROM sessions WHERE id = 1",
    "delete all sessions": "DELETE FROM sessions",
    "skip numbers": "UPDATE sessions SET next_seq = 100 WHERE id = 1",
}


@pytest.mark.parametrize("recursive", [0, 1], ids=["plain", "recursive_triggers"])
@pytest.mark.parametrize("sql", WRITES.values(), ids=WRITES)
def test_stays_right_under_foreign_writes(filled: ReferenceStore, foreign, sql: str, recursive):
    """Counters, numbers and references are right after what a stranger may write."""
    foreign.execute(f"PRAGMA recursive_triggers = {recursive}")
    foreign.execute(sql)
    assert audit(foreign) == []
    for name in filled.list():
        assert filled.count(name) == len(filled.read(name))
    filled.append("a", [Message("user", "after")])
    assert audit(foreign) == []


def test_foreign_keys_hold_on_every_connection(filled: ReferenceStore):
    """The writer and every reader enforce foreign keys; readers cannot write."""
    seen = []
    for run in (filled._writer.run, filled._readers.run):
        run(lambda db: seen.append(db.execute("PRAGMA foreign_keys").fetchone()[0]))
    assert seen == [1, 1]
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        filled._readers.run(lambda db: db.execute("DELETE FROM messages"))


def test_a_missing_guard_is_noticed_at_open(filled: ReferenceStore, foreign):
    """A file whose guard was dropped or changed is refused, as numbers could go wrong in it."""
    assert steps.differences(foreign, steps.shipped()) == []
    foreign.execute("CREATE TABLE theirs (x)")
    assert steps.differences(foreign, steps.shipped()) == []
    foreign.execute("DROP TRIGGER messages_before_move")
    assert steps.differences(foreign, steps.shipped()) == [
        "trigger messages_before_move is missing"
    ]
    with pytest.raises(opening.Refused, match="messages_before_move is missing"):
        ReferenceStore(opening.Path(filled.tables().path).parent)


HOT = {
    "append": statements._insertion(1),
    "batch": statements._insertion(3),
    "read": statements.READ_ALL,
    "read_last": statements.READ_LAST,
    "page": statements.READ_PAGE,
    "get": statements.GET,
    "count": statements.COUNT,
    "clear": statements.CLEAR,
    "delete": statements.DELETE,
    "delete_message": statements._DELETE_MESSAGE,
    "edit_message": statements._EDIT_MESSAGE,
    "get_state": statements.GET_STATE,
}


@pytest.mark.parametrize("sql", HOT.values(), ids=HOT)
def test_no_hot_statement_scans_or_sorts(foreign, sql: str):
    """Each statement finds its rows by an index, and reads them in order."""
    plan = foreign.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * sql.count("?")).fetchall()
    steps_of_plan = [row[3] for row in plan]
    scanned = [step for step in steps_of_plan if step.startswith("SCAN") and "CONSTANT" not in step]
    assert [step for step in scanned if step not in ("SCAN v", "SCAN 3-ROW VALUES CLAUSE")] == []
    assert not any("TEMP B-TREE" in step for step in steps_of_plan)
