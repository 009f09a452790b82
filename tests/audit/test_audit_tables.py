"""The audits of a store's tables: orphans of every kind, counters, and what deletions leave."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from sessionproof.audit.tables import (
    counter_problems,
    kept_counters,
    orphan_problems,
    rows_with_references,
    tables_with,
    virtual_tables,
)
from sessionproof.contract.store import SqliteTables

PLAIN = """
CREATE TABLE sessions (id PRIMARY KEY, count, tokens, duration);
CREATE TABLE messages (session, tokens, duration, body);
CREATE TABLE state (owner, value);
"""


@pytest.fixture
def tables(tmp_path):
    """Make a file with these statements, and the names of its tables."""

    def make(sql="", *, schema=PLAIN, **names):
        path = tmp_path / "with # and ? and space.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(schema + sql)
        known = {"messages": "messages", "message_session": "session"}
        if schema == PLAIN:
            known |= {
                "sessions": "sessions", "session_key": "id", "children": {"state": "owner"},
                "message_tokens": "tokens", "message_duration": "duration",
                "session_count": "count", "session_tokens": "tokens",
                "session_duration": "duration",
            }  # fmt: skip
        return SqliteTables(path=str(path), **{**known, **names})

    return make


def session(name, count=0, tokens=0, duration=0):
    return f"INSERT INTO sessions VALUES ('{name}', {count}, {tokens}, {duration});"


def message(name, tokens="NULL", duration="NULL"):
    return f"INSERT INTO messages VALUES ({name!r}, {tokens}, {duration}, 'x');"


def test_rows_with_their_parents_are_no_problem(tables):
    """Messages and children whose session is there are counted as evidence."""
    made = tables(session("a") + message("a") + message("a") + "INSERT INTO state VALUES ('a', 1);")
    assert orphan_problems(made) == []
    assert rows_with_references(made) == 3


def test_messages_and_children_without_their_session(tables):
    """Each table with orphans is a sentence, with some of the keys."""
    made = tables(session("a") + message("b") + message("c") + "INSERT INTO state VALUES ('d', 1);")
    assert orphan_problems(made) == [
        "2 rows of messages refer by session to rows of sessions that are not there ('b', 'c')",
        "1 rows of state refer by owner to rows of sessions that are not there ('d')",
    ]


def test_a_null_key_hides_no_orphan(tables):
    """A session without an id does not make the other orphans vanish; NULL refers to nothing."""
    made = tables(
        "INSERT INTO sessions VALUES (NULL, 0, 0, 0);" + message("gone")
        + "INSERT INTO messages VALUES (NULL, 1, 1, 'x');"
    )  # fmt: skip
    assert len(orphan_problems(made)) == 1
    assert rows_with_references(made) == 1


def test_a_store_without_sessions_has_no_orphans(tables):
    """Where nothing refers to anything, there is no evidence either."""
    made = tables(message("a"), sessions=None, session_key=None, children=None)
    assert orphan_problems(made) == []
    assert rows_with_references(made) == 0


DECLARED = """
CREATE TABLE sessions (app, id, PRIMARY KEY (app, id));
CREATE TABLE messages (app, session, FOREIGN KEY (app, session) REFERENCES sessions);
CREATE TABLE "odd ""table" ("a b" REFERENCES messages (rowid), m INTEGER REFERENCES models (id));
"""


def test_declared_keys_are_followed(tables):
    """Composite keys, implied ones, and those to tables that are not there; partly NULL is none."""
    made = tables(
        "INSERT INTO sessions VALUES ('x', 1), ('y', 2);"
        "INSERT INTO messages VALUES ('x', 1), ('x', 2), ('x', NULL), (NULL, NULL);"
        "INSERT INTO \"odd \"\"table\" VALUES (1, NULL), (77, 5);",
        schema=DECLARED,
    )  # fmt: skip
    assert sorted(orphan_problems(made)) == [
        "1 rows of messages refer by app, session to rows of sessions that are not there ('x'/2)",
        '1 rows of odd "table refer by a b to rows of messages that are not there (77)',
        '1 rows of odd "table refer by m to rows of models that are not there (5)',
    ]
    assert rows_with_references(made) == 2 + 2 + 1


@pytest.mark.parametrize(
    ("sessions", "messages", "problem"),
    [
        (session("a", 1, 5, 7), message("a", 5, 7), None),
        (session("a"), "", None),
        (session("a", 2, 5, 0), message("a", 5) + message("a"), None),
        (session("a", 0), message("a"), "session 'a': count is 0, its messages give 1"),
        (session("a", 1, 4), message("a", 5), "session 'a': tokens is 4, its messages give 5"),
        (session("a", tokens="NULL"), "", "session 'a': tokens is None, its messages give 0"),
        (session("a", tokens="'0'"), "", "session 'a': tokens is '0', its messages give 0"),
        (
            session("a", 1, 0, 8), message("a", 0, 7),
            "session 'a': duration is 8, its messages give 7",
        ),
        (
            session("a", duration="1.1e-16"), "",
            "session 'a': duration is 1.1e-16, its messages give 0",
        ),
        (session("a", 1, 0, 1000000000.5), message("a", 0, 1000000000), None),
        (
            session("a", 1, 0, 1000000002), message("a", 0, 1000000000),
            "session 'a': duration is 1000000002, its messages give 1000000000",
        ),
    ],
)  # fmt: skip
def test_counters_are_those_of_the_rows(tables, sessions, messages, problem):
    """A wrong or missing counter is a sentence; durations may be off by one part in 10^9."""
    made = tables(sessions + messages)
    assert counter_problems(made) == ([problem] if problem else [])


def test_only_the_counters_that_are_asked_for(tables):
    """Each fact is judged by itself, and only where the store names its columns."""
    made = tables(session("a", 9, 9, 9))
    for fact in ("message_count", "total_tokens", "total_duration_us"):
        assert len(counter_problems(made, [fact])) == 1
    unnamed = replace(made, message_tokens=None, session_count=None)
    assert kept_counters(unnamed, ["message_count", "total_tokens"]) == []
    assert counter_problems(unnamed, ["message_count", "total_tokens"]) == []
    assert kept_counters(replace(made, sessions=None), ["message_count"]) == []


def test_many_wrong_counters_are_a_few_sentences(tables):
    """The report of a ruined file can be read."""
    made = tables("".join(session(f"s{number}", 1) for number in range(50)))
    assert len(counter_problems(made)) == 10


def test_where_a_text_is_left(tables):
    """Rows that hold a text are found in any column and type; a search index as one table."""
    made = tables(
        "CREATE VIRTUAL TABLE found USING fts5(body);"
        "INSERT INTO found VALUES ('about a secret word');"
        "INSERT INTO messages VALUES ('a', NULL, NULL, CAST('the secret' AS BLOB));"
        "INSERT INTO messages VALUES ('secret', 1, 1, 'x');"
        "INSERT INTO state VALUES ('a', 'other');"
    )
    assert tables_with(made, "secret") == {"found": 1, "messages": 2}
    assert virtual_tables(made) == {"found"}


def test_nothing_is_written(tables):
    """An audit leaves the file byte for byte as it is, and makes none where none is."""
    made = tables(session("a") + message("b"))
    before = Path(made.path).read_bytes()
    assert orphan_problems(made)
    assert counter_problems(made) == []
    assert Path(made.path).read_bytes() == before
    missing = SqliteTables(path=made.path + ".none", messages="m", message_session="s")
    with pytest.raises(sqlite3.OperationalError):
        orphan_problems(missing)
