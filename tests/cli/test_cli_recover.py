"""``sessionproof recover`` as a user and a program see it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from sessionproof import Message
from sessionproof.cli.main import main
from sessionproof.reference import ReferenceStore


@pytest.fixture
def chats(tmp_path: Path) -> Path:
    """A directory with a database of forty messages."""
    place = tmp_path / "chats"
    place.mkdir()
    with ReferenceStore(place, durability="process") as store:
        for number in range(40):
            store.append("\x1b[31ms", [Message("user", f"{number} " + "x" * 800)])
    return place


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """An empty directory."""
    (tmp_path / "saved").mkdir()
    return tmp_path / "saved"


def run(*words: object) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    ended = CliRunner().invoke(main, ["recover", *map(str, words)])
    return ended.exit_code, ended.stdout, ended.stderr


def damage(place: Path) -> None:
    """Zero the page that holds the twentieth message."""
    path = place / "sessions.db"
    data = bytearray(path.read_bytes())
    at = data.find(b"20 xxx") // 4096 * 4096
    data[at : at + 4096] = bytes(4096)
    path.write_bytes(data)


def test_an_undamaged_file_is_0(chats: Path, saved: Path):
    """Numbers, the place, and that nothing is lost; a file is taken like its directory."""
    code, out, err = run(chats / "sessions.db", "--to", saved)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "saved  40 messages of 1 sessions",
        f"into   {saved}",
        "nothing is lost",
    ]
    assert (saved / "sessions.db").is_file()


def test_what_is_lost_is_1_and_told(chats: Path, saved: Path):
    """Sessions and numbers are named, and whatever a session is called is escaped."""
    damage(chats)
    code, out, err = run(chats, "--to", saved, "--dry-run")
    assert (code, err) == (1, "")
    assert out.startswith("can be saved  36 messages of 1 sessions\nlost   session ")
    assert re.search(r"messages \d+–\d+ are lost", out)
    assert "\x1b" not in out
    assert not [*saved.iterdir()]
    code, out, err = run(chats, "--to", saved, "--json")
    told = json.loads(out)
    assert (code, err) == (1, "")
    assert {name: told[name] for name in ("messages", "sessions", "dry_run")} == {
        "messages": 36,
        "sessions": 1,
        "dry_run": False,
    }
    assert len(told["lost"]) == 1
    with ReferenceStore(saved) as store:
        assert len(store.read("\x1b[31ms")) == 36


def test_what_cannot_be_done_is_2_in_one_line(chats: Path, saved: Path, tmp_path: Path):
    """A missing file, one of something else, and a directory that has a store already."""
    (tmp_path / "text.db").write_text("no database")
    for words, told in (
        ((tmp_path / "none", "--to", saved), "does not exist"),
        ((tmp_path / "text.db", "--to", saved), "nothing of a store of ours"),
        ((chats, "--to", chats), "recover into an empty directory"),
        ((chats, "--to", tmp_path / "nowhere"), "make it first"),
    ):
        code, out, err = run(*words)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert told in err
    assert not [*saved.iterdir()]
