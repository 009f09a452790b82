"""Digests of messages: right after every way to write, cleared by strangers, compared on reads."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessionproof import Message, Refused
from sessionproof.reference import ReferenceStore
from sessionproof.reference.codec import COLUMNS, encode
from sessionproof.reference.digest import SESSION_TEXT, STATE_TEXT, TEXT, add_function, digest

TEXTS = st.text(st.characters(exclude_categories=()), max_size=12)
NUMBERS = st.none() | st.integers(0, 2**63 - 1)
JSON = st.none() | st.booleans() | st.integers(-5, 5) | TEXTS
MESSAGES = st.builds(
    Message,
    role=st.sampled_from(["user", "assistant", "tool", "system", "developer", None]),
    content=TEXTS | st.lists(JSON, max_size=2) | st.none(),
    kind=st.sampled_from(["text", "tool_call", "tool_result"]),
    tokens=NUMBERS,
    duration_us=st.none() | st.integers(0, 10**6),
    created_at_us=NUMBERS,
    name=st.none() | TEXTS,
    call_id=st.none() | TEXTS,
    arguments=st.none() | st.dictionaries(TEXTS, JSON, max_size=2),
    metadata=st.none() | st.dictionaries(TEXTS, JSON, max_size=2),
)


def digests(path: str) -> list[tuple[bytes, bytes]]:
    """Of each message the bytes that SQL sums, and the digest that is kept."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT {TEXT}, digest FROM messages AS m").fetchall()


def all_right(path: str) -> bool:
    """Whether each message has a digest, and it is right."""
    return all(kept == crc32(summed).to_bytes(4) for summed, kept in digests(path))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(batch=st.lists(MESSAGES.filter(lambda one: len(str(one.tokens)) < 18), max_size=3))
def test_sql_sums_what_was_appended(store: ReferenceStore, batch: list[Message]):
    """SQL makes of each stored row the very bytes that were summed when it was appended."""
    store.append("s", batch)
    assert all_right(store.tables().path)
    store.delete("s")


def test_the_text_is_the_documented_one():
    """Each field has its letter, in the documented order; NULLs are left out."""
    plain = encode(Message("user", "hi", tokens=3))
    assert digest(plain, 7) == crc32(b"ruserktextt3a7xhi").to_bytes(4)
    assert digest(encode(Message("tool", None)), 7) == crc32(b"rtoolktexta7").to_bytes(4)
    row = dict(zip(COLUMNS, range(1, len(COLUMNS) + 1), strict=True))
    named = (
        ("r", "role"), ("k", "kind"), ("t", "tokens"), ("a", None), ("d", "duration_us"),
        ("c", "created_at_us"), ("i", "message_id"), ("n", "name"), ("l", "call_id"),
        ("j", "content_json"), ("g", "arguments"), ("m", "metadata"), ("x", "content"),
    )  # fmt: skip
    text = "".join(f"{letter}{row[name] if name else 99}" for letter, name in named)
    assert digest(tuple(row.values()), 99) == crc32(text.encode()).to_bytes(4)


def test_every_way_to_write_keeps_digests_right(store: ReferenceStore):
    """Appends, batches, edits, replacements, creations: each message has its digest."""
    path = store.tables().path
    store.create("a", messages=[Message("user", "x")])
    store.append("a", [Message("user", "\ud800", id="mine"), Message("user", "\x00y", tokens=0)])
    store.append("a", [Message("user", str(number)) for number in range(120)])
    store.append_with_state("a", [Message("user", "with")], {"k": 1})
    store.edit_message("a", "mine", Message("assistant", "\udfff edited", tokens=2))
    store.edit_message("a", store.read("a")[0].id, Message("user", ["json"], id="new"))
    assert [message.id for message in store.read("a")[:2]] == ["new", "mine"]
    assert len(digests(path)) == 124
    assert all_right(path)
    store.replace("a", [Message("user", "z", metadata={"a": 1})])
    assert all_right(path)


def test_an_edit_that_changes_nothing_keeps_the_digest(store: ReferenceStore):
    """The message that is edited to itself stays verified."""
    store.append("s", [Message("user", "x", id="m")])
    store.edit_message("s", "m", Message("user", "x"))
    assert all_right(store.tables().path)


@pytest.mark.parametrize(
    "change",
    [
        "role = 'tool'", "kind = 'tool_call'", "tokens = 9", "duration_us = 9",
        "appended_at_us = 9", "created_at_us = 9", "message_id = 'z'", "name = 'z'",
        "call_id = 'z'", "content = 'z'", "content = NULL, content_json = '1'",
        "arguments = '{}'", "metadata = '{}'",
    ],
)  # fmt: skip
def test_a_stranger_who_changes_a_field_clears_the_digest(store: ReferenceStore, foreign, change):
    """What another program wrote is unverified, and not wrong; other messages stay verified."""
    store.append("s", [Message("user", "x"), Message("user", "y")])
    foreign.execute(f"UPDATE messages SET {change} WHERE seq = 1")
    assert [kept is None for _, kept in digests(store.tables().path)] == [True, False]
    assert store.verify().ok


def test_a_stranger_who_changes_nothing_leaves_the_digest(store: ReferenceStore, foreign):
    """An UPDATE to the same values, as some programs save a row, keeps it verified."""
    store.append("s", [Message("user", "x")])
    foreign.execute("PRAGMA recursive_triggers = 1")
    foreign.execute("UPDATE messages SET content = content, tokens = tokens, role = role")
    assert all_right(store.tables().path)


def test_reads_that_check_refuse_a_message_that_changed(tmp_path: Path):
    """With check_digests each way to read names the message; without, it is served."""
    damaged(tmp_path)
    with ReferenceStore(tmp_path, check_digests=True) as store:
        for call in (
            lambda: store.read("s"),
            lambda: store.read_last("s", 2),
            lambda: store.page("s"),
            lambda: store.pop_last("s"),
        ):
            with pytest.raises(Refused, match="message 2 of session 's' is not what was written"):
                call()
        assert store.count("s") == 2
    with ReferenceStore(tmp_path) as store:
        assert [message.content for message in store.read("s")] == ["first", "needlf"]


def damaged(folder: Path) -> None:
    """Flip a bit of the text of the second message of session "s"."""
    with ReferenceStore(folder, durability="process") as store:
        store.append("s", [Message("user", "first"), Message("user", "needle")])
        path = Path(store.tables().path)
    held = path.read_bytes()
    assert held.count(b"needle") == 1
    path.write_bytes(held.replace(b"needle", b"needlf"))


def test_the_function_takes_what_sqlite_gives():
    """A digest of another type is not the same, and no error."""
    with closing(sqlite3.connect(":memory:")) as connection:
        add_function(connection)
        for kept in ("x'00'", "7", "'abc'", "NULL"):
            assert connection.execute(f"SELECT same_digest(x'61', {kept})").fetchone() == (0,)
        right = crc32(b"a").to_bytes(4).hex()
        assert connection.execute(f"SELECT same_digest(x'61', x'{right}')").fetchone() == (1,)


def sums(path: str) -> list[tuple[bytes, bytes]]:
    """Of each session and each value of state the bytes that SQL sums, and what is kept."""
    with closing(sqlite3.connect(path)) as connection:
        sessions = connection.execute(f"SELECT {SESSION_TEXT}, checksum FROM sessions").fetchall()
        state = connection.execute(f"SELECT {STATE_TEXT}, checksum FROM state AS v").fetchall()
    return sessions + state


def test_sessions_and_state_have_sums_after_every_way_to_write(store: ReferenceStore):
    """Creation, the first append, updates, state: what is kept is the sum of what is there."""
    store.create("a\ud800", owner="o\x00", title="t", llm_model="m", metadata={"x": [1]})
    store.append("b", [Message("user", "x")])
    store.set_state("c", "k\udfff", {"v": 1})
    store.append_with_state("d", [Message("user", "x")], {"k": None, "l": "text"})
    store.update("b", title="new", metadata=None)
    store.update("a\ud800", owner=None)
    store.set_llm_model("c", "m2")
    store.set_state("c", "k\udfff", 7)
    store.update("c")
    kept = sums(store.tables().path)
    assert len(kept) == 7
    assert all(own == crc32(summed).to_bytes(4) for summed, own in kept)
    assert store.verify().ok


@pytest.mark.parametrize(
    "change",
    [
        "sessions SET title = 'z'", "sessions SET owner = NULL", "sessions SET metadata = '{}'",
        "sessions SET created_at_us = 9", "sessions SET idle_timeout_us = 9",
        "sessions SET hard_deadline_us = 9", "sessions SET llm_model = 'z'",
        "state SET value = '9'", "state SET key = 'z'",
    ],
)  # fmt: skip
def test_a_stranger_who_changes_a_session_clears_its_sum(store: ReferenceStore, foreign, change):
    """What another program wrote is unverified, and not wrong; other rows stay verified."""
    store.create("s", owner="o", title="t")
    store.set_state("s", "k", 1)
    foreign.execute(f"UPDATE {change}")
    assert sorted(own is None for _, own in sums(store.tables().path)) == [False, True]
    assert store.verify().ok


@pytest.mark.parametrize(("old", "new"), [(b"title1", b"title2"), (b'"value"', b'"valuf"')])
def test_a_session_that_changed_by_itself_is_told(tmp_path: Path, old: bytes, new: bytes):
    """A bit of a title, or of a value of the state: verify names the session."""
    with ReferenceStore(tmp_path, durability="process") as store:
        store.create("s", title="title1")
        store.set_state("s", "k", ["value"])
        path = Path(store.tables().path)
    held = path.read_bytes()
    assert held.count(old) == 1
    path.write_bytes(held.replace(old, new))
    with ReferenceStore(tmp_path) as store:
        (problem,) = store.verify().problems
        assert "of 1 sessions are not as written: s: " in problem
        assert len(store.verify("s").problems) == 1
