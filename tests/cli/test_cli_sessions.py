"""The commands sessions, export and import: what people see, exit codes, errors of one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sessionproof import Message
from sessionproof.reference import ReferenceStore


@pytest.fixture
def chats(tmp_path: Path) -> Path:
    """A directory with two sessions, one of them with hostile texts."""
    directory = tmp_path / "chats"
    directory.mkdir()
    with ReferenceStore(directory, durability="process") as store:
        slow = Message("assistant", "well", tokens=9, duration_us=12_000_000)
        store.create("s1", owner="ann", title="plans", llm_model="m", messages=[slow])
        store.create("s2\x1b[31m\u202e", owner="bob", title="::error::x\n")
        store.set_status("s1", "paused")
    return directory


@pytest.mark.parametrize(
    ("words", "seen"),
    [
        ((), ["s1", "paused", "plans", "ann"]),
        (("recent", "--owner", "ann"), ["s1"]),
        (("recent", "--status", "paused"), ["s1"]),
        (("largest", "--by", "tokens"), ["s1", "9"]),
        (("statistics",), ["m", "paused", "1"]),
        (("timeout",), ["none"]),
        (("tokens",), ["m", "9"]),
        (("slow",), ["12.0 s: well"]),
        (("slow", "--session", "s1", "--model", "m"), ["12.0 s: well"]),
        (("slow", "--least-ms", "12001"), ["none"]),
    ],
)
def test_each_listing_is_shown(run, chats: Path, words, seen):
    """People see what they asked for, and nothing of it obeys a terminal."""
    code, out, err = run("sessions", chats, *words)
    assert (code, err) == (0, "")
    assert all(one in out for one in seen)
    assert "\x1b[31m" not in out
    assert "\u202e" not in out


def test_pages_are_asked_for_by_their_cursor(run, chats: Path):
    """The command says how to go on, and JSON has the same cursor."""
    _, out, _ = run("sessions", chats, "--limit", 1)
    cursor = out.split("--cursor ")[1].strip()
    code, more, _ = run("sessions", chats, "--limit", 1, "--cursor", cursor, "--json")
    found = json.loads(more)
    assert (code, found["next"]) == (0, None)
    assert [row["session_id"] for row in found["rows"]] == ["s1"]


def test_days_are_those_of_the_zone(run, chats: Path):
    """A day without activity has no sessions; a day and a zone that do not exist are one line."""
    code, out, _ = run("sessions", chats, "--day", "2001-01-01", "--zone", "Asia/Tokyo")
    assert (code, out) == (0, "none\n")
    assert run("sessions", chats, "tokens", "--day", "2001-01-01")[1] == "none\n"
    for words in (("--day", "yesterday"), ("--zone", "Nowhere"), ("--cursor", "x"), ("all",)):
        code, out, err = run("sessions", chats, *words)
        assert (code, out, err.count("\n")) == (2, "", 1), err


@pytest.mark.parametrize(
    "words",
    [
        ("statistics", "--owner", "ann"),
        ("timeout", "--owner", "ann"),
        ("largest", "--status", "paused"),
        ("tokens", "--model", "m"),
        ("recent", "--least-ms", "5"),
        ("--limit", "0"),
        ("--limit", str(10**20)),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(run, chats: Path, words):
    """Sums of everybody are not shown to who asked for those of one owner."""
    code, out, err = run("sessions", chats, *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words[-2] in err


def test_an_id_is_shown_whole(run, tmp_path: Path):
    """It is copied into the next command; and no column is left out in a file or a pipe."""
    with ReferenceStore(tmp_path, durability="process") as store:
        made = store.create(owner="ann@example.org", title="T" * 40, llm_model="a-model-of-2026")
    _, out, _ = run("sessions", tmp_path)
    for seen in (made, "ann@example.org", "T" * 40, "a-model-of-2026", "active"):
        assert seen in out


def test_there_and_back(run, chats: Path, tmp_path: Path):
    """An export is imported into a new directory, and exported again it is the same file."""
    (tmp_path / "other").mkdir()
    assert run("export", chats, "--to", "a.jsonl")[0] == 0
    code, out, err = run("import", "a.jsonl", "--to", "other")
    assert (code, err) == (0, "")
    assert "1 messages of 2 sessions (full)" in out
    assert run("export", "other", "--to", "b.jsonl")[0] == 0
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    code, out, _ = run("import", "a.jsonl", "--to", "other", "--skip-existing", "--json")
    assert (code, json.loads(out)["skipped"]) == (0, 2)


def test_what_is_left_out_is_said(run, chats: Path):
    """A chat has no place for titles; JSON says so, too."""
    words = ("export", chats, "--format", "chat", "--session", "s1", "--session", "s1", "--to")
    _, out, _ = run(*words, "a.jsonl")
    assert "left out  title of sessions: 1" in out
    _, out, _ = run(*words, "b.jsonl", "--json")
    assert json.loads(out)["left_out"]["title of sessions"] == 1
    code, out, err = run("import", "a.jsonl", "--to", chats, "--format", "chat")
    assert code == 2
    assert "--skip-existing" in err


@pytest.mark.parametrize(
    "words",
    [
        ("export", "nowhere", "--to", "x"),
        ("export", "chats", "--to", "chats"),
        ("export", "chats", "--to", "no/x"),
        ("export", "chats", "--to", "x", "--session", "nope"),
        ("export", "chats", "--to", "x", "--format", "xml"),
        ("export", "foreign.db", "--to", "x"),
        ("import", "nowhere", "--to", "chats"),
        ("import", "text", "--to", "chats"),
        ("import", "chats/sessions.db", "--to", "chats"),
        ("import", "text", "--to", "nowhere"),
        ("sessions", "nowhere"),
        ("sessions", "text"),
        ("sessions", "foreign.db"),
    ],
)
def test_an_error_is_one_line(run, chats: Path, tmp_path: Path, words):
    """Exit code 2, a line that names the thing, and nothing new on the disk."""
    import sqlite3

    (tmp_path / "text").write_text("hello")
    with sqlite3.connect(tmp_path / "foreign.db") as db:
        db.execute("CREATE TABLE t (a)")
    db.close()
    before = sorted(tmp_path.iterdir())
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert err.startswith("sessionproof: ")
    assert err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("words", [("text",), ("nowhere",), ("pipe",), ("empty",), ("folder",)])
def test_what_is_no_export_makes_no_database(run, tmp_path: Path, words):
    """Where the directory has none yet, a wrong file leaves it empty."""
    (tmp_path / "text").write_text("hello")
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")
    for folder in ("folder", "new"):
        (tmp_path / folder).mkdir()
    code, out, err = run("import", *words, "--to", "new")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words[0] in err
    assert [*(tmp_path / "new").iterdir()] == []


@pytest.mark.parametrize("words", [("sessions",), ("sessions", "--json"), ("health",)])
def test_an_answer_that_finds_no_room_is_one_line(chats: Path, words):
    """A full disk behind ``>`` is told, and does not pass for a finding."""
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "sessionproof", words[0], chats, *words[1:]],
            check=False, stdout=full, stderr=subprocess.PIPE, encoding="utf-8", timeout=60,
        )  # fmt: skip
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "cannot be written" in ended.stderr


def test_a_path_that_the_system_refuses_is_one_line(run, chats: Path):
    """As a name that is too long, or a directory of somebody else's."""
    for words in (("sessions", "x" * 300), ("health", "x" * 300), ("import", "-", "--to", chats)):
        code, out, err = run(*words)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert words[1] in err


def test_an_earlier_release_is_named(run, tmp_path: Path):
    """A file of an earlier schema is not guessed at."""
    import sqlite3

    from sessionproof.reference.steps import shipped, upgrade

    db = sqlite3.connect(tmp_path / "sessions.db", isolation_level=None)
    upgrade(db, shipped()[:3])
    db.close()
    code, _, err = run("sessions", tmp_path / "sessions.db")
    assert code == 2
    assert "earlier release" in err
    assert "sessionproof maintain" in err


def test_nothing_is_written_to_what_is_listed(run, chats: Path):
    """Listings and exports leave the directory as it was."""
    before = {one.name: one.read_bytes() for one in chats.iterdir()}
    run("sessions", chats)
    run("export", chats, "--to", "x.jsonl")
    assert {one.name: one.read_bytes() for one in chats.iterdir()} == before
