"""Databases of other libraries become sessions: all of their messages, in order."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
from pathlib import Path

import pytest

from sessionproof import Message, Refused
from sessionproof.reference import AsyncReferenceStore, ReferenceStore

# As openai-agents 0.4 to 0.6 makes them.
AGENTS = """
CREATE TABLE agent_sessions (
    session_id TEXT PRIMARY KEY,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE agent_messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id TEXT NOT NULL,
    message_data TEXT NOT NULL,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    FOREIGN KEY (session_id) REFERENCES agent_sessions (session_id) ON DELETE CASCADE
);
CREATE INDEX idx_agent_messages_session_id ON agent_messages (session_id, id);
"""
# As langchain-community 0.3 makes it.
LANGCHAIN = """
CREATE TABLE message_store (
    id INTEGER NOT NULL,
    session_id TEXT,
    message TEXT,
    PRIMARY KEY (id)
);
"""
ITEMS = [
    {"role": "user", "content": "Weather?"},
    {"id": "rs_1", "type": "reasoning", "summary": []},
    {"type": "function_call", "call_id": "c1", "name": "w", "arguments": '{"c": "Rom"}', "id": "f"},
    {"type": "function_call", "call_id": "c2", "name": "w", "arguments": '{"c": ', "id": "f"},
    {"type": "function_call_output", "call_id": "c1", "output": "rain"},
    {"id": "m1", "type": "message", "role": "assistant", "status": "completed",
     "content": [{"type": "output_text", "text": "Rain", "annotations": [], "logprobs": []}]},
    {"role": "user", "content": [{"type": "input_text", "text": "a"}, {"type": "input_image"}]},
    {"role": "user", "content": [{"type": "input_text", "text": "a", "annotations": [1]}]},
]  # fmt: skip
USAGE = {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}
LINES = [
    {"type": "system", "data": {"content": "brief", "type": "system", "additional_kwargs": {}}},
    {"type": "human", "data": {"content": "hi", "name": "ann", "example": False, "id": None}},
    {"type": "ai", "data": {
        "content": "let me see", "id": "run-1", "additional_kwargs": {"k": 1},
        "tool_calls": [
            {"name": "w", "args": {"c": 1}, "id": "c1"}, {"name": "v", "args": {}, "id": "c2"}
        ],
        "usage_metadata": USAGE,
    }},
    {"type": "tool", "data": {"content": "rain", "tool_call_id": "c1", "name": "w"}},
    {"type": "ai", "data": {"content": "Rain", "id": "run-1", "tool_calls": []}},
    {"type": "chat", "data": {"content": "ok", "role": "user", "type": "chat"}},
]  # fmt: skip


def made(path: Path, schema: str, rows: str, values) -> Path:
    with sqlite3.connect(path) as db:
        db.executescript(schema)
        db.executemany(rows, values)
    db.close()
    return path


def agents(path: Path, items=ITEMS) -> Path:
    """Two sessions whose messages alternate, one without messages, one that only messages name."""
    rows = "INSERT INTO agent_messages (session_id, message_data, created_at) VALUES (?, ?, ?)"
    values = [
        (name, json.dumps(item), f"2026-01-01 00:00:0{number % 10}")
        for number, item in enumerate(items)
        for name in ("s1", "s2")
    ]
    path = made(path, AGENTS, rows, [*values, ("lost", '{"role": "user", "content": "x"}', None)])
    with sqlite3.connect(path) as db:
        db.executemany(
            "INSERT INTO agent_sessions VALUES (?, '2025-12-31 23:59:59', '2026-01-02 00:00:00')",
            [("s1",), ("s2",), ("empty",)],
        )
    db.close()
    return path


def langchain(path: Path, lines=LINES) -> Path:
    rows = "INSERT INTO message_store (session_id, message) VALUES (?, ?)"
    return made(path, LANGCHAIN, rows, [(n, json.dumps(one)) for one in lines for n in ("a", "b")])


@pytest.fixture
def store(tmp_path: Path):
    (tmp_path / "a").mkdir()
    with ReferenceStore(tmp_path / "a", durability="process") as opened:
        yield opened


def bare(messages) -> list[tuple]:
    return [(m.role, m.kind, m.content, m.name, m.call_id, m.arguments) for m in messages]


def test_sessions_of_openai_agents(store: ReferenceStore, tmp_path: Path):
    """Every item of every session is there in its order, also what is no message."""
    done = store.import_sessions(agents(tmp_path / "chat.db"))
    assert (done.form, done.sessions, done.notes) == ("openai-agents", 4, ())
    assert done.messages == 2 * len(ITEMS) + 1
    assert bare(store.read("s1")) == bare(store.read("s2")) == [
        ("user", "text", "Weather?", None, None, None),
        ("assistant", "text", ITEMS[1], None, None, None),
        ("assistant", "tool_call", None, "w", "c1", {"c": "Rom"}),
        ("assistant", "tool_call", None, "w", "c2", '{"c": '),
        ("tool", "tool_result", "rain", None, "c1", None),
        ("assistant", "text", "Rain", None, None, None),
        ("user", "text", ITEMS[6]["content"], None, None, None),
        ("user", "text", ITEMS[7]["content"], None, None, None),
    ]  # fmt: skip
    messages = store.read("s1")
    assert (messages[2].id, messages[5].id) == ("f", "m1")
    assert messages[3].metadata == {"id": "f"}
    assert messages[5].metadata == {"status": "completed"}
    assert store.get("empty").message_count == 0
    assert store.verify().ok


def test_times_of_openai_agents(store: ReferenceStore, tmp_path: Path):
    """Times without a zone are UTC: of messages, creation and last activity."""
    store.import_sessions(agents(tmp_path / "chat.db"))
    midnight = 1_767_225_600_000_000
    assert [m.created_at_us for m in store.read("s1")][:2] == [midnight, midnight + 1_000_000]
    info = store.get("s1")
    assert info.created_at_us == midnight - 1_000_000
    assert info.last_activity_us == midnight + 86_400_000_000


def test_sessions_of_langchain(store: ReferenceStore, tmp_path: Path):
    """Roles have our names, several calls become several messages, unknown fields metadata."""
    done = store.import_sessions(langchain(tmp_path / "chat.db"))
    assert (done.form, done.sessions, done.messages) == ("langchain", 2, 2 * (len(LINES) + 1))
    assert bare(store.read("a")) == bare(store.read("b")) == [
        ("system", "text", "brief", None, None, None),
        ("user", "text", "hi", "ann", None, None),
        ("assistant", "tool_call", "let me see", "w", "c1", {"c": 1}),
        ("assistant", "tool_call", None, "v", "c2", {}),
        ("tool", "tool_result", "rain", "w", "c1", None),
        ("assistant", "text", "Rain", None, None, None),
        ("user", "text", "ok", None, None, None),
    ]  # fmt: skip
    call, answer = store.read("a")[2], store.read("a")[5]
    assert (call.id, call.tokens) == ("run-1", 7)
    assert call.metadata == {"k": 1, "usage_metadata": USAGE}
    assert answer.metadata == {"id": "run-1"}


def test_tables_may_have_other_names(store: ReferenceStore, tmp_path: Path):
    """Both libraries let their users name the tables; columns tell what they are."""
    path = agents(tmp_path / "chat.db")
    with sqlite3.connect(path) as db:
        db.execute("ALTER TABLE agent_messages RENAME TO mine")
        db.execute("ALTER TABLE agent_sessions RENAME TO yours")
    db.close()
    assert store.import_sessions(path).sessions == 4


def test_what_is_left_out_is_told(store: ReferenceStore, tmp_path: Path):
    """Messages that are none, and rows of other tables, are counted; the others are stored."""
    bad = ["nonsense", '"text"', "[1]", '{"role": 7}', '{"role": "robot", "content": "x"}', "{}"]
    path = agents(tmp_path / "chat.db", items=[])
    with sqlite3.connect(path) as db:
        db.executemany(
            "INSERT INTO agent_messages (session_id, message_data) VALUES ('s1', ?)",
            [(one,) for one in [*bad, '{"role": "user", "content": "good"}']],
        )
        db.execute("CREATE TABLE turn_usage (tokens)")
        db.execute("INSERT INTO turn_usage VALUES (1)")
    db.close()
    done = store.import_sessions(path)
    assert [m.content for m in store.read("s1")] == ["good"]
    assert done.notes == (
        "rows of the table turn_usage: 1",
        f"messages that could not be read: {len(bad)}",
    )


@pytest.mark.parametrize("make", [agents, langchain])
def test_the_database_is_only_read(store: ReferenceStore, tmp_path: Path, make):
    """Not a byte of it changes, nothing is left beside it, and another program may have it open."""
    (tmp_path / "in").mkdir()
    path = make(tmp_path / "in" / "chat.db")
    before = hashlib.sha256(path.read_bytes()).digest()
    user = sqlite3.connect(path)
    store.import_sessions(path)
    user.close()
    assert hashlib.sha256(path.read_bytes()).digest() == before
    assert [one.name for one in path.parent.iterdir()] == ["chat.db"]


def test_what_is_in_the_log_is_taken(store: ReferenceStore, tmp_path: Path):
    """Messages that are not yet in the main file are imported as well."""
    path = agents(tmp_path / "chat.db", items=[])
    user = sqlite3.connect(path)
    user.execute("PRAGMA journal_mode = WAL")
    user.execute(
        "INSERT INTO agent_messages (session_id, message_data) VALUES ('s1', ?)",
        ('{"role": "user", "content": "new"}',),
    )
    user.commit()
    done = store.import_sessions(path)
    user.close()
    assert done.messages == 2
    assert store.read("s1")[0].content == "new"


def test_two_tables_of_messages_are_refused(store: ReferenceStore, tmp_path: Path):
    """Which one is meant cannot be known."""
    path = langchain(tmp_path / "chat.db")
    with sqlite3.connect(path) as db:
        db.execute(LANGCHAIN.replace("message_store", "other"))
    db.close()
    with pytest.raises(Refused, match="2 tables"):
        store.import_sessions(path)
    with pytest.raises(Refused, match="no table"):
        store.import_sessions(path, form="openai-agents")


def test_a_database_of_the_library_itself(store: ReferenceStore, tmp_path: Path):
    """What openai-agents writes where it is installed is read as above."""
    agents_sdk = pytest.importorskip("agents")

    async def write() -> None:
        session = agents_sdk.SQLiteSession("s1", tmp_path / "chat.db")
        await session.add_items(ITEMS)
        session.close()

    asyncio.run(write())
    assert store.import_sessions(tmp_path / "chat.db").messages == len(ITEMS)
    assert store.read("s1")[0] == Message(
        "user", "Weather?", id=store.read("s1")[0].id,
        created_at_us=store.read("s1")[0].created_at_us,
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_database_of_langchain_itself(store: ReferenceStore, tmp_path: Path):
    """What langchain writes where it is installed is read as above."""
    histories = pytest.importorskip("langchain_community.chat_message_histories")
    from langchain_core.messages import messages_from_dict
    from sqlalchemy import create_engine

    engine = create_engine(f"sqlite:///{tmp_path / 'chat.db'}")
    history = histories.SQLChatMessageHistory("a", connection=engine)
    history.add_messages(messages_from_dict(LINES))
    engine.dispose()
    assert store.import_sessions(tmp_path / "chat.db").messages == len(LINES) + 1
    assert [m.content for m in store.read("a")][:3] == ["brief", "hi", "let me see"]


def test_tasks_export_and_import(tmp_path: Path):
    """The asynchronous store has both."""

    async def work() -> int:
        (tmp_path / "a").mkdir()
        async with AsyncReferenceStore(tmp_path / "a") as store:
            await store.create("s", messages=[Message("user", "x")])
            await store.export_sessions(tmp_path / "out")
            await store.delete("s")
            return (await store.import_sessions(tmp_path / "out")).messages

    assert asyncio.run(work()) == 1
