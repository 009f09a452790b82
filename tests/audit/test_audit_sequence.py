"""The audit of sequence numbers in SQLite tables: read-only, every session, every kind of break."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from sessionproof.audit.sequence import sequence_problems
from sessionproof.contract.store import SqliteTables


@pytest.fixture
def tables(tmp_path):
    """Make a file with these rows of session and number."""

    def make(rows, *, table="messages", session="session", seq="seq"):
        path = tmp_path / "with # and ? and space.db"
        with closing(sqlite3.connect(path)) as connection, connection:
            name = table.replace('"', '""')
            connection.execute(f'CREATE TABLE "{name}" ("{session}", "{seq}")')
            connection.executemany(f'INSERT INTO "{name}" VALUES (?, ?)', rows)
        return SqliteTables(
            path=str(path), messages=table, message_session=session, message_seq=seq
        )

    return make


@pytest.mark.parametrize(
    ("rows", "start", "problem"),
    [
        ([], 1, None),
        ([("a", 1), ("a", 2), ("b", 1)], 1, None),
        ([("a", 2), ("a", 1)], 1, None),
        ([("a", 0), ("a", 1)], 0, None),
        ([("a", 0), ("a", 1)], 1, "session a: 2 messages numbered 0 to 1"),
        ([("a", 1), ("a", 3)], 1, "session a: 2 messages numbered 1 to 3"),
        ([("a", 1), ("a", 1)], 1, "session a: 1 numbers are repeated"),
        ([("a", 1), ("a", None)], 1, "session a: 1 numbers are no integers"),
        ([("a", 1), ("a", "2")], 1, "session a: 1 numbers are no integers"),
        ([("a", 1), ("a", 2.0)], 1, "session a: 1 numbers are no integers"),
        ([("a", 1), ("b", 2)], 1, "session b: 1 messages numbered 2 to 2"),
    ],
)
def test_each_session_is_numbered_from_the_start(tables, rows, start, problem):
    """A gap, a repeat, a wrong start or a number that is none is a sentence about its session."""
    assert sequence_problems(tables(rows), start=start) == ([problem] if problem else [])


def test_every_session_with_a_problem_is_named(tables):
    """One sentence for each."""
    found = sequence_problems(tables([("a", 2), ("b", 1), ("c", 3)]), start=1)
    assert [line.partition(":")[0] for line in found] == ["session a", "session c"]


def test_names_of_tables_are_quoted(tables):
    """Whatever a table and its columns are called, they are found."""
    odd = tables([("a", 1)], table='or"der', session="group by", seq="sel'ect")
    assert sequence_problems(odd, start=1) == []
    assert len(sequence_problems(odd, start=2)) == 1


def test_tables_without_numbers_have_no_problem(tables):
    """Where there are no numbers there is nothing to audit."""
    made = tables([("a", 7)])
    assert sequence_problems(
        SqliteTables(made.path, made.messages, made.message_session), start=1
    ) == []  # fmt: skip


@pytest.mark.parametrize("wrong", ["messages", "message_session", "message_seq"])
def test_names_that_do_not_exist_are_an_error(tables, wrong):
    """A misspelt table or column is no silent agreement."""
    with pytest.raises(sqlite3.Error, match="nothing"):
        sequence_problems(replace(tables([("a", 1)]), **{wrong: "nothing"}), start=1)


def test_the_file_is_only_read(tables, tmp_path):
    """An audit changes no file, and makes none."""
    made = tables([("a", 1)])
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    sequence_problems(made, start=1)
    with pytest.raises(sqlite3.Error):
        sequence_problems(SqliteTables(str(tmp_path / "none.db"), "m", "s", "q"), start=1)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
