"""What ``--json`` prints: the fields that docs/operations.md names, and nothing that is no JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sessionproof import Message
from sessionproof.reference import ReferenceStore

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
COMMANDS = {
    "backup": ("backup", "chats", "--to", "backups"),
    "restore": ("restore", "chats/sessions.db", "--to", "new", "--dry-run"),
    "drill": ("drill", "backups"),
    "recover": ("recover", "chats", "--to", "new", "--dry-run"),
    "repair": ("repair", "chats"),
    "health": ("health", "chats"),
    "maintain": ("maintain", "chats"),
    "explain": ("explain", "chats", "SELECT 1"),
    "sessions": ("sessions", "chats"),
    "export": ("export", "chats", "--to", "out.jsonl"),
    "import": ("import", "chat.jsonl", "--to", "new"),
    "browse": ("browse", "chats", "--out", "out.html"),
    "snapshots list": ("snapshots", "list", "chats"),
    "snapshots show": ("snapshots", "show", "chats", "SNAPSHOT"),
    "snapshots diff": ("snapshots", "diff", "chats", "SNAPSHOT"),
}
ELSEWHERE = {"compare", "crash judge", "history check", "stores"}
"""Commands about recordings and the list of stores, which have pages of their own."""

LISTS = {"drills", "checks", "runs", "snapshots"}


@pytest.fixture
def snapshot(tmp_path: Path) -> str:
    """Folders to work in, and the id of a snapshot of the only session."""
    for name in ("chats", "backups", "new"):
        (tmp_path / name).mkdir()
    (tmp_path / "chat.jsonl").write_text('{"messages": [{"role": "user", "content": "hi"}]}\n')
    with ReferenceStore(tmp_path / "chats", durability="process") as store:
        store.append("s1", [Message("user", "\ud800 \x1b[31m")])
        store.backup(tmp_path / "backups")
        return store.snapshot("s1", reason="\u202e")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_fields_are_those_of_the_page(run, snapshot: str, command: str):
    """Also those of what is in a list."""
    words = [snapshot if one == "SNAPSHOT" else one for one in COMMANDS[command]]
    code, out, err = run(*words, "--json")
    assert (code, err) == (0, "")
    assert out.isascii()
    found = json.loads(out, parse_constant=pytest.fail)
    (cell,) = re.findall(rf"^\| `{command}` \| (.*) \|$", PAGE, re.MULTILINE)
    outside, _, inside = re.sub(r"\([^)]*\)", "", cell).partition(": of each ")
    assert set(found) == set(re.findall("`([a-z_]+)`", outside))
    if inside:
        (rows,) = (found[name] for name in LISTS & set(found))
        assert rows
        assert set(rows[0]) == set(re.findall("`([a-z_]+)`", inside))


def test_every_command_that_prints_json_is_there():
    """A new command does not go without its line."""
    from sessionproof.cli.main import main

    def printing(group: Any, before: str = "") -> list[str]:
        names = []
        for name, one in group.commands.items():
            if hasattr(one, "commands"):
                names += printing(one, f"{name} ")
            elif any("--json" in option.opts for option in one.params):
                names.append(before + name)
        return names

    section = PAGE.partition("## For programs")[2]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    named = set[str]()
    for line in lines:
        first, *others = re.findall("`([a-z ]+)`", line.split("|")[1])
        group = f"{first.split()[0]} " if " " in first else ""
        named |= {first, *(group + one for one in others)}
    assert set(printing(main)) - ELSEWHERE == named
