"""``sessionproof migrate`` and ``rollback`` as a user and a program see them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fixtures.legacy import build, damaged
from sessionproof.reference import ReferenceStore


@pytest.fixture
def old(tmp_path) -> Path:
    """A legacy file with two orphans, beside an empty directory."""
    build(next(one for one in damaged() if one.name == "plain_orphans"), tmp_path / "old.db")
    (tmp_path / "chats").mkdir()
    return tmp_path / "old.db"


def test_a_case_from_end_to_end(run, old, tmp_path):
    """A dry run, the migration, again, and the way back: each says what it did."""
    before = old.read_bytes()
    code, out, err = run("migrate", "old.db", "--to", "chats", "--dry-run")
    assert (code, err) == (0, "")
    assert "1 session with 1 message would be taken over, 2 rows put aside" in out
    assert not any((tmp_path / "chats").iterdir())
    code, out, err = run("migrate", "old.db", "--to", "chats")
    assert (code, err) == (0, "")
    assert "put aside: 2 rows of messages, their session is gone" in out
    assert "sessionproof rollback chats" in out
    assert (tmp_path / "chats" / "migrated" / "aside.jsonl").exists()
    code, out, _ = run("migrate", "old.db", "--to", "chats")
    assert (code, out.startswith("nothing to do")) == (0, True)
    code, out, _ = run("rollback", "chats", "--dry-run")
    assert (code, "would be what it was" in out) == (0, True)
    code, out, _ = run("rollback", "chats")
    assert code == 0
    assert "byte for byte" in out
    assert "before-rollback" in out
    assert old.read_bytes() == before


def test_the_json_form_is_the_answer(run, old, tmp_path):
    """Fields of the record, and paths where there are any."""
    code, out, _ = run("migrate", "old.db", "--to", "chats", "--json")
    answer = json.loads(out)
    assert (code, answer["changed"], answer["set_aside"]) == (0, True, 2)
    assert answer["notes"][0].startswith("put aside")
    code, out, _ = run("rollback", "chats", "--json")
    answer = json.loads(out)
    assert (code, answer["file"]) == (0, str(old))
    assert Path(answer["kept"]).is_file()


def test_what_the_file_leaves_open_can_be_told(run, tmp_path):
    """A zone, and what a word of the file means as a role."""
    build(next(one for one in damaged() if one.name == "plain_words"), tmp_path / "old.db")
    (tmp_path / "chats").mkdir()
    words = ("--zone", "Asia/Tokyo", "--role", "robot=assistant")
    code, out, _ = run("migrate", "old.db", "--to", "chats", *words)
    assert code == 0
    assert "0 rows put aside" in out
    with ReferenceStore(tmp_path / "chats") as store:
        assert store.list()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("migrate", "nix.db", "--to", "chats"), "nix.db does not exist"),
        (("migrate", "old.db", "--to", "nowhere"), "make it first"),
        (("migrate", "old.db"), "--to"),
        (("migrate", "old.db", "--to", "chats", "--zone", "Mars/Base"), "no time zone"),
        (("migrate", "old.db", "--to", "chats", "--role", "ai=robot"), "WORD=ROLE"),
        (("rollback", "chats"), "nothing was migrated"),
        (("rollback", "nowhere"), "nothing was migrated"),
    ],
)
def test_a_mistake_is_one_line_and_2(words, told, run, old, tmp_path):
    """The thing and the remedy, and nothing is made."""
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert told in err
    assert err.count("\n") == 1
    assert not any((tmp_path / "chats").iterdir())
