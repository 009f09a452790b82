"""The command browse: what is on the page, what is left out, errors of one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sessionproof import Message
from sessionproof.reference import ReferenceStore


@pytest.fixture
def chats(tmp_path: Path) -> Path:
    """Three sessions of four messages each, the newest last."""
    directory = tmp_path / "chats"
    directory.mkdir()
    with ReferenceStore(directory, durability="process") as store:
        for number in range(3):
            texts = [Message("user", f"text-{number}-{place}") for place in range(4)]
            store.create(f"s{number}", owner="ann" if number else "bob", messages=texts)
    return directory


def texts_on(page: Path) -> set[str]:
    text = page.read_text("utf-8")
    return {f"{n}-{p}" for n in range(3) for p in range(4) if f"text-{n}-{p}" in text}


def test_all_sessions_are_on_the_page(run, chats: Path, tmp_path: Path):
    """One private file; the directory is as it was."""
    before = {one.name: one.read_bytes() for one in chats.iterdir()}
    code, out, err = run("browse", chats, "--out", "page.html", "--title", "Mine & yours")
    assert (code, err) == (0, "")
    assert "12 messages of 3 sessions" in out
    page = tmp_path / "page.html"
    assert len(texts_on(page)) == 12
    assert "<h1>Mine &amp; yours</h1>" in page.read_text("utf-8")
    assert page.stat().st_mode & 0o077 == 0
    assert {one.name: one.read_bytes() for one in chats.iterdir()} == before


def test_the_newest_messages_have_room(run, chats: Path, tmp_path: Path):
    """The newest sessions come first, of one its newest messages; what is left out is said."""
    _, out, _ = run("browse", chats, "--out", "page.html", "--most", "6", "--json")
    done = json.loads(out)
    assert (done["messages"], done["left_out_sessions"], done["left_out_messages"]) == (6, 1, 2)
    assert texts_on(tmp_path / "page.html") == {"2-0", "2-1", "2-2", "2-3", "1-2", "1-3"}
    _, out, _ = run("browse", chats, "--out", "again.html", "--most", "6")
    assert "left out  1 older sessions, 2 earlier messages" in out


def test_sessions_are_chosen(run, chats: Path, tmp_path: Path):
    """By owner, or by their ids."""
    run("browse", chats, "--out", "a.html", "--owner", "bob")
    assert texts_on(tmp_path / "a.html") == {"0-0", "0-1", "0-2", "0-3"}
    run("browse", chats, "--out", "b.html", "--session", "s0", "--session", "s2")
    assert len(texts_on(tmp_path / "b.html")) == 8


@pytest.mark.parametrize(
    "words",
    [
        ("nowhere", "--out", "page.html"),
        ("chats", "--out", "chats"),
        ("chats", "--out", "no/page.html"),
        ("chats", "--out", "page.html", "--session", "nope"),
        ("chats", "--out", "page.html", "--most", "0"),
        ("chats",),
    ],
)
def test_a_mistake_is_one_line(run, chats: Path, tmp_path: Path, words):
    """Exit code 2, and no file."""
    before = sorted(tmp_path.iterdir())
    code, out, err = run("browse", *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert sorted(tmp_path.iterdir()) == before
