"""Verifying on PostgreSQL: whatever a stranger breaks is told, and nothing else."""

from __future__ import annotations

from sessionproof import Message
from sessionproof.reference.postgres import inventory, steps, verifying


def fill(store):
    """Two sessions, with limits, state, a model, a snapshot, and words that were looked for."""
    for name in ("a", "b"):
        store.create(name, title="A trip", llm_model=f"model of {name}", owner="ann")
        store.append(name, [Message("user", f"{name} own", tokens=3, id="1")])
        store.append(name, [Message("user", f"{name} {at}", duration_us=at) for at in range(5)])
        store.set_state(name, "k", [1])
        store.set_limits(name, idle_us=10**9)
        store.snapshot(name)
    store.search("a")


BROKEN = {
    "message_count": (
        "UPDATE sessions SET message_count = 2 WHERE session_id = 'b'",
        "1 sessions have a message_count that is not that of their messages: 'b: 2, not 6'",
    ),
    "tokens": (
        "UPDATE sessions SET total_tokens = 7 WHERE session_id = 'b'",
        "1 sessions have total_tokens that are not those of their messages: 'b'",
    ),
    "duration": (
        "UPDATE sessions SET total_duration_us = 7 WHERE session_id = 'b'",
        "1 sessions have a total_duration_us that is not that of their messages: 'b'",
    ),
    "number": (
        "ALTER TABLE sessions DISABLE TRIGGER sessions_before_renumber;"
        "ALTER TABLE sessions DROP CONSTRAINT sessions_check;"
        "UPDATE sessions SET next_seq = 6 WHERE session_id = 'b'",
        "1 sessions would give a number again that a message has: 'b'",
    ),
    "repeated": (
        "ALTER TABLE messages DROP CONSTRAINT messages_sid_seq_key;"
        "ALTER TABLE messages DISABLE TRIGGER messages_before_move;"
        "UPDATE messages SET seq = 3 WHERE sid = 2 AND seq = 2",
        "1 numbers are those of several messages of a session: 'b: 3'",
    ),
    "repeated id": (
        "DROP INDEX messages_by_message_id;"
        "UPDATE messages SET message_id = '1' WHERE seq = 4 AND sid = 2",
        "1 ids are those of several messages of a session: ",
    ),
    "repeated key": (
        "DROP INDEX state_by_key; INSERT INTO state SELECT * FROM state WHERE sid = 2",
        "1 keys of the state are there several times: 'b: k'",
    ),
    "orphans": (
        "SET session_replication_role = replica; DELETE FROM sessions WHERE session_id = 'b';"
        "RESET session_replication_role",
        "6 messages belong to no session: ",
    ),
    "lost model": (
        "SET session_replication_role = replica; DELETE FROM llm_models WHERE name = 'model of b';"
        "RESET session_replication_role",
        "1 sessions name a model that is not there: 'b'",
    ),
    "never swept": (
        "UPDATE sessions SET look_at_us = NULL WHERE session_id = 'b'",
        "1 sessions end or are to be warned of, and no sweep would look at them in time: 'b'",
    ),
    "swept late": (
        "UPDATE sessions SET look_at_us = look_at_us + 1 WHERE session_id = 'b'",
        "1 sessions end or are to be warned of, and no sweep would look at them in time: 'b'",
    ),
    "status": (
        "ALTER DOMAIN session_status DROP CONSTRAINT session_status_check;"
        "UPDATE sessions SET status = 'odd' WHERE session_id = 'b'",
        "1 sessions hold what no session may: 'b'",
    ),
    "role": (
        "ALTER DOMAIN message_role DROP CONSTRAINT message_role_check;"
        "UPDATE messages SET role = 'odd' WHERE sid = 2 AND seq = 1",
        "1 messages hold what no message may: 'row 7'",
    ),
    "words": (
        "UPDATE search_index SET words = 'other' WHERE number = 1",
        "1 texts are not in the index of the search as they are stored: "
        "message 1: the index has other words; UPDATE search_rule SET folding = 0 makes it anew",
    ),
    "lost words": (
        "DELETE FROM search_index WHERE number IN (2, 3)",
        "2 texts are not in the index of the search as they are stored: "
        "message 2: it is not in the index, message 3: it is not in the index",
    ),
    "foreign words": (
        "INSERT INTO search_index VALUES (99, 'x'), (-99, 'x')",
        "2 texts are not in the index of the search as they are stored: "
        "title of session 99: it is in the index, and not stored",
    ),
    "trigger off": (
        "ALTER TABLE messages DISABLE TRIGGER messages_after_insert",
        "the trigger messages_after_insert is not there, not valid or switched off",
    ),
    "trigger gone": (
        "DROP TRIGGER state_before_move ON state",
        "the trigger state_before_move is not there, not valid or switched off",
    ),
    "index gone": (
        "DROP INDEX sessions_by_look_at",
        "the index sessions_by_look_at is not there, not valid or switched off",
    ),
    "index otherwise": (
        "DROP INDEX state_by_key; CREATE INDEX state_by_key ON state (sid)",
        "the index state_by_key has not the definition that the schema gives it",
    ),
    "constraint gone": (
        "ALTER TABLE messages DROP CONSTRAINT messages_sid_fkey",
        "the table messages has not the constraints that the schema gives it",
    ),
    "constraint unchecked": (
        "ALTER TABLE messages DROP CONSTRAINT messages_sid_fkey; ALTER TABLE messages ADD "
        "CONSTRAINT messages_sid_fkey FOREIGN KEY (sid) REFERENCES sessions (id) NOT VALID",
        "the table messages has not the constraints that the schema gives it",
    ),
    "foreign keys off": (
        "ALTER TABLE messages DISABLE TRIGGER ALL; ALTER TABLE messages ENABLE TRIGGER USER",
        "the foreign keys of the table messages are switched off",
    ),
    "type": (
        "ALTER DOMAIN json_text DROP CONSTRAINT json_text_check",
        "the domain json_text has not the constraints that the schema gives it",
    ),
    "function": (
        "CREATE OR REPLACE FUNCTION uncount_messages() RETURNS trigger LANGUAGE plpgsql "
        "AS $$ BEGIN RETURN NULL; END $$",
        "the function uncount_messages has not the code that the schema gives it",
    ),
    "table gone": (
        "DROP TABLE maintenance_runs",
        "the table maintenance_runs is not there, not valid or switched off",
    ),
}  # fmt: skip


def test_what_a_stranger_breaks_is_told(store, foreign):
    """Each kind of damage in a sentence that says where it is; nothing is told of what is well."""
    fill(store)
    for name, (sql, told) in BROKEN.items():
        foreign.execute("BEGIN")
        assert verifying.problems(foreign) == (), name
        foreign.execute(sql)
        problems = verifying.problems(foreign)
        assert [one for one in problems if one.startswith(told)], (name, problems)
        assert all("'a" not in one for one in problems), (name, problems)
        foreign.execute("ROLLBACK")
    assert store.verify().ok


def test_one_session_is_looked_at_alone(store, foreign):
    """What is wrong with it is told, and with no other; an unknown one is well."""
    fill(store)
    foreign.execute("UPDATE sessions SET message_count = 2 WHERE session_id = 'b'")
    assert store.verify("b").problems == (BROKEN["message_count"][1],)
    assert store.verify("a").ok
    assert store.verify("unknown").ok


def test_the_inventory_is_that_of_a_new_schema(store):
    """What is read from the steps is what a server makes of them: no more, and no less."""
    made = inventory.made_by(steps.shipped())
    assert dict(store._read(inventory.present)) == dict(made)
    kinds = {kind for kind, _ in made}
    assert kinds == {"table", "domain", "index", "trigger", "function"}


def test_problems_are_asked_within_a_transaction(store, foreign):
    """As a backup and a restore do; the transaction goes on after it."""
    fill(store)
    foreign.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    assert verifying.problems(foreign) == ()
    assert foreign.execute("SELECT count(*) FROM messages").fetchone() == (12,)
    foreign.execute("COMMIT")


def test_what_is_listed_is_not_missed(store):
    """Messages that no search has looked at are not wrong."""
    store.append("a", [Message("user", "one")])
    assert store.verify().ok
    store.search("one")
    store.append("a", [Message("user", "two")])
    store.edit_message("a", store.read("a")[0].id, Message("user", "three"))
    assert store.verify().ok
