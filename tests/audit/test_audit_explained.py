"""What a statement costs: plans, steps, times; a long one is ended, a hostile schema is not run."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sessionproof.audit import explained as module
from sessionproof.audit.explained import explained
from sessionproof.audit.file import Unreadable

ENDLESS = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database with a table, a trigger that writes, and a full-text index."""
    path = tmp_path / "t.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)")
        db.execute("CREATE TABLE log (a)")
        db.execute("CREATE TRIGGER r AFTER DELETE ON t BEGIN INSERT INTO log VALUES (OLD.a); END")
        db.execute("CREATE VIRTUAL TABLE f USING fts5(x)")
        db.executemany("INSERT INTO t VALUES (?, 'x')", [(n,) for n in range(100)])
        db.execute("INSERT INTO f VALUES ('word')")
    return path


def test_steps_grow_with_what_is_walked_through(file):
    """A look-up takes a few steps, a walk some for each row; both are the same each time."""
    one = explained(file, "SELECT b FROM t WHERE a = 7", runs=3)
    walk = explained(file, "SELECT b FROM t WHERE b = 'y'", runs=3)
    assert (one.rows, walk.rows, len(one.times_s)) == (1, 0, 3)
    assert one.steps is not None
    assert walk.steps is not None
    assert one.steps < 30 < 100 < walk.steps
    assert explained(file, "SELECT b FROM t WHERE a = 7").steps == one.steps


def test_plans_are_indented_by_what_they_belong_to(file):
    """A subquery stands below the line that asks for it."""
    plan = explained(file, "SELECT * FROM t WHERE b IN (SELECT a FROM log)").plan
    assert any(line.startswith("  ") for line in plan)
    assert explained(file, "SELECT 1").plan


def test_a_search_reads_and_a_delete_writes(file):
    """Told by what the statement itself begins, not by what an index prepares for later."""
    assert explained(file, "SELECT x FROM f WHERE f MATCH 'word'").rows == 1
    for sql in ("DELETE FROM t", "INSERT INTO f VALUES ('y')", "UPDATE t SET b = 1 RETURNING a"):
        found = explained(file, sql)
        assert (found.rows, found.times_s) == (None, ())
        assert "not run" in (found.note or "")


def test_what_never_ends_is_ended(file, monkeypatch):
    """Its plan is shown, and that it takes too long."""
    monkeypatch.setattr(module, "_LONGEST_S", 0.05)
    found = explained(file, ENDLESS)
    assert "longer" in (found.note or "")
    assert found.plan


def test_many_steps_are_counted_roughly(file, monkeypatch):
    """Counting each would take longer than the statement."""
    monkeypatch.setattr(module, "_STEPS_MOST", 1)
    found = explained(file, ENDLESS.replace("FROM n)", "FROM n LIMIT 9999)"), runs=1)
    assert found.steps is not None
    assert found.steps > 9_999
    assert found.steps % module._LOOK_STEPS == 0


@pytest.mark.parametrize(
    "sql",
    ["ATTACH 'x.db' AS x", "PRAGMA journal_mode = DELETE", "VACUUM INTO 'x.db'", "DROP TABLE t",
     "BEGIN", "SELECT load_extension('x')"],
)  # fmt: skip
def test_all_else_is_refused(file, sql, tmp_path, monkeypatch):
    """In one line, and nothing is made or changed."""
    monkeypatch.chdir(tmp_path)
    before = file.read_bytes()
    with pytest.raises(Unreadable) as caught:
        explained(file, sql)
    assert "\n" not in str(caught.value)
    assert ([*tmp_path.iterdir()], file.read_bytes()) == ([file], before)
