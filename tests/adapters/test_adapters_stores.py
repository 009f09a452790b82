"""The adapters through their libraries: operations, errors, and what close gives back."""

import asyncio
import os
import sqlite3
import threading
from importlib.metadata import version
from pathlib import Path

import pytest

from sessionproof.contract.errors import Conflict, Indefinite, NotFound, NotRepresentable, Refused
from sessionproof.contract.message import Message
from sessionproof.contract.store import shape_problems

pytestmark = pytest.mark.filterwarnings("ignore:.*being sunset:DeprecationWarning")

HELLO = [Message("user", "hello"), Message("assistant", "hi"), Message("user", "and?")]
PACKAGES = {
    "langchain": "langchain-community", "langgraph": "langgraph-checkpoint-sqlite",
    "llama-index": "llama-index-core",
}  # fmt: skip


def test_spec_says_what_is_tested(spec):
    """A report can name the version and the sources of each claim."""
    assert spec.version == version(PACKAGES.get(spec.name, spec.name))
    assert all(address.startswith("https://") for address in spec.claims.sources.values())
    assert {"keeps", "handles", "durability"} & spec.claims.sources.keys()


def test_shape_is_the_contract(spec, drive):
    """Every method takes the call that the contract makes."""

    async def body(store):
        return shape_problems(store.handle)

    assert drive(spec, body) == []


def test_appends_follow_each_other(spec, drive):
    """Two batches are read by another handle in append order, and other sessions stay empty."""
    if spec.claims.handles == "one":
        pytest.skip(f"{spec.name} has one handle at a time")

    async def body(store, other):
        await store.begin("s")
        await store.begin("t")
        await store.append("s", HELLO)
        await store.append("s", HELLO[:1])
        return await other.read("s"), await other.read("t")

    assert drive(spec, body) == (HELLO + HELLO[:1], [])


def test_everything_lies_below_the_location(spec, drive, tmp_path):
    """The store's file is in the location, and tables() names what is in it."""

    async def body(store):
        await store.begin("s")
        await store.append("s", HELLO)
        if not hasattr(store.handle, "tables"):
            pytest.skip(f"{spec.name} shows no tables")
        tables = await store.tables()
        assert tables.path == str(tmp_path / "chat.db")
        return tables

    tables = drive(spec, body)
    connection = sqlite3.connect(tables.path)
    query = f"SELECT count(*) FROM {tables.messages} WHERE {tables.message_session} = 's'"
    assert connection.execute(query).fetchone() == (3,)
    if tables.sessions:
        query = f"SELECT count(*) FROM {tables.sessions} WHERE {tables.session_key} = 's'"
        assert connection.execute(query).fetchone() == (1,)
    connection.close()


def test_refused_batch_leaves_nothing(spec, drive):
    """A batch with one message that has no place is refused before any of it is sent."""

    async def body(store):
        await store.begin("s")
        with pytest.raises(NotRepresentable):
            await store.append("s", [HELLO[0], Message("user", None), HELLO[1]])
        return await store.read("s")

    assert drive(spec, body) == []


def test_close_gives_everything_back(spec, drive, tmp_path):
    """After close no thread is left, and no descriptor on the location's files."""
    if spec.name == "openai-agents" and spec.version.startswith("0.4."):
        pytest.skip("openai-agents 0.4 leaves the connections of its worker threads open")
    threads = set(threading.enumerate())

    async def body(store):
        await store.begin("s")
        await asyncio.gather(*(store.read("s") for _ in range(8)))

    drive(spec, body)
    held = [os.path.realpath(entry) for entry in Path("/proc/self/fd").iterdir()]
    assert [path for path in held if path.startswith(str(tmp_path))] == []
    assert set(threading.enumerate()) <= threads


def test_langchain_clear(langchain, drive):
    """A cleared session is empty, and its neighbour is not."""

    async def body(store):
        await store.append("s", HELLO)
        await store.append("t", HELLO)
        await store.clear("s")
        return await store.read("s"), await store.read("t")

    assert drive(langchain, body) == ([], HELLO)


def test_llama_index_changes_are_there_when_it_is_opened_again(llama_index, drive):
    """Every change is in the file when its call has ended: another handle reads it."""

    async def change(store):
        await store.append("s", HELLO)
        await store.append("t", HELLO[:1])
        await store.append("u", HELLO)
        await store.append("s", HELLO[:1])
        assert await store.pop_last("s") == HELLO[0]
        assert await store.pop_last("unknown") is None
        await store.delete("t")
        await store.replace("u", HELLO[1:])

    async def look(store):
        return [await store.read(sid) for sid in "stu"], await store.list()

    drive(llama_index, change)
    assert drive(llama_index, look) == ([HELLO, [], HELLO[1:]], ["s", "u"])


def test_google_adk_sessions(google_adk, drive):
    """Sessions are created with messages, listed, and deleted with all that they held."""

    async def body(store):
        assert await store.create("s", messages=HELLO) == "s"
        made = await store.create()
        assert sorted(await store.list()) == sorted(["s", made])
        assert await store.read_last("s", 1) == HELLO[2:]
        await store.delete("s")
        assert await store.list() == [made]
        await store.create("s")
        return await store.read("s")

    assert drive(google_adk, body) == []


def test_google_adk_state_comes_with_an_event(google_adk, drive):
    """State is set by the last event of an append, and keys that are not a session's are not."""

    async def body(store):
        await store.create("s")
        await store.append_with_state("s", HELLO[:2], {"step": 1, "deep": {"k": [None]}})
        await store.append_with_state("s", HELLO[2:], {"step": 2})
        for messages, state in (([], {"step": 3}), (HELLO, {"user:step": 3})):
            with pytest.raises(NotRepresentable):
                await store.append_with_state("s", messages, state)
        seen = [await store.get_state("s", key) for key in ("step", "deep", "user:step")]
        assert seen == [2, {"k": [None]}, None]
        return await store.read("s")

    assert drive(google_adk, body) == HELLO


def test_google_adk_refusals(google_adk, drive):
    """An unknown session is not found, and an id that is taken is refused."""

    async def body(store):
        for call in (store.read("x"), store.append("x", HELLO), store.read_last("x", 1)):
            with pytest.raises(NotFound):
                await call
        assert await store.list() == []
        await store.create("s", messages=HELLO)
        with pytest.raises(Refused, match="already exists"):
            await store.create("s")
        return await store.read("s")

    assert drive(google_adk, body) == HELLO


def test_google_adk_stale_session_is_a_conflict(google_adk, drive):
    """A writer that was overtaken gets Conflict with nothing stored, and may send again."""

    async def body(store, other):
        await store.begin("s")
        load = store.handle._load

        async def overtaken(*given, **named):
            session = await load(*given, **named)
            await other.append("s", HELLO[:1])
            return session

        store.handle._load = overtaken
        with pytest.raises(Conflict):
            await store.append("s", HELLO[1:])
        store.handle._load = load
        await store.append("s", HELLO[1:])
        return await store.read("s")

    assert drive(google_adk, body) == HELLO


def test_google_adk_half_a_batch_is_indefinite(google_adk, drive):
    """When a part of a batch is in, the failure does not claim that nothing is."""

    async def body(store, other):
        await store.begin("s")
        send = store.handle._service.append_event

        async def overtaken(*given):
            event = await send(*given)
            await other.append("s", HELLO[1:2])
            return event

        store.handle._service.append_event = overtaken
        with pytest.raises(Indefinite, match="a part of the batch is in"):
            await store.append("s", [HELLO[0], HELLO[2]])
        return await other.read("s")

    assert drive(google_adk, body) == HELLO[:2]


def test_google_adk_deleted_meanwhile_is_not_found(google_adk, drive):
    """A session that goes away between loading and sending is not found, and stays away."""

    async def body(store, other):
        await store.begin("s")
        session = await store.handle._load("s", last=0)
        await other.delete("s")
        with pytest.raises(NotFound):
            await store.handle._send(session, [google_adk.encode(HELLO[0])])
        return await store.list()

    assert drive(google_adk, body) == []


def test_google_adk_times_of_the_client_are_the_times_of_events(google_adk, drive):
    """A time that the client gave comes back to the microsecond, and decides the order."""
    late = Message("user", "late", created_at_us=1_767_225_600_123_457)
    early = Message("user", "early", created_at_us=1_767_225_600_123_456)

    async def body(store):
        await store.begin("s")
        await store.append("s", [late, early])
        return await store.read("s")

    assert drive(google_adk, body) == [early, late]
