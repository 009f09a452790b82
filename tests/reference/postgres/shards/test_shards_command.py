"""The command that shows, adds and removes servers."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from sessionproof.cli.main import main
from sessionproof.contract.message import Message
from sessionproof.reference.postgres.sharded import ShardedStore


@pytest.fixture
def shards(schema: str) -> Callable[..., Result]:
    """Runs a command on the test's schema."""
    return lambda *words: CliRunner().invoke(main, ["shards", *words, "--schema", schema])


def test_one_more_and_one_less(
    shards: Callable[..., Result], spread: Callable[..., ShardedStore], databases: list[str]
) -> None:
    """Servers are added and removed by command, twice is as once, and what lies where is told."""
    store = spread(databases[:2])
    for number in range(30):
        store.append(f"s{number}", [Message("user", "hello")])
    added = json.loads(shards("add", databases[0], databases[2], "--json").stdout)
    assert added["moved"] > 0
    assert [one["name"] for one in added["servers"]] == ["s1", "s2", "s3"]
    assert "moved 0 sessions" in shards("add", databases[0], databases[2]).stdout
    assert "moved" in shards("remove", databases[0], "s1").stdout
    found = json.loads(shards("status", databases[1], "--json").stdout)
    assert (found["changing"], sum(one["sessions"] for one in found["servers"])) == (False, 30)
    assert shards("finish", databases[1]).exit_code == 0
    assert len(store.list()) == 30


def test_mistakes_are_told_in_a_line(
    shards: Callable[..., Result], spread: Callable[..., ShardedStore], databases: list[str]
) -> None:
    """What is named wrongly is told in one line without a password, and nothing is made of it."""
    missing = shards("status", databases[0])
    assert (missing.exit_code, "does not exist" in missing.stderr) == (2, True)
    spread(databases[:2])
    for words, told in (
        (("status", "nonsense"), "the address of a server"),
        (("status", "postgresql://u:secret@127.0.0.1:1/x"), "127.0.0.1"),
        (("remove", databases[0], "s9"), "no server of this store"),
        (("remove", databases[0], "postgres//u:secret@h/x"), "the address of a server"),
        (("remove", databases[0], "postgresql://u:secret@h/x"), "no server of this store"),
        (("add", databases[0], "postgresql://u:secret@127.0.0.1:1/x"), "127.0.0.1"),
        (("add", databases[0], "postgresql://u:secret@h:port/x"), "no address"),
        (("add", databases[0], "u:secret"), "the address of a server"),
    ):
        result = shards(*words)
        assert result.exit_code == 2
        assert told in result.stderr
        assert "secret" not in result.output
        assert len(result.stderr.strip().splitlines()) <= 4  # of a terminal's width
    assert shards("remove", databases[0], "s1").exit_code == 0
    last = shards("remove", databases[1], "s2")
    assert (last.exit_code, "only server" in last.stderr) == (2, True)
