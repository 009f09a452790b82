"""Bytes changed anywhere in the file: an error of the store in one line, or verify tells of it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sessionproof import Indefinite, Message, Refused
from sessionproof.contract.seed import generator
from sessionproof.reference import ReferenceStore
from sessionproof.reference.failures import as_store_error
from sessionproof.reference.finding.looking import index_problems

SESSIONS = [f"s{number}" for number in range(4)]
DAMAGES = 40  # of each test: a few milliseconds each


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed database with all that a session can have."""
    folder = tmp_path_factory.mktemp("sound")
    with ReferenceStore(folder, durability="process") as store:
        for name in SESSIONS:
            store.create(name, owner="o", title=f"title of {name}", metadata={"a": [1]})
            for batch in range(4):
                texts = [f"<{name}.{batch}.{place}>" + "é" * 90 for place in range(6)]
                store.append(name, [Message("user", text, metadata={"x": 1}) for text in texts])
            store.append(name, [Message("user", f"<{name}>" + "y" * 6_000, id="given")])
            store.set_state(name, "key", {"v": name})
    return folder


def shown(folder: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What each read gave, or None for an error of the store; and what verify said."""
    with ReferenceStore(folder) as store:
        calls: dict[str, Callable[[], Any]] = {"list": lambda: sorted(store.list())}
        for name in SESSIONS:
            calls[f"read {name}"] = lambda name=name: store.read(name)
            calls[f"page {name}"] = lambda name=name: store.page(name, limit=9).messages
            calls[f"state {name}"] = lambda name=name: store.get_state(name, "key")
            calls[f"count {name}"] = lambda name=name: store.count(name)
        seen = {what: answer(call) for what, call in calls.items()}
        for name in SESSIONS:
            assert all(one.isprintable() for one in store.verify(name).problems)
        return seen, store.verify().problems


def answer(call: Callable[[], Any]) -> Any:
    """The answer; None for an error of the store, which is one line."""
    try:
        return call()
    except Refused as error:
        must_be_a_line(error)
        return None


def must_be_a_line(error: Refused) -> None:
    """Fail for a text that no line can hold."""
    if not str(error).isprintable():
        pytest.fail(f"an error is more than a line: {str(error)!r}")


@pytest.mark.parametrize("seed", range(4))
def test_changed_bytes_never_pass_for_good_data(sound: Path, tmp_path: Path, seed: int):
    """Whatever byte is changed: all is served as it was, or there is an error, or verify tells."""
    whole = (sound / "sessions.db").read_bytes()
    right, problems = shown(sound)
    assert not problems
    chance = generator(seed, "damage")
    for number in range(DAMAGES):
        folder = tmp_path / str(number)
        folder.mkdir()
        held = bytearray(whole)
        at = chance.randrange(len(held))
        for place in range(at, min(len(held), at + chance.choice((1, 1, 1, 8, 40)))):
            held[place] ^= 1 << chance.randrange(8)
        (folder / "sessions.db").write_bytes(held)
        try:
            seen, problems = shown(folder)
        except Refused as error:  # at opening
            must_be_a_line(error)
            continue
        finally:
            shutil.rmtree(folder)
        as_it_was = all(seen[what] == right[what] for what in right)
        assert as_it_was or problems, f"seed {seed}, damage {number} at {at}"


def test_a_schema_that_is_no_utf_8_is_refused(sound: Path, tmp_path: Path):
    """SQLite quotes the damaged text in its message, and sqlite3 cannot decode that."""
    held = bytearray((sound / "sessions.db").read_bytes())
    at = held.index(b"CREATE TRIGGER state_before_move")
    held[at + 8] = 0xCB
    (tmp_path / "sessions.db").write_bytes(held)
    with pytest.raises(Refused) as refused:
        ReferenceStore(tmp_path).close()
    assert str(refused.value).isprintable()
    assert (tmp_path / "sessions.db").read_bytes() == bytes(held)


def test_a_damaged_text_hides_no_other_from_the_search(store: ReferenceStore, foreign):
    """All else is found, upkeep goes on, and no word of the text is written down as an error."""
    store.create("s", title="first", messages=[Message("user", "one"), Message("user", "two")])
    store.append("t", [Message("assistant", None, kind="tool_call", arguments={"q": "three"})])
    damaged = b"secret \xff word"
    for column, number in (("content", 1), ("arguments", 3)):
        foreign.execute("PRAGMA ignore_check_constraints = ON")
        sql = f"UPDATE messages SET {column} = CAST(? AS TEXT) WHERE id = ?"
        foreign.execute(sql, (damaged, number))
    foreign.execute("UPDATE sessions SET title = CAST(? AS TEXT)", (damaged,))
    assert [hit.message.content for hit in store.search("two")] == ["two"]
    assert not store.search("three")
    assert not index_problems_of(store)
    with pytest.raises(Refused, match="not UTF-8") as refused:
        store.search("word")
    must_be_a_line(refused.value)
    with pytest.raises(Refused, match="verify: 1 kind of problem"):
        store.maintain()
    texts = foreign.execute("SELECT text FROM maintenance_runs").fetchall()
    assert "secret" not in f"{texts} {refused.value}"


def index_problems_of(store: ReferenceStore) -> list[Any]:
    with closing(sqlite3.connect(store.tables().path, isolation_level=None)) as db:
        return list(index_problems(db))


@pytest.mark.parametrize("writes", [False, True])
def test_errors_quote_no_damaged_text(writes: bool):
    """SQLite's message goes on with the text itself, which may say anything."""
    error = sqlite3.OperationalError(
        "Could not decode to UTF-8 column 'x' with text 'a closed door'"
    )
    told = as_store_error(error, path="p", writes=writes)
    assert type(told) is (Indefinite if writes else Refused)
    assert "not UTF-8" in str(told)
    assert "door" not in str(told)
