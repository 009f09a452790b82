"""``sessionproof audit`` as a user and a program see it."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from fixtures.legacy import build, damaged, database
from sessionproof.audit.result import KINDS
from sessionproof.cli import audit as command

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path):
    """Run the command: exit code, stdout, stderr."""

    def command(*words, **environment):
        ended = subprocess.run(
            [sys.executable, "-m", "sessionproof", "audit", *map(str, words)],
            check=False, capture_output=True, encoding="utf-8", timeout=60, cwd=tmp_path,
            env={**os.environ, "COLUMNS": "100", **environment},
        )  # fmt: skip
        return ended.returncode, ended.stdout, ended.stderr

    return command


@pytest.fixture
def damaged_file(tmp_path):
    """A legacy database of this name, damaged as the manifest says."""

    def make(name):
        (one,) = [one for one in damaged() if one.name == name]
        build(one, tmp_path / "a.db")
        return tmp_path / "a.db"

    return make


def test_a_healthy_file_is_0(run, damaged_file):
    """The last line says that nothing is wrong, and which schema was recognised."""
    code, out, err = run(damaged_file("enhanced"))
    assert (code, err) == (0, "")
    assert "enhanced" in out
    assert out.splitlines()[-1].endswith("nothing wrong")


def test_damage_is_1_and_explained(run, damaged_file):
    """What, where, how many, an example, what it means, what mends it."""
    code, out, _ = run(damaged_file("enhanced_orphans"))
    assert code == 1
    shown = " ".join(out.split())
    assert "orphan" in shown
    assert "messages.session_id" in shown
    assert KINDS["orphan"].means in shown
    assert KINDS["orphan"].mends in shown
    assert out.splitlines()[-1].endswith("4 problems")


def test_json_is_for_programs(run, damaged_file):
    """The documented fields, in plain ASCII, and the same exit code."""
    path = damaged_file("enhanced_counters")
    code, out, _ = run("--json", path)
    found = json.loads(out)
    assert code == 1
    assert out.isascii()
    assert found["schema"] == {"name": "enhanced", "version": None}
    assert {one["kind"] for one in found["problems"]} == {"wrong-counter"}
    page = (ROOT / "docs" / "audit.md").read_text("utf-8")
    for field in (*found, *found["problems"][0], *found["schema"]):
        assert f"| `{field}` |" in page, field


def test_every_kind_is_on_the_page():
    """The page lists each kind with its meaning, and no other."""
    page = (ROOT / "docs" / "audit.md").read_text("utf-8")
    for name, kind in KINDS.items():
        assert f"| `{name}` | {kind.means} | {kind.mends} |" in page, name


@pytest.mark.parametrize("words", [["none.db"], ["."], [], ["a", "b"], ["--nothing"]])
def test_bad_usage_is_2_and_one_line(run, words):
    """No traceback, nothing on stdout."""
    code, out, err = run(*words)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith("sessionproof: ")


def test_a_name_is_told_as_it_is(run):
    """No part of it is taken for a picture."""
    assert run(":bug:.db")[2] == "sessionproof: :bug:.db does not exist: name a database file\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full device")
@pytest.mark.parametrize("words", [("audit", "a.db"), ("--version",)])
def test_an_answer_that_finds_no_room_is_no_finding(words, damaged_file):
    """Exit code 1 would say that the file is damaged."""
    folder = damaged_file("enhanced").parent
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "sessionproof", *words],
            check=False, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, cwd=folder,
        )  # fmt: skip
    said = "the answer, or a file, cannot be written: No space left on device"
    assert (ended.returncode, ended.stderr) == (2, f"sessionproof: {said}\n")


def test_what_cannot_be_checked_is_2(run, tmp_path):
    """Nothing wrong was seen, but it is not said that nothing is."""
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.create_function("mine", 1, lambda value: True, deterministic=True)
        connection.execute("CREATE TABLE t (a CHECK (mine(a)))")
    code, out, _ = run("a.db")
    assert code == 2
    assert "not all could be checked" in out


def test_hostile_text_does_nothing(run, tmp_path):
    """Escape sequences, markup and log commands of a database reach no terminal."""
    hostile = "\x1b[31m\u202e\n::error::[bold]##[group]"
    with closing(database("plain", path=tmp_path / "a.db")) as connection:
        connection.execute(
            "INSERT INTO messages (message_id, session_id, role, content) VALUES (?, ?, ?, '')",
            (hostile, hostile, hostile),
        )
        connection.execute(f'CREATE TABLE "{hostile}" (x)')
    code, out, err = run("a.db")
    assert (code, err) == (1, "")
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "##[" not in out
    assert not any(line.startswith("::") for line in out.splitlines())
    assert "[bold]" in out


def test_any_encoding_will_do(run, damaged_file):
    """A terminal without Unicode shows the same."""
    code, out, err = run(damaged_file("enhanced_times"), PYTHONIOENCODING="ascii")
    assert (code, err) == (1, "")
    assert out.isascii()
    assert "mixed-times" in out


def test_an_interrupted_audit_is_130(tmp_path, monkeypatch, capsys):
    """Ctrl-C is one line and its own exit code."""

    def interrupted(file, *, progress):
        progress("integrity")
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "audit", interrupted)
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert command.examine_file(tmp_path / "a.db", as_json=False) == 130
    finally:
        signal.signal(signal.SIGTERM, before)
    assert capsys.readouterr() == ("", "sessionproof: interrupted; the file is as it was\n")
