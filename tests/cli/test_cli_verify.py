"""``sessionproof verify`` as a user and a program see it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from sessionproof import Message
from sessionproof.cli.main import main
from sessionproof.reference import ReferenceStore


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A directory with a database of two messages."""
    with ReferenceStore(tmp_path, durability="process") as store:
        store.append("s", [Message("user", "first"), Message("user", "needle")])
    return tmp_path


def run(*words: object) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    ended = CliRunner().invoke(main, ["verify", *map(str, words)])
    return ended.exit_code, ended.stdout, ended.stderr


def change(folder: Path) -> Path:
    """Flip a bit of the second message's text."""
    path = folder / "sessions.db"
    path.write_bytes(path.read_bytes().replace(b"needle", b"needlf"))
    return path


def test_a_good_database_is_0(database: Path):
    """A directory and a file are taken alike; the last line says that nothing is wrong."""
    for path in (database, database / "sessions.db"):
        code, out, err = run(path)
        assert (code, err) == (0, "")
        assert out.splitlines()[-1].endswith("nothing wrong")


def test_a_changed_message_is_1_and_named(database: Path):
    """Session and number are told, and what mends it; the same as JSON."""
    path = change(database)
    code, out, err = run(database)
    assert (code, err) == (1, "")
    assert "changed-content" in out
    assert "s: 2" in out
    code, out, err = run(path, "--json")
    told = json.loads(out)
    assert (code, err, told["ok"]) == (1, "", False)
    assert [(one["kind"], one["count"]) for one in told["problems"]] == [("changed-content", 1)]


def test_what_cannot_be_looked_at_is_2_in_one_line(tmp_path: Path):
    """Missing, empty and foreign files are refused on stderr alone."""
    empty = tmp_path / "empty.db"
    empty.touch()
    for path in (tmp_path / "missing", tmp_path, empty):
        code, out, err = run(path)
        assert (code, out, len(err.splitlines())) == (2, "", 1)
        assert err.startswith("sessionproof: ")
