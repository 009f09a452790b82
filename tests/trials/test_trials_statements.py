"""Statements: what is seen of a store that uses sqlite3 in whatever way, and what is left as is."""

import sqlite3
import sys
import threading
import weakref
from contextlib import closing

import pytest

from sessionproof.contract.operations import Failure, Outcome
from sessionproof.trials.statements import counted_steps, least, traced

OK = Outcome("ok")


def run(action):
    """A call that answers ok."""
    action()
    return OK


class Own(sqlite3.Connection):
    """A connection of a store's own class."""


@pytest.fixture
def path(tmp_path):
    """A database of a table with ten rows."""
    with closing(sqlite3.connect(tmp_path / "a.db")) as db, db:
        db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)")
        db.executemany("INSERT INTO t (a) VALUES (?)", [("x",)] * 10)
    return str(tmp_path / "a.db")


@pytest.mark.parametrize(
    "connect", [sqlite3.connect, Own, lambda path: sqlite3.connect(path, factory=Own)]
)
def test_statements_are_seen_with_their_values_and_their_file(path, connect):
    """From the first on, in their order, also of a store's own class of connections."""

    def call():
        with closing(connect(path)) as db:
            db.execute("SELECT a FROM t WHERE id = ?", (3,)).fetchall()
            db.execute("SELECT ?", ("it's",)).fetchall()

    with traced() as trace:
        seen = trace.during(lambda: run(call))
    texts = [one.text for one in seen.statements]
    assert texts == ["SELECT a FROM t WHERE id = 3", "SELECT 'it''s'"]
    assert {one.file for one in seen.statements} == {path}
    assert (seen.opened, trace.silent, seen.steps) == (1, 0, None)


def test_connections_of_other_threads_are_seen(path):
    """Each in its own thread, as libraries with a thread for each connection have it."""

    def work():
        with closing(sqlite3.connect(path)) as db:
            db.execute("SELECT count(*) FROM t").fetchall()

    def call():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    with traced() as trace:
        seen = trace.during(lambda: run(call))
    assert [one.text for one in seen.statements] == ["SELECT count(*) FROM t"]


def test_steps_are_the_same_each_time_and_follow_the_rows(path):
    """A walk takes at least a step for each row, and a look-up none for other rows."""
    with traced(steps=True) as trace, closing(sqlite3.connect(path)) as db:
        walk = lambda: run(db.execute("SELECT a FROM t WHERE a = 'y'").fetchall)  # noqa: E731
        find = lambda: run(db.execute("SELECT a FROM t WHERE id = 4").fetchall)  # noqa: E731
        few = [counted_steps(trace, walk), counted_steps(trace, walk)]
        found = counted_steps(trace, find)
        db.executemany("INSERT INTO t (a) VALUES (?)", [("x",)] * 1_000)
        assert few[0] == few[1]
        assert counted_steps(trace, walk) - few[0] >= 1_000
        assert counted_steps(trace, find) == found


def test_steps_are_given_to_the_statement_that_took_them(path):
    """The steps of a call are those of its statements."""
    with traced(steps=True) as trace, closing(sqlite3.connect(path)) as db:

        def call():
            db.execute("SELECT a FROM t WHERE a = 'y'").fetchall()
            db.execute("SELECT 1").fetchall()

        seen = least(trace, lambda: run(call))
    walk, one = (one.steps for one in seen.statements)
    assert walk > one > 0
    assert seen.steps == walk + one


def test_a_callback_of_the_stores_own_makes_its_connection_silent(path):
    """It replaces ours, and what cannot be seen is told by its number."""
    with traced(steps=True) as trace, closing(sqlite3.connect(path)) as db:
        db.set_trace_callback(lambda text: None)
        db.set_progress_handler(lambda: None, 1)
        seen = trace.during(lambda: run(db.execute("SELECT 1").fetchall))
    assert seen.statements == ()
    assert (trace.opened, trace.silent) == (1, 1)


def test_a_full_text_index_shows_its_own_statements_as_comments(tmp_path):
    """They are told from those of the store by their first two characters."""
    with traced() as trace, closing(sqlite3.connect(tmp_path / "f.db")) as db:
        db.execute("CREATE VIRTUAL TABLE f USING fts5(a)")
        seen = trace.during(lambda: run(lambda: db.execute("INSERT INTO f VALUES ('x')")))
    texts = [one.text for one in seen.statements if one.text != "BEGIN "]
    assert texts[0] == "INSERT INTO f VALUES ('x')"
    assert texts[1:]
    assert all(text.startswith("-- ") for text in texts[1:] if text != texts[0])


def test_nothing_of_the_store_is_kept(path):
    """A connection that the store drops is gone, and a profiler of the thread goes on."""
    events = []

    def profiler(frame, event, argument):
        events.append(event)

    before = sys.getprofile()
    with traced(steps=True):
        sys.setprofile(profiler)
        db = Own(path)
        db.execute("SELECT 1").fetchall()
        kept = sys.getprofile()
        sys.setprofile(before)
        gone = weakref.ref(db)
        db.close()
        del db
        assert gone() is None
    assert kept is profiler
    assert "c_call" in events


def test_a_call_that_fails_is_not_made_again(path):
    """Its outcome is answered as it is."""
    calls = []
    failed = Outcome("fail", failure=Failure("Refused", "no"))
    with traced() as trace:
        assert least(trace, lambda: calls.append(1) or failed).outcome is failed
    assert calls == [1]


def test_the_database_in_memory_has_no_file():
    """And connections that were opened before are unknown."""
    with closing(sqlite3.connect(":memory:")) as before, traced() as trace:

        def call():
            before.execute("SELECT 1").fetchall()
            with closing(sqlite3.connect(":memory:")) as db:
                db.execute("SELECT 2").fetchall()

        seen = trace.during(lambda: run(call))
    assert [(one.text, one.file) for one in seen.statements] == [("SELECT 2", "")]
