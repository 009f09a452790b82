"""The reference store's files: what the store does is never damage, and all damage is named."""

import sqlite3
from contextlib import closing

import pytest

from sessionproof import Message
from sessionproof.audit.catalog import expected
from sessionproof.audit.examine import audit
from sessionproof.audit.known.reference import APPLICATION_ID, KNOWN
from sessionproof.audit.sqltext import statements
from sessionproof.reference import ReferenceStore, steps

OF_A = "(SELECT id FROM sessions WHERE session_id = 'a')"
COUNTERS = ("message_count", "total_tokens", "total_duration_us")


def wrong(*counters, count=1):
    return {("wrong-counter", "sessions", one, count) for one in counters}


def test_whatever_the_store_does_is_right(tmp_path):
    """Deletes, edits, clears, replacements, state, odd ids and surrogates leave nothing to say."""
    with ReferenceStore(tmp_path, durability="process") as store:
        for name in ("a", "b", "c", "d", "", "\x1b[31m", "\ud800"):
            store.append(name, [Message("user", str(n), tokens=n, duration_us=n) for n in range(9)])
        middle = store.append("a", [Message(None, None, kind="tool_call", arguments={"x": 1})])
        store.append("a", [Message("tool", ["\ud800", 1], kind="tool_result", tokens=None)])
        store.delete_message("a", middle.ids[0])
        last = store.append("a", [Message("user", "old", tokens=5)])
        store.edit_message("a", last.ids[0], Message("user", "new", tokens=50))
        store.pop_last("b")
        store.clear("c")
        store.append("c", [Message("user", "again", metadata={"k": "\ud800"})])
        store.replace("d", [Message("user", "other", created_at_us=0)])
        store.set_state("d", "key", None)
        store.create("e", llm_model="m", metadata={"\ud800": None})
        store.delete("e")
        path = store.tables().path
    found = audit(path)
    assert (found.problems, found.notes) == ((), ())
    assert (found.schema, found.version) == ("reference", str(len(steps.shipped())))
    assert found.rows["sessions"] == 7


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: f"version {known.version}")
def test_every_version_is_recognised(tmp_path, known):
    """A file of an older release is of that version, and nothing is missing."""
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as connection:
        for step in steps.shipped()[: int(known.version)]:
            for statement in statements(step.sql):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {known.version}")
    found = audit(tmp_path / "a.db")
    assert (found.version, found.problems, found.notes) == (known.version, (), ())


def test_the_versions_are_those_of_the_store():
    """The audit and the store take the same files for the schema, and the same mark of a file."""
    assert len(KNOWN) == len(steps.shipped())
    assert steps.APPLICATION_ID == APPLICATION_ID
    assert ("trigger", "messages_after_insert") in expected(KNOWN[-1].sql).objects


@pytest.mark.parametrize(
    ("statement", "expected_problems"),
    [
        (
            "DELETE FROM sessions WHERE session_id = 'a'",
            {("orphan", "messages", "sid", 5), ("orphan", "state", "sid", 1)},
        ),
        ("UPDATE sessions SET message_count = 4 WHERE session_id = 'a'", wrong("message_count")),
        ("UPDATE messages SET tokens = 500 WHERE seq = 2", wrong("total_tokens")),
        ("UPDATE messages SET duration_us = NULL WHERE seq = 2", wrong("total_duration_us")),
        (
            f"DELETE FROM messages WHERE seq = 2 AND sid = {OF_A}",
            {("gap", "messages", "seq", 1), *wrong(*COUNTERS)},
        ),
        (
            f"DELETE FROM messages WHERE seq >= 4 AND sid = {OF_A}",
            {("gap", "messages", "seq", 1), *wrong(*COUNTERS)},
        ),
        (
            "UPDATE sessions SET next_seq = 5 WHERE session_id = 'a'",
            {("number-beyond-next", "sessions", "next_seq", 1)},
        ),
        (
            "UPDATE messages SET role = 'robot' WHERE seq <= 2",
            {("bad-role", "messages", "role", 3)},
        ),
        (
            "UPDATE sessions SET status = 'sleepy' WHERE session_id <> 'a'",
            {("bad-status", "sessions", "status", 2)},
        ),
        (
            f"UPDATE messages SET created_at_us = -1 WHERE sid = {OF_A}",
            {("bad-number", "messages", "created_at_us", 5)},
        ),
        (
            "UPDATE messages SET metadata = '{' WHERE seq = 1",
            {("invalid-json", "messages", "metadata", 2)},
        ),
        (
            "UPDATE messages SET content = NULL, content_json = x'7b' WHERE seq = 1",
            {("invalid-json", "messages", "content_json", 2)},
        ),
        ("UPDATE state SET value = 'x'", {("invalid-json", "state", "value", 1)}),
        ("PRAGMA user_version = 0", {("altered-header", None, None, 1)}),
        ("PRAGMA application_id = 0", {("altered-header", None, None, 1)}),
        ("PRAGMA user_version = 99", set()),
        (
            "DROP INDEX messages_by_message_id",
            {("missing-index", "messages", None, 1)},
        ),
        ("CREATE INDEX more ON messages (role)", set()),
        ("CREATE TABLE more (x)", set()),
        ("ALTER TABLE messages ADD COLUMN more TEXT", set()),
        (
            "ALTER TABLE messages DROP COLUMN digest",
            {("missing-column", "messages", "digest", 1)},
        ),
    ],
)
def test_each_kind_of_damage_has_its_name(reference, harm, problems, statement, expected_problems):
    """Kind, table, column and number are exact, and nothing else is said."""
    harm(reference, statement)
    assert problems(reference) == expected_problems


def test_repeated_ids_are_found_where_the_index_is_gone(reference, harm, problems):
    """Two messages of a session with one id."""
    harm(
        reference,
        "DROP INDEX messages_by_message_id",
        f"UPDATE messages SET message_id = 'same' WHERE sid = {OF_A} AND seq <= 3",
    )
    assert problems(reference) == {
        ("missing-index", "messages", None, 1),
        ("repeated-id", "messages", "sid, message_id", 2),
    }


def test_repeated_numbers_are_found_in_a_table_without_rules(reference, harm, problems):
    """A table that was copied has lost its rules, its indexes, and its numbers went wrong."""
    harm(
        reference,
        "CREATE TABLE copied AS SELECT * FROM messages",
        "DROP TABLE messages",
        "ALTER TABLE copied RENAME TO messages",
        f"UPDATE messages SET seq = 1 WHERE sid = {OF_A} AND seq = 2",
    )
    assert {
        ("altered-table", "messages", None, 1),
        ("missing-index", "messages", None, 1),
        ("repeated-number", "messages", "seq", 1),
    } <= problems(reference)


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("DROP TRIGGER messages_after_insert", ("missing-trigger", "messages", None, 1)),
        (
            "DROP TRIGGER messages_after_delete; CREATE TRIGGER messages_after_delete "
            "AFTER DELETE ON messages BEGIN SELECT 1; END",
            ("altered-trigger", "messages", None, 1),
        ),
        ("DROP TABLE state", ("missing-table", "state", None, 1)),
    ],
)
def test_triggers_and_tables_are_compared(reference, problems, statement, problem):
    """What the schema says is there, and says the same."""
    with closing(sqlite3.connect(reference)) as connection:
        connection.executescript(statement)
    found = problems(reference)
    gone = {one for one in found if one[0] == "missing-trigger" and one[1] == "state"}
    assert problem in found
    assert found - gone == {problem}
    assert bool(gone) == ("state" in statement)


def test_layout_case_and_quotes_are_no_difference(reference, problems):
    """A trigger that says the same in other letters is the same."""
    with closing(sqlite3.connect(reference)) as connection:
        name = "messages_before_move"
        (sql,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (name,))
        other = sql[0].upper().replace("ON MESSAGES", '-- why\n  ON "messages"\n')
        other = other.replace("'A MESSAGE KEEPS ITS SESSION AND ITS NUMBER'", "'{}'").format(
            "a message keeps its session and its number"
        )
        connection.executescript(f"DROP TRIGGER {name}; {other}")
    assert problems(reference) == set()


def test_a_foreign_trigger_is_a_note(reference):
    """It may be meant; that it may change what others write is said."""
    with closing(sqlite3.connect(reference)) as connection:
        connection.execute(
            "CREATE TRIGGER mine AFTER INSERT ON messages BEGIN DELETE FROM state; END"
        )
    found = audit(reference)
    assert found.ok
    assert "the trigger mine of messages is not of the schema" in found.notes[0]


def test_the_shown_sql_mends(reference, harm, problems):
    """The SQL of a wrong counter, a number and a trigger, run once, leaves nothing to say."""
    harm(
        reference,
        "UPDATE sessions SET message_count = 1, total_tokens = 1 WHERE session_id = 'a'",
        "UPDATE sessions SET next_seq = 1 WHERE session_id = 'b'",
    )
    with closing(sqlite3.connect(reference, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER messages_after_delete")
        found = audit(reference).problems
        assert {one.kind for one in found} == {
            "wrong-counter", "number-beyond-next", "missing-trigger",
        }  # fmt: skip
        for one in found:
            connection.execute(one.sql)
    assert problems(reference) == set()


def test_torn_pages_are_damage_and_no_error(reference):
    """Wherever bytes are overwritten, the audit ends and says that something is wrong."""
    whole = reference.read_bytes()
    for page in range(1, len(whole) // 4096):
        torn = bytearray(whole)
        torn[page * 4096 : page * 4096 + 64] = b"\xff" * 64
        reference.write_bytes(torn)
        kinds = {one.kind for one in audit(reference).problems}
        assert kinds, page
