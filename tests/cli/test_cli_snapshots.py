"""``sessionproof snapshots`` as a user and a program see it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sessionproof import Message
from sessionproof.reference import ReferenceStore


@pytest.fixture
def chats(tmp_path) -> Path:
    """A directory with a store of one session."""
    folder = tmp_path / "chats"
    folder.mkdir()
    with ReferenceStore(folder, durability="process") as store:
        store.create(
            "a", title="T", messages=[Message("user", "Hello\x1b[31m"), Message("user", "b")]
        )
        store.set_state("a", "key", 1)
    return folder


def change(chats: Path) -> None:
    with ReferenceStore(chats, durability="process") as store:
        store.append("a", [Message("user", "newer")])
        store.set_state("a", "key", 2)


def test_there_and_back(run, chats):
    """Taken, listed, shown, compared, restored, removed; each says what it did."""
    code, out, err = run("snapshots", "take", "chats", "a", "--reason", "before")
    made = out.strip()
    assert (code, err) == (0, "")
    code, out, _ = run("snapshots", "list", "chats")
    assert code == 0
    assert made in out
    assert "2 messages  a  (before)" in out
    code, out, _ = run("snapshots", "show", "chats", made)
    assert "title              T" in out
    assert "     1  user: Hello\\x1b[31m" in out
    assert "state 'key': 1" in out
    assert run("snapshots", "diff", "chats", made)[:2] == (0, "nothing is otherwise\n")
    change(chats)
    code, out, _ = run("snapshots", "diff", "chats", made)
    assert (code, out) == (1, "~ state 'key': 1 -> 2\n+ user: newer\n")
    code, out, err = run("snapshots", "restore", "chats", made)
    assert (code, out) == (2, "")
    assert "has a message that the snapshot has not" in err
    assert run("snapshots", "restore", "chats", made, "--as", "b")[:2] == (0, "b\n")
    assert run("snapshots", "restore", "chats", made, "--replace")[:2] == (0, "a\n")
    assert run("snapshots", "diff", "chats", made)[0] == 0
    assert run("snapshots", "remove", "chats", made)[:2] == (0, f"removed {made}\n")
    code, out, _ = run("snapshots", "list", "chats", "a")
    assert "restore" in out
    assert made not in out.splitlines()[0].split()[0]
    with ReferenceStore(chats) as store:
        assert store.count("a") == store.count("b") == 2


def test_a_limit_beyond_all_calendars_is_a_number(run, chats):
    """The session of the snapshot is shown all the same."""
    with ReferenceStore(chats, durability="process") as store:
        store.set_limits("a", hard_us=2**61)
        made = store.snapshot("a")
    code, out, err = run("snapshots", "show", "chats", made)
    assert (code, err) == (0, "")
    assert "hard_deadline_us   2307" in out


def test_for_programs(run, chats):
    """With ``--json`` each prints one document."""
    made = json.loads(run("snapshots", "take", "chats", "a", "--keep", "2", "--json")[1])[
        "snapshot"
    ]
    (info,) = json.loads(run("snapshots", "list", "chats", "--json")[1])["snapshots"]
    assert (info["snapshot_id"], info["kind"], info["message_count"]) == (made, "checkpoint", 2)
    shown = json.loads(run("snapshots", "show", "chats", made, "--json")[1])
    assert (shown["session"]["title"], shown["state"], shown["seqs"]) == ("T", {"key": 1}, [1, 2])
    assert shown["messages"][1]["content"] == "b"
    change(chats)
    later = json.loads(run("snapshots", "take", "chats", "a", "--json")[1])["snapshot"]
    found = json.loads(run("snapshots", "diff", "chats", made, later, "--json")[1])
    assert found["state"] == {"key": {"before": 1, "after": 2}}
    assert [one["content"] for one in found["added"]] == ["newer"]
    assert json.loads(run("snapshots", "restore", "chats", made, "--as", "b", "--json")[1]) == {
        "session": "b"
    }
    assert json.loads(run("snapshots", "remove", "chats", made, "--json")[1]) == {"removed": made}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("list", "nowhere"), "nowhere does not exist"),
        (("show", "chats", "x"), "there is no snapshot 'x'"),
        (("take", "chats", "x"), "there is no session 'x'"),
        (("list", "chats", "--jason"), "No such option"),
        (("list", "other.db"), "is no sessions.db"),
    ],
)
def test_mistakes_are_one_line(run, chats, tmp_path, words, said):
    """Each names the thing, is no traceback, and makes no file."""
    (tmp_path / "other.db").write_bytes(b"x")
    before = sorted(one.name for one in tmp_path.iterdir())
    code, out, err = run("snapshots", *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err
    assert sorted(one.name for one in tmp_path.iterdir()) == before
