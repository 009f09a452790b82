"""``sessionproof health`` and ``maintain`` as a user and a program see them."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from sessionproof import Message
from sessionproof.reference import ReferenceStore


@pytest.fixture
def chats(tmp_path) -> Path:
    """A directory with a store of two sessions, beside an empty folder for backups."""
    for name in ("chats", "backups"):
        (tmp_path / name).mkdir()
    with ReferenceStore(tmp_path / "chats", durability="process") as store:
        store.append("a", [Message("user", "x", tokens=3)] * 5)
        store.append("b", [Message("user", "y")])
    return tmp_path / "chats"


def drift(chats: Path) -> None:
    with closing(sqlite3.connect(chats / "sessions.db")) as db, db:
        db.execute("UPDATE sessions SET total_tokens = 1")


def test_a_store_that_is_well(run, chats):
    """Exit code 0, a line for each check, and nothing is changed."""
    before = {one: one.read_bytes() for one in chats.iterdir()}
    code, out, err = run("health", "chats")
    assert (code, err) == (0, "")
    assert "ok        orphans: every row has what it belongs to" in out
    assert out.splitlines()[-1].split() == ["in", "all", "ok"]
    assert {one: one.read_bytes() for one in chats.iterdir()} == before


def test_what_is_wrong_is_the_exit_code(run, chats):
    """1 from a warning on, or from what is critical on."""
    drift(chats)
    code, out, _ = run("health", "chats")
    assert code == 1
    assert "warning   counters: 2 sessions" in out
    assert run("health", "chats", "--fail-at", "critical")[0] == 0
    assert run("health", "chats", "--fail-at", "critical", "--limit", "mismatches=1,2")[0] == 1


def test_for_programs(run, chats):
    """JSON with numbers, a list to tick off, metrics: each alone on stdout."""
    drift(chats)
    code, out, _ = run("health", chats / "sessions.db", "--json")
    found = json.loads(out)
    assert (code, found["severity"]) == (1, "warning")
    checks = {one["name"]: one for one in found["checks"]}
    assert checks["counters"]["severity"] == "warning"
    assert checks["counters"]["numbers"] == [{"name": "wrong_counters", "value": 2, "labels": {}}]
    _, out, _ = run("health", "chats", "--checklist")
    assert "- [x] orphans (ok)" in out
    assert "- [!] counters (warning)" in out
    assert "- [ ] pool (unknown)" in out
    _, out, _ = run("health", "chats", "--metrics")
    assert 'sessionproof_health{check="counters",severity="warning"} 1.0' in out
    assert "sessionproof_wrong_counters 2.0" in out


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="locks are seen on Linux alone")
def test_who_looks_is_not_at_work(run, chats):
    """While another process has it open, the look itself is no reader that is told."""
    with ReferenceStore(chats):
        code, out, _ = run("health", "chats")
    (line,) = (one for one in out.splitlines() if " locks:" in one)
    assert code == 0
    assert "unknown" in line or line.endswith(f"open in processes {os.getpid()}; nobody is at work")


def test_wrong_use_makes_nothing(run, tmp_path, chats):
    """A path that is not there, limits that are none, options that exclude each other: 2."""
    for words, word in (
        (("health", "nowhere"), "does not exist"),
        (("health", "chats", "--limit", "files=1,2"), "no limit"),
        (("health", "chats", "--json", "--metrics"), "exclude"),
        (("maintain", "nowhere"), "does not exist"),
        (("maintain", "backups"), "does not exist"),
        (("maintain", "chats", "--backups", "nowhere"), "nowhere"),
        (("maintain", "chats", "--backups", "chats/sessions.db"), "is a file"),
        (("maintain", "chats", "--daemon", "--once"), "--daemon"),
    ):
        code, out, err = run(*words)
        assert (code, out, err.count("\n")) == (2, "", 1), words
        assert word in err
    assert {one.name for one in tmp_path.iterdir()} == {"chats", "backups"}
    assert [*(tmp_path / "backups").iterdir()] == []


def test_upkeep_once(run, chats, tmp_path):
    """What is due is done and told; again, nothing is due; health knows of it."""
    code, out, err = run("maintain", "chats", "--backups", "backups")
    assert (code, err) == (0, "")
    assert "done    verify: nothing is wrong" in out
    assert len([*(tmp_path / "backups").iterdir()]) == 1
    code, out, _ = run("maintain", "chats", "--once", "--backups", "backups")
    assert (code, out) == (0, "nothing was due, or another process is at it\n")
    code, out, _ = run("maintain", "chats", "--all", "--json")
    assert code == 0
    assert [one["task"] for one in json.loads(out)["runs"]][-1] == "health"
    assert "ok        last verify:" in run("health", "chats")[1]


def test_upkeep_that_finds_something(run, chats):
    """Exit code 1, the task is named, the rest is done."""
    drift(chats)
    code, out, _ = run("maintain", "chats", "--backups", "backups")
    assert code == 1
    assert "FAILED  verify: 1 kind of problem" in out
    assert "FAILED  backup:" in out
    assert "checkpoint" in out
    assert "critical  last verify:" in run("health", "chats")[1]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_upkeep_goes_on_until_it_is_ended(chats, tmp_path, number, code):
    """SIGTERM is its good end, Ctrl-C an interruption; the database is closed by then."""
    with subprocess.Popen(
        [sys.executable, "-m", "sessionproof", "maintain", "chats", "--daemon"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", cwd=tmp_path,
        env={**os.environ, "COLUMNS": "100"},
    ) as daemon:  # fmt: skip
        assert daemon.stderr is not None
        assert "goes on until SIGTERM" in daemon.stderr.readline()
        daemon.send_signal(number)
        _, err = daemon.communicate(timeout=60)
    assert daemon.returncode == code
    assert "Traceback" not in err
    assert [one.name for one in chats.iterdir()] == ["sessions.db"]
