"""Databases of third-party libraries, as their releases write them: healthy, then damaged."""

import sqlite3
from contextlib import closing

import pytest

from sessionproof.audit.examine import audit

OPENAI = """
CREATE TABLE agent_sessions (session_id TEXT PRIMARY KEY,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE agent_messages (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL,
    message_data TEXT NOT NULL, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    FOREIGN KEY (session_id) REFERENCES agent_sessions (session_id) ON DELETE CASCADE);
INSERT INTO agent_sessions (session_id) VALUES ('a'), ('b');
INSERT INTO agent_messages (session_id, message_data) VALUES
    ('a', '{"role": "user", "content": "hi"}'), ('b', '{"content": NaN}');
"""
LANGCHAIN = """
CREATE TABLE message_store (id INTEGER NOT NULL, session_id TEXT, message TEXT, PRIMARY KEY (id));
INSERT INTO message_store (session_id, message) VALUES
    ('a', '{"type": "human", "data": {"content": "hi"}}'),
    ('a', '{"type": "ai", "data": {"content": "yo", "score": NaN}}');
"""
ADK = """
CREATE TABLE adk_internal_metadata ("key" VARCHAR(128) NOT NULL, value VARCHAR(256) NOT NULL,
    PRIMARY KEY ("key"));
CREATE TABLE sessions (app_name VARCHAR(128) NOT NULL, user_id VARCHAR(128) NOT NULL,
    id VARCHAR(128) NOT NULL, state TEXT NOT NULL, create_time DATETIME NOT NULL,
    update_time DATETIME NOT NULL, PRIMARY KEY (app_name, user_id, id));
CREATE TABLE app_states (app_name VARCHAR(128) NOT NULL, state TEXT NOT NULL,
    update_time DATETIME NOT NULL, PRIMARY KEY (app_name));
CREATE TABLE user_states (app_name VARCHAR(128) NOT NULL, user_id VARCHAR(128) NOT NULL,
    state TEXT NOT NULL, update_time DATETIME NOT NULL, PRIMARY KEY (app_name, user_id));
CREATE TABLE events (id VARCHAR(128) NOT NULL, app_name VARCHAR(128) NOT NULL,
    user_id VARCHAR(128) NOT NULL, session_id VARCHAR(128) NOT NULL,
    invocation_id VARCHAR(256) NOT NULL, timestamp DATETIME NOT NULL, event_data TEXT,
    PRIMARY KEY (id, app_name, user_id, session_id),
    FOREIGN KEY (app_name, user_id, session_id)
    REFERENCES sessions (app_name, user_id, id) ON DELETE CASCADE);
INSERT INTO sessions VALUES ('x', 'u', 'a', '{}', '2026-01-01 00:00:00', '2026-01-01 00:00:00.5');
INSERT INTO app_states VALUES ('x', '{}', '2026-01-01 00:00:00');
INSERT INTO events VALUES ('1', 'x', 'u', 'a', 'i', '2026-01-01 00:00:00', '{}'),
    ('2', 'x', 'u', 'a', 'i', '2026-01-01 00:00:00.123456', NULL);
"""
HEALTHY = {"openai-agents": OPENAI, "langchain": LANGCHAIN, "google-adk": ADK}


@pytest.fixture
def file(tmp_path):
    """A database of a library after some SQL."""

    def make(name, *, then=""):
        with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
            connection.executescript(HEALTHY[name] + then)
        return tmp_path / "a.db"

    return make


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_file_is_recognised_and_right(file, name):
    """NaN, which Python writes and reads, and times with and without a fraction are no damage."""
    found = audit(file(name))
    assert (found.schema, found.problems, found.unchecked) == (name, (), ())


def test_times_that_are_zero_are_of_no_other_form(file):
    """A row that was never updated says 0 beside microseconds; the least number is one, too."""
    times = (0, -(2**63), 1_767_225_600_000_000)
    rows = ", ".join(f"('{at}', {time}, {time})" for at, time in enumerate(times))
    gone = "DELETE FROM agent_messages; DELETE FROM agent_sessions;"
    found = audit(file("openai-agents", then=f"{gone} INSERT INTO agent_sessions VALUES {rows}"))
    assert (found.problems, found.unchecked) == ((), ())


@pytest.mark.parametrize(
    ("name", "then", "expected"),
    [
        (
            "openai-agents",
            "DELETE FROM agent_sessions WHERE session_id = 'a'",
            ("orphan", "agent_messages", "session_id", 1),
        ),
        (
            "openai-agents",
            "UPDATE agent_messages SET message_data = '{''role'': 1}'",
            ("invalid-json", "agent_messages", "message_data", 2),
        ),
        (
            "openai-agents",
            "INSERT INTO agent_sessions VALUES (NULL, '2026-01-01 00:00:00', NULL)",
            ("null-key", "agent_sessions", "session_id", 1),
        ),
        (
            "openai-agents",
            "UPDATE agent_sessions SET updated_at = 1767225600.5 WHERE session_id = 'a'",
            ("mixed-times", "agent_sessions", "updated_at", 1),
        ),
        (
            "openai-agents",
            "ALTER TABLE agent_messages DROP COLUMN created_at",
            ("missing-column", "agent_messages", "created_at", 1),
        ),
        (
            "langchain",
            'UPDATE message_store SET message = \'{"type": "human"}\' WHERE id = 1',
            ("invalid-json", "message_store", "message", 1),
        ),
        (
            "langchain",
            "UPDATE message_store SET message = NULL WHERE id = 1",
            ("null-value", "message_store", "message", 1),
        ),
        (
            "langchain",
            "UPDATE message_store SET session_id = NULL WHERE id = 1",
            ("null-key", "message_store", "session_id", 1),
        ),
        (
            "google-adk",
            "UPDATE events SET user_id = 'other' WHERE id = '2'",
            ("orphan", "events", "app_name, user_id, session_id", 1),
        ),
        (
            "google-adk",
            "UPDATE sessions SET state = ''",
            ("invalid-json", "sessions", "state", 1),
        ),
        ("google-adk", "DROP TABLE user_states", ("missing-table", "user_states", None, 1)),
    ],
)
def test_damage_is_found(file, problems, name, then, expected):
    """One problem was put in, and one is found."""
    assert problems(file(name, then=then)) == {expected}


def test_json_that_is_nested_deeper_than_sqlite_reads_is_no_damage(file, problems):
    """The library reads it, so it is right."""
    deep = "[" * 2500 + "]" * 2500
    path = file("openai-agents", then=f"UPDATE agent_messages SET message_data = '{deep}'")
    assert problems(path) == set()
