"""Sessions to files and back: nothing is lost, and no part of a file is taken for the whole."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessionproof import Conflict, Message, NotFound, Refused
from sessionproof.contract.cells import from_cell, integer_from_cell, to_cell
from sessionproof.contract.clock import VirtualClock
from sessionproof.reference import ReferenceStore
from sessionproof.reference.exchange.conversations import FACTS
from sessionproof.reference.steps import shipped, upgrade

EVERYTHING = ("full", "csv")
FORMS = (*EVERYTHING, "chat")
CSV = ("sessions.csv", "state.csv", "messages.csv")

ODD = [
    "", "\\N", "\\", '\\"x"', "=1+1", "-5", "@x", "\t", "\r\n", "a\rb", "\0", "\ud800",
    "a,b\"c\n", "NULL", "＝1", "\ufeffx",
]  # fmt: skip
TEXTS = st.sampled_from(ODD) | st.text(st.characters(exclude_categories=()), max_size=8)
AMOUNTS = st.none() | st.integers(0, 2**58)  # the sum of a session's is to stay below 2**63
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | TEXTS
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)  # fmt: skip
OBJECTS = st.none() | st.dictionaries(TEXTS, JSON, max_size=2)
MESSAGES = st.builds(
    Message,
    role=st.sampled_from(["user", "assistant", "tool", "system", "developer", None]),
    content=TEXTS | JSON,
    kind=st.sampled_from(["text", "tool_call", "tool_result"]),
    tokens=AMOUNTS,
    duration_us=st.none() | st.integers(0, 10**6),
    created_at_us=AMOUNTS,
    name=st.none() | TEXTS,
    call_id=st.none() | TEXTS,
    arguments=JSON,
    metadata=OBJECTS,
)
SESSIONS = st.lists(
    st.fixed_dictionaries(
        {
            "messages": st.lists(MESSAGES, max_size=4),
            "facts": st.fixed_dictionaries(
                {"owner": st.none() | TEXTS, "title": st.none() | TEXTS,
                 "llm_model": st.none() | TEXTS, "metadata": OBJECTS}
            ),
            "state": st.dictionaries(TEXTS, JSON, max_size=2),
            "removed": st.integers(0, 4),
            "status": st.sampled_from(["active", "idle", "paused", "archived", "expired"]),
        }
    ),
    max_size=3,
)  # fmt: skip
ONCE = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
MIXED = (
    Message("user", "hi", tokens=2),
    Message("assistant", None, kind="tool_call", name="f", call_id="c", arguments={"q": 1.0}),
    Message("tool", "=1+1", kind="tool_result", call_id="c", id="mine"),
    Message("user", "\ud800\0"),
    Message("user", ""),
    Message("user", [1, 1.0, None]),
    Message(None, "\\N"),
)


def opened(place: Path) -> ReferenceStore:
    place.mkdir(parents=True, exist_ok=True)
    return ReferenceStore(place, durability="process")


def fill(store: ReferenceStore, sessions) -> None:
    """Sessions with gaps in their numbers, every status, limits and state."""
    for number, one in enumerate(sessions):
        name = f"s{number}\ud800"[: 2 + number % 2]
        store.create(name, messages=one["messages"], **one["facts"])
        for message in store.read(name)[: one["removed"]]:
            store.delete_message(name, message.id)
        for key, value in one["state"].items():
            store.set_state(name, key, value)
        with sqlite3.connect(store.tables().path) as foreign:
            foreign.execute(
                "UPDATE sessions SET status = ? WHERE id = ?", (one["status"], number + 1)
            )
        foreign.close()


def content_of(path: Path) -> list[list[tuple]]:
    """All rows that are kept, as SQLite has them; row ids and digests of messages included."""
    with sqlite3.connect(path) as db:
        rows = [
            sorted(db.execute(f"SELECT * FROM {table}").fetchall(), key=repr)
            for table in ("sessions", "messages", "state", "llm_models")
        ]
    db.close()
    return rows


@pytest.mark.parametrize("form", EVERYTHING)
@given(sessions=SESSIONS)
@ONCE
def test_what_goes_out_comes_back_equal(tmp_path_factory, form: str, sessions):
    """Every column of every table but the order of rows: texts, numbers, gaps, times, sums."""
    place = tmp_path_factory.mktemp("x")
    with opened(place / "a") as store:
        fill(store, sessions)
        before = content_of(store._path)
        done = store.export_sessions(place / "out", form=form)
        assert (done.sessions, done.left_out) == (len(sessions), {})
    with opened(place / "b") as store:
        stored = store.import_sessions(place / "out")
        assert (stored.form, stored.sessions, stored.messages) == (
            form,
            len(sessions),
            done.messages,
        )
        assert without_rows(content_of(store._path)) == without_rows(before)
        assert store.verify().ok


def without_rows(tables: list[list[tuple]]) -> list[list[tuple]]:
    """Messages without their row ids, which a removed message leaves free."""
    sessions, messages, *rest = tables
    return [sessions, sorted((row[1:] for row in messages), key=repr), *rest]


@pytest.mark.parametrize("form", EVERYTHING)
def test_limits_and_times_come_back(tmp_path: Path, form: str):
    """Idle and hard limits, warnings, creation, last activity and the next number are kept."""
    clock = VirtualClock()
    with ReferenceStore(tmp_path, durability="process", clock=clock) as store:
        store.create("s", messages=MIXED)
        clock.move(5_000_000)
        store.set_limits("s", idle_us=7_000_000, hard_us=9_000_000)
        store.clear("s")
        before = content_of(store._path)
        store.export_sessions(tmp_path / "out", form=form)
    (tmp_path / "b").mkdir()
    with ReferenceStore(tmp_path / "b", clock=clock) as store:
        store.import_sessions(tmp_path / "out")
        assert content_of(store._path) == before
        assert store.append("s", [Message("user", "next")]).seqs == (8,)


def test_every_column_of_a_session_is_exported():
    """A column that a later step adds is exported, or is one that follows from others."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    upgrade(db, shipped())
    columns = {row[1] for row in db.execute("PRAGMA table_info(sessions)")}  # no generated ones
    db.close()
    counted = {"id", "session_id", "message_count", "total_tokens", "total_duration_us", "checksum"}
    assert columns - counted == set(FACTS)


CHATS = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": "Weather?", "name": "ann"},
    {
        "role": "assistant",
        "content": "let me see",
        "tool_calls": [
            {
                "id": "c1",
                "type": "function",
                "function": {"name": "w", "arguments": '{"c": "Rom"}'},
            },
            {"id": "c2", "type": "function", "function": {"name": "w", "arguments": "{broken"}},
        ],
    },
    {"role": "tool", "content": "rain", "tool_call_id": "c1"},
    {"role": "tool", "content": "sun", "tool_call_id": "c2"},
    {"role": "user", "content": [{"type": "text", "text": "see"}, {"type": "image_url"}]},
    {"role": "assistant", "content": "Rain; sun \ud800"},
]


def test_chats_come_back_as_they_were(tmp_path: Path):
    """Messages of OpenAI's API are equal after both ways; calls are messages of their own."""
    (tmp_path / "in.jsonl").write_text(
        json.dumps({"session_id": "s", "model": "m", "messages": CHATS})
    )
    with opened(tmp_path / "a") as store:
        assert store.import_sessions(tmp_path / "in.jsonl").messages == len(CHATS) + 1
        assert store.get("s").llm_model == "m"
        first, second = store.read("s")[2:4]
        assert (first.content, first.arguments, first.call_id) == ("let me see", {"c": "Rom"}, "c1")
        assert (second.content, second.arguments, second.kind) == (None, "{broken", "tool_call")
        assert store.export_sessions(tmp_path / "out.jsonl", form="chat").left_out == {}
    assert json.loads((tmp_path / "out.jsonl").read_text()) == {
        "session_id": "s", "model": "m", "messages": CHATS
    }  # fmt: skip


def test_what_a_chat_has_no_place_for_is_counted(tmp_path: Path):
    """Nothing is left out without a word, neither of sessions nor of messages."""
    with opened(tmp_path / "a") as store:
        store.create("s", owner="o", title="t", metadata={"a": 1}, messages=MIXED)
        store.set_state("s", "k", 1)
        store.set_limits("s", idle_us=10**9)
        done = store.export_sessions(tmp_path / "out", form="chat")
    assert done.messages == len(MIXED) - 1
    assert done.left_out == {
        "owner of sessions": 1, "title of sessions": 1, "metadata of sessions": 1,
        "idle_timeout_us of sessions": 1, "state of sessions": 1, "tokens of messages": 1,
        "id of messages": 1, "messages without a role": 1,
    }  # fmt: skip


def test_content_that_a_chat_cannot_have_becomes_text(tmp_path: Path):
    """Objects and numbers are JSON texts, and counted; texts and lists of parts are as they are."""
    with opened(tmp_path / "a") as store:
        store.create("s", messages=[Message("user", one) for one in ({"a": 1}, 7, "x", ["y"])])
        done = store.export_sessions(tmp_path / "out", form="chat")
    assert list(done.left_out.values()) == [2]
    (line,) = (tmp_path / "out").read_text().splitlines()
    shown = [message["content"] for message in json.loads(line)["messages"]]
    assert shown == ['{"a": 1}', "7", "x", ["y"]]


def test_chats_of_other_hands_are_taken(tmp_path: Path):
    """Old function calls, custom tools, unknown fields, no id: each is kept, two chats apart."""
    custom = {"id": "c", "type": "custom", "custom": {"name": "g", "input": "x"}}
    made = {"name": "f", "arguments": "{}"}
    chat = {
        "messages": [
            {"role": "assistant", "content": None, "function_call": made},
            {"role": "function", "name": "f", "content": "1"},
            {"role": "assistant", "tool_calls": [custom]},
            {"role": "assistant", "content": "no", "refusal": "because", "audio": None},
        ]
    }  # fmt: skip
    (tmp_path / "in.jsonl").write_text(
        "\ufeff" + json.dumps(chat) + "\r\n\n" + json.dumps(chat), "utf-8"
    )
    with opened(tmp_path / "a") as store:
        assert store.import_sessions(tmp_path / "in.jsonl").sessions == 2
        (one, other) = store.list()
        call, result, custom, said = store.read(one)
        assert (call.kind, call.name, call.arguments) == ("tool_call", "f", {})
        assert (result.role, result.kind, result.name) == ("tool", "tool_result", "f")
        assert (custom.name, custom.arguments, custom.metadata) == ("g", "x", {"type": "custom"})
        assert (said.content, said.metadata) == ("no", {"refusal": "because"})
        assert [m.content for m in store.read(other)] == [m.content for m in store.read(one)]


@pytest.mark.parametrize("form", FORMS)
def test_an_id_that_is_taken_is_told_before_anything_is_stored(tmp_path: Path, form: str):
    """The import is refused as a whole, or leaves alone what is there; nothing is there twice."""
    with opened(tmp_path / "a") as store:
        store.create("s1", messages=MIXED)
        store.create("s2", messages=MIXED)
        store.export_sessions(tmp_path / "out", form=form)
        store.delete("s1")
        store.append("s2", [Message("user", "mine")])
        before = content_of(store._path)
        with pytest.raises(Conflict, match="there is a session 's2' already; nothing was stored"):
            store.import_sessions(tmp_path / "out")
        assert content_of(store._path) == before
        done = store.import_sessions(tmp_path / "out", existing="skip")
        assert (done.sessions, done.skipped) == (1, 1)
        assert store.read("s2")[-1].content == "mine"
        assert set(store.list()) == {"s1", "s2"}


def test_sessions_are_chosen_by_id_and_owner(tmp_path: Path):
    """Those named come once each; an unknown one is an error, and no file is left."""
    with opened(tmp_path / "a") as store:
        for name, owner in (("s1", "ann"), ("s2", "bob"), ("s3", "ann")):
            store.create(name, owner=owner, messages=MIXED[:1])
        names = ["s3", "s1", "s3"]
        assert store.export_sessions(tmp_path / "named", session_ids=names).sessions == 2
        assert store.export_sessions(tmp_path / "owned", owner="ann").sessions == 2
        with pytest.raises(NotFound, match="no session 'nope'"):
            store.export_sessions(tmp_path / "none", session_ids=["s1", "nope"])
    assert not list(tmp_path.glob("*none*"))
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("form", FORMS)
def test_nothing_is_overwritten(tmp_path: Path, form: str):
    """A name that is taken is refused, also by a dangling link; what is written is private."""
    with opened(tmp_path / "a") as store:
        store.create("s", messages=MIXED)
        (tmp_path / "link").symlink_to(tmp_path / "nowhere")
        (tmp_path / "dir").mkdir()
        for name in ("link", "dir", "a"):
            with pytest.raises(Refused, match="is there already"):
                store.export_sessions(tmp_path / name, form=form)
        with pytest.raises(Refused, match="is no directory"):
            store.export_sessions(tmp_path / "no" / "out", form=form)
        store.export_sessions(tmp_path / "out", form=form)
    files = [
        tmp_path / "out",
        *((tmp_path / "out" / name for name in CSV) if form == "csv" else ()),
    ]
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)


def test_an_export_is_one_moment(tmp_path: Path, monkeypatch):
    """What is written while an export reads is not in it, neither sessions nor messages."""
    from sessionproof.reference.exchange import stored

    with opened(tmp_path / "a") as store:
        for name in ("s1", "s2"):
            store.create(name, messages=MIXED)
        real, calls = stored._conversation, []

        def meanwhile(db, path, row):
            calls.append(row)
            store.append("s2", [Message("user", "later")])
            store.delete("s1")
            return real(db, path, row)

        monkeypatch.setattr(stored, "_conversation", meanwhile)
        assert store.export_sessions(tmp_path / "out").messages == 2 * len(MIXED)
        assert len(calls) == 2


def test_a_damaged_message_is_not_passed_on(tmp_path: Path):
    """A message that is not what was written ends the export with its name, and no file is left."""
    with opened(tmp_path / "a") as store:
        store.create("s", messages=[Message("user", "unmistakable")])
        path = store._path
    held = path.read_bytes()
    path.write_bytes(held.replace(b"unmistakable", b"unmistakabld"))
    with (
        opened(tmp_path / "a") as store,
        pytest.raises(Refused, match="message 1 of session 's' is"),
    ):
        store.export_sessions(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def written_csv(tmp_path: Path) -> Path:
    with opened(tmp_path / "a") as store:
        for name in ("s1", "s2"):
            store.create(name, messages=MIXED, title="t")
            store.set_state(name, "k", None)
        store.export_sessions(tmp_path / "csv", form="csv")
    return tmp_path / "csv"


def test_null_stays_apart_from_empty(tmp_path: Path):
    """Erratum 54: each table has a header, and no NULL becomes an empty text."""
    folder = written_csv(tmp_path)
    texts = {name: (folder / name).read_text("utf-8") for name in CSV}
    assert all(text.startswith("session_id,") for text in texts.values())
    rows = [line.split(",") for line in texts["messages.csv"].splitlines()]
    assert rows[5][4] == ""
    assert rows[5][5] == "\\N"
    with opened(tmp_path / "b") as store:
        store.import_sessions(folder)
        assert [message.content for message in store.read("s1")] == [one.content for one in MIXED]
        with sqlite3.connect(store._path) as db:
            (empty,) = db.execute("SELECT count(*) FROM messages WHERE name IS NULL").fetchone()
        db.close()
        assert empty == 2 * (len(MIXED) - 1)


def test_columns_of_a_table_may_come_in_any_order(tmp_path: Path):
    """A spreadsheet that moves columns, or ends lines otherwise, changes nothing."""
    import csv

    folder = written_csv(tmp_path)
    rows = list(csv.reader((folder / "sessions.csv").read_text("utf-8").splitlines()))
    with (folder / "sessions.csv").open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file, lineterminator="\r\n").writerows(row[::-1] for row in rows)
    with opened(tmp_path / "b") as store:
        assert store.import_sessions(folder).sessions == 2


def test_no_cell_is_a_formula(tmp_path: Path):
    """What a spreadsheet would run begins with a backslash, and comes back as it was."""
    for text in ODD:
        cell = to_cell(text)
        assert cell[:1] not in tuple("=+-@\t\r＝")
        assert from_cell(cell) == text
        cell.encode()
    assert (to_cell(None), from_cell("\\N")) == ("\\N", None)
    assert integer_from_cell(to_cell(-5)) == -5
    for bad in ("1.0", "", "9" * 19, "x", "١"):
        with pytest.raises(ValueError):
            integer_from_cell(bad)
