"""``sessionproof backup``, ``restore`` and ``drill`` as a user and a program see them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.legacy import build, damaged
from sessionproof import Message
from sessionproof.reference import ReferenceStore


@pytest.fixture
def chats(tmp_path) -> Path:
    """A directory with a store of two sessions, beside an empty folder for backups."""
    for name in ("chats", "backups"):
        (tmp_path / name).mkdir()
    with ReferenceStore(tmp_path / "chats", durability="process") as store:
        store.append("a", [Message("user", "x" * 600)] * 5)
        store.append("b", [Message("user", "y")])
    return tmp_path / "chats"


def spoil(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[8192:12288] = bytes(4096)
    file.write_bytes(content)


def test_there_and_back(run, chats, tmp_path):
    """A backup is made, tried and restored; each command says what it did, and where."""
    code, out, err = run("backup", "chats", "--to", "backups")
    (made,) = (tmp_path / "backups").iterdir()
    assert (code, err) == (0, "")
    assert str(made) in out
    assert "6 messages, 2 sessions" in out
    code, out, _ = run("drill", "backups")
    assert code == 0
    assert "2 sessions, 6 messages" in out
    with ReferenceStore(chats) as store:
        store.delete("a")
    code, out, err = run("restore", made, "--to", "chats")
    (before,) = chats.glob("*.before-restore")
    assert (code, err) == (0, "")
    assert str(before) in out
    with ReferenceStore(chats) as store:
        assert (store.count("a"), store.count("b")) == (5, 1)


def test_people_are_told_of_chats_and_of_nothing_inside(run, chats):
    """Tables of the search and of upkeep are not named to them; another schema's all are."""
    rows = "0 llm_models, 6 messages, 2 sessions, 0 snapshots, 0 state"
    _, out, _ = run("backup", "chats", "--to", "backups")
    assert f"rows     {rows}; " in out
    path = out.split()[1]
    assert f"in order  {rows}\n" in run("restore", path, "--to", "chats", "--dry-run")[1]


def test_for_programs(run, chats, tmp_path):
    """With ``--json`` stdout is one document, also when a command prints."""
    made = []
    for _ in range(2):
        code, out, _ = run(
            "backup", "chats", "--to", "backups", "--keep", "1", "--json",
            "--then", f"{sys.executable} -c 'import sys; print(sys.argv[1])'",
        )  # fmt: skip
        assert code == 0
        made.append(json.loads(out))
    assert made[1]["removed"] == [made[0]["backup"]]
    rows = {"llm_models": 0, "messages": 6, "sessions": 2, "snapshots": 0, "state": 0}
    assert made[1]["rows"].items() >= rows.items()
    code, out, _ = run("drill", "backups", "--json")
    (drill,) = json.loads(out)["drills"]
    assert (drill["backup"], drill["messages"]) == (made[1]["backup"], 6)
    code, out, _ = run("restore", made[1]["backup"], "--to", "chats", "--dry-run", "--json")
    assert json.loads(out) == {
        "file": str(chats / "sessions.db"), "rows": made[1]["rows"], "before": None,
        "dry_run": True,
    }  # fmt: skip
    assert [one.name for one in chats.iterdir()] == ["sessions.db"]


def test_then_gets_the_path_and_no_shell(run, chats, tmp_path):
    """The command gets the verified backup as its last argument; its words are no shell's."""
    note = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_text(sys.argv[2])"
    words = f"{sys.executable} -c '{note}' '$HOME; echo'"
    assert run("backup", "chats", "--to", "backups", "--then", words)[0] == 0
    (made,) = (tmp_path / "backups").iterdir()
    assert (tmp_path / "$HOME; echo").read_text() == str(made)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("import sys; sys.exit(3)", "ended with status 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended by signal 9"),
    ],
)
def test_a_command_that_fails_is_told(run, chats, tmp_path, words, told):
    """The backup is there, and the exit code is 1."""
    code, out, err = run(
        "backup", "chats", "--to", "backups", "--then", f"{sys.executable} -c '{words}'"
    )
    assert code == 1
    assert told in err
    assert str(*(tmp_path / "backups").iterdir()) in out


def test_then_is_not_run_without_a_backup(run, chats, tmp_path):
    """A damaged store makes no backup, so nothing is told to whoever copies it elsewhere."""
    spoil(chats / "sessions.db")
    code, _, err = run(
        "backup", "chats", "--to", "backups",
        "--then", f"{sys.executable} -c 'open(\"ran\", \"w\")'",
    )  # fmt: skip
    assert code == 2
    assert err.count("\n") == 1
    assert not list((tmp_path / "backups").iterdir())
    assert not (tmp_path / "ran").exists()


def test_a_failed_drill_is_1(run, chats, tmp_path):
    """It names the damaged backup, and the good one that can be restored instead."""
    run("backup", "chats", "--to", "backups")
    (good,) = (tmp_path / "backups").iterdir()
    run("backup", "chats", "--to", "backups")
    (bad,) = {*(tmp_path / "backups").iterdir()} - {good}
    spoil(bad)
    code, out, _ = run("drill", "backups")
    assert code == 1
    assert f"FAILED  {bad}" in out
    assert f"instead {good}" in out
    code, _, err = run("restore", bad, "--to", "chats")
    assert code == 2
    assert err.startswith("sessionproof: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ("backup", "nowhere", "--to", "backups"),
        ("backup", "chats", "--to", "nowhere"),
        ("backup", "chats", "--to", "backups", "--keep", "0"),
        ("backup", "chats", "--to", "backups", "--then", "no-such-command-at-all"),
        ("backup", "chats", "--to", "backups", "--then", "'"),
        ("backup", "chats"),
        ("restore", "nowhere", "--to", "chats"),
        ("restore", "chats", "--to", "chats"),
        ("restore", "chats", "--to", "nowhere"),
        ("drill", "nowhere"),
        ("drill", "backups"),
    ],
)
def test_bad_usage_is_2(run, chats, tmp_path, words):
    """One line says what is wrong; nothing is made and nothing changed."""
    before = (chats / "sessions.db").read_bytes()
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert err.startswith("sessionproof: ")
    assert err.count("\n") == 1
    assert (chats / "sessions.db").read_bytes() == before
    assert [one.name for one in chats.iterdir()] == ["sessions.db"]
    assert not list((tmp_path / "backups").iterdir())


def test_an_interrupt_is_130(chats, tmp_path):
    """SIGTERM during the command that comes after the backup: the backup stays, and is whole."""
    wait = "import time; print(flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-m", "sessionproof", "backup", "chats", "--to", "backups",
         "--then", f"{sys.executable} -c '{wait}'"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    ) as command:  # fmt: skip
        command.stderr.readline()  # of the command that comes after
        os.killpg(command.pid, signal.SIGTERM)
        assert command.wait(60) == 130
    (made,) = (tmp_path / "backups").iterdir()
    assert made.name.endswith(".backup")


@pytest.mark.parametrize("one", [one for one in damaged() if one.name == one.schema])
def test_a_legacy_database(run, tmp_path, one):
    """A database of another schema is backed up, and restored to its file."""
    (tmp_path / "backups").mkdir()
    build(one, tmp_path / "chat.db")
    before = (tmp_path / "chat.db").read_bytes()
    code, out, err = run("backup", "chat.db", "--to", "backups", "--json")
    assert (code, err) == (0, "")
    assert (tmp_path / "chat.db").read_bytes() == before
    made = json.loads(out)["backup"]
    (tmp_path / "chat.db").unlink()
    code, out, err = run("restore", made, "--to", "chat.db", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["before"] is None
    assert run("drill", "backups")[0] == 0
