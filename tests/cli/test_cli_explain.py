"""``sessionproof explain`` as a user and a program see it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest


@pytest.fixture
def numbers(tmp_path):
    """A database of somebody's, with a table that has an index."""
    with closing(sqlite3.connect(tmp_path / "numbers.db")) as db, db:
        db.execute("CREATE TABLE t (a INTEGER, b TEXT)")
        db.execute("CREATE INDEX by_a ON t (a)")
        db.executemany("INSERT INTO t VALUES (?, ?)", [(n, str(n)) for n in range(500)])
    return tmp_path / "numbers.db"


def test_a_plan_steps_and_times(run, numbers):
    """Of a walk and of a look-up, which takes far fewer steps."""
    code, out, err = run("explain", numbers, "SELECT * FROM t WHERE b = '7'")
    assert (code, err) == (0, "")
    assert "plan   SCAN t" in out
    assert "rows   1\n" in out
    assert "on average" in out
    code, out, _ = run("explain", numbers, "SELECT * FROM t WHERE a = 7", "--json", "--runs", "3")
    found = json.loads(out)
    assert found["plan"] == ["SEARCH t USING INDEX by_a (a=?)"]
    assert (found["rows"], found["runs"], found["note"]) == (1, 3, None)
    assert 5 < found["steps"] < 60
    assert 0 < found["seconds"]["min"] <= found["seconds"]["mean"] <= found["seconds"]["max"]


def test_what_writes_is_not_run(run, numbers, tmp_path):
    """Its plan is shown; the file stays as it is."""
    before = numbers.read_bytes()
    code, out, _ = run("explain", numbers, "DELETE FROM t WHERE b = '7'")
    assert code == 0
    assert "plan   SCAN t" in out
    assert "was not run" in out
    assert (numbers.read_bytes(), [*tmp_path.iterdir()]) == (before, [numbers])


@pytest.mark.parametrize(
    ("sql", "word"),
    [
        ("ATTACH 'made.db' AS made", "only statements"),
        ("PRAGMA user_version = 3", "only statements"),
        ("CREATE TABLE u (a)", "only statements"),
        ("SELECT ?", "values in the place"),
        ("SELECT * FROM missing", "no such table"),
        ("SELECT 1; SELECT 2", "one statement"),
        ("SELECT '\udcff'", "no Unicode text"),
        ("SELEC 1", "syntax error"),
        ("", ""),
    ],
)
def test_what_cannot_be_explained_is_refused(run, numbers, tmp_path, sql, word):
    """One line, exit code 2, and nothing is made."""
    code, out, err = run("explain", numbers, sql)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert word in err
    assert [*tmp_path.iterdir()] == [numbers]


def test_ctrl_c_ends_a_statement(numbers):
    """It is an interruption, and no answer about the time."""
    endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT sum(x) FROM c"
    script = (
        "import signal, sys, threading\n"
        "from sessionproof.cli.main import entry\n"
        "from sessionproof.audit import explained\n"
        "measured = explained._measured\n"
        "def begun(*given):\n"
        "    threading.Timer(0.2, signal.raise_signal, [signal.SIGINT]).start()\n"
        "    return measured(*given)\n"
        "explained._measured = begun\n"
        f"sys.argv = ['sessionproof', 'explain', {str(numbers)!r}, {endless!r}]\n"
        "entry()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script],
        check=False, capture_output=True, encoding="utf-8", timeout=60,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (130, "")
    assert ended.stderr == "sessionproof: interrupted; the file is as it was\n"


def test_a_wrong_path_is_refused(run, tmp_path):
    """And nothing is there afterwards."""
    code, _, err = run("explain", "nowhere", "SELECT 1")
    assert (code, err.count("\n")) == (2, 1)
    assert [*tmp_path.iterdir()] == []
