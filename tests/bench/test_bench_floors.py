"""Floors: raw SQLite that does the least, and does it right."""

import sqlite3
import threading
from contextlib import closing

import pytest

from sessionproof.bench import floors
from sessionproof.bench.floors import Floor, open_and_close, synchronous_for


@pytest.fixture
def floor(tmp_path):
    """A floor on an empty file."""
    with closing(Floor(tmp_path / "floor.db", synchronous="NORMAL")) as opened:
        yield opened


def test_messages_keep_their_order(floor):
    """What is appended is read back in order, with numbers from 1 on in each session."""
    floor.append_many("a", [f"text {number}" for number in range(9)])
    floor.append("b", "other")
    floor.append("a", "last")
    assert floor.read_last("a", 2) == [(9, "user", "text 8"), (10, "user", "last")]
    assert [row[0] for row in floor.page("a", 3, 4)] == [4, 5, 6, 7]
    assert floor.read_last("b", 5) == [(1, "user", "other")]
    assert (floor.count("a"), floor.count("b"), floor.count("c")) == (10, 1, 0)


def test_sessions_have_a_title_until_they_are_deleted(floor):
    """A session is made, found, changed, and takes its messages with it."""
    assert floor.get("a") is None
    floor.create("a")
    floor.update("a", "title")
    floor.append("a", "text")
    assert floor.get("a") == ("a", "title")
    floor.delete("a")
    assert floor.get("a") is None
    assert floor.read_last("a", 1) == []


@pytest.mark.parametrize(("synchronous", "number"), [("FULL", 2), ("NORMAL", 1)])
def test_it_is_as_durable_as_it_says(tmp_path, synchronous, number):
    """The connection has a log, and syncs as the floor's words say."""
    with closing(Floor(tmp_path / "floor.db", synchronous=synchronous)) as floor:
        assert synchronous in floor.words
        setting = floor._connection.execute("PRAGMA synchronous").fetchone()
        assert setting == (number,)
        assert floor._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize(
    ("durability", "synchronous"),
    [("none", "NORMAL"), ("process", "NORMAL"), ("power", "FULL"), ("power-strict", "FULL")],
)
def test_durability_decides_how_it_syncs(durability, synchronous):
    """A store that claims to survive a power loss is compared with SQLite that does."""
    assert synchronous_for(durability) == synchronous


def test_each_operation_is_a_look_up(floor):
    """No statement scans a table, or sorts."""
    floor.create("a")
    seen = []
    floor._connection.set_trace_callback(seen.append)
    floor.append("a", "text")
    floor.read_last("a", 5)
    floor.page("a", 0, 5)
    floor.get("a")
    floor.update("a", "title")
    floor._connection.set_trace_callback(None)
    for statement in seen:
        plan = floor._connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
        assert plan, statement
        for step in plan:
            assert step[3].startswith("SEARCH"), (statement, step[3])


def test_several_floors_on_one_file_write_in_turns(tmp_path):
    """Threads with floors of their own wait for each other, and no append is lost."""
    path = tmp_path / "floor.db"
    with closing(Floor(path, synchronous="NORMAL")) as first:

        def write():
            with closing(Floor(path, synchronous="NORMAL")) as mine:
                for number in range(50):
                    mine.append("a", str(number))

        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [row[0] for row in first.page("a", 0, 500)] == [*range(1, 201)]


def test_opening_finds_the_file_and_leaves_nothing_open(tmp_path):
    """The floor of opening reads what is there, and the log is folded in when it closes."""
    path = tmp_path / "floor.db"
    with closing(Floor(path, synchronous="NORMAL")) as floor:
        floor.append("a", "text")
    open_and_close(path, "a")
    assert [found.name for found in tmp_path.iterdir()] == ["floor.db"]
    with pytest.raises(sqlite3.OperationalError):
        open_and_close(tmp_path / "empty.db", "a")


def turned_on_at(monkeypatch, *answers):
    """A log that is turned on when these answers say so, on a clock that sleeping alone moves."""
    left, now = list(answers), [0.0]
    monkeypatch.setattr(floors, "_turned_on", lambda _: left.pop(0) if left else False)
    monkeypatch.setattr(floors, "monotonic_s", lambda: now[0])
    monkeypatch.setattr(floors.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    return left, now


def test_it_waits_for_others_who_turn_on_the_log(tmp_path, monkeypatch):
    """SQLite refuses at once when two do the same: the second tries again, and then no more."""
    left, now = turned_on_at(monkeypatch, False, False, True, True)
    Floor(tmp_path / "floor.db", synchronous="NORMAL").close()
    assert left == [True]
    assert 0 < now[0] < 1


def test_it_does_not_wait_for_ever_for_the_log(tmp_path, monkeypatch):
    """A file that stays locked is an error, and no measurement of what is not there."""
    _, now = turned_on_at(monkeypatch)
    with pytest.raises(sqlite3.OperationalError, match="keep the database locked"):
        Floor(tmp_path / "floor.db", synchronous="NORMAL")
    assert 30 < now[0] < 31
