"""Agno's two databases of sessions, through the library and their files."""

import json

import pytest

from sessionproof.contract.errors import NotRepresentable
from sessionproof.contract.lookup import MissingExtra, find_store
from sessionproof.contract.message import Message

HELLO = [Message("user", "hello"), Message("assistant", "hi"), Message("user", "and?")]
CALL = Message("assistant", None, kind="tool_call", name="f", call_id="c", arguments={"k": [1]})
ANSWER = Message("tool", "2", kind="tool_result", name="f", call_id="c")


def found(name):
    """The spec of the store, or a skip that says what to install."""
    try:
        return find_store(name)
    except MissingExtra as error:
        pytest.skip(str(error))


@pytest.fixture(params=["agno", "agno-json"])
def each(request):
    return found(request.param)


@pytest.fixture
def sqlite():
    return found("agno")


def test_each_append_is_a_run(each, drive):
    """What is appended together is one run of the session, and runs follow each other."""

    async def body(store):
        await store.append("s", HELLO)
        await store.append("s", [CALL, ANSWER])
        await store.append("t", HELLO[:1])
        session = store.handle.db.get_session("s", session_type="agent")
        assert [len(run.messages) for run in session.runs] == [3, 2]
        return await store.read("s"), await store.read("t")

    assert drive(each, body) == ([*HELLO, CALL, ANSWER], HELLO[:1])


def test_nothing_said_is_no_run(each, drive):
    """An empty batch makes no session."""

    async def body(store):
        await store.append("s", [])
        return await store.read("s"), await store.list()

    assert drive(each, body) == ([], [])


def test_a_deleted_session_starts_empty(each, drive):
    """A deleted session is not listed, and has nothing when its id is used again."""

    async def body(store):
        await store.append("s", HELLO)
        await store.append("t", HELLO)
        await store.delete("s")
        await store.delete("unknown")
        assert await store.list() == ["t"]
        await store.append("s", HELLO[:1])
        return await store.read("s"), await store.read("t"), sorted(await store.list())

    assert drive(each, body) == (HELLO[:1], HELLO, ["s", "t"])


def test_what_is_there_when_it_is_opened_again(each, drive):
    """A handle that is opened later reads what was saved before."""

    async def save(store):
        await store.append("s", HELLO)

    async def look(store):
        return await store.read("s"), await store.list()

    drive(each, save)
    assert drive(each, look) == (HELLO, ["s"])


@pytest.mark.parametrize("role", ["system", "developer", "tool"])
def test_texts_of_other_roles_have_no_place(each, role):
    """A session shows one system message alone, and a tool's message is an answer to a call."""
    with pytest.raises(NotRepresentable):
        each.encode(Message(role, "text"))


def test_two_handles_add_to_one_session(sqlite, drive):
    """A run that another handle saved is neither lost nor moved by the next one."""

    async def body(store, other):
        await store.append("s", HELLO[:1])
        await other.append("s", HELLO[1:2])
        await store.append("s", HELLO[2:])
        return await other.read("s")

    assert drive(sqlite, body) == HELLO


def test_files_are_those_of_the_documents(drive, tmp_path):
    """All sessions lie in one file, and all runs of all sessions in another."""
    store = found("agno-json")

    async def body(store):
        await store.append("s", HELLO)
        await store.append("t", HELLO)

    drive(store, body)
    rows = json.loads((tmp_path / "agno" / "agno_sessions.json").read_text(encoding="utf-8"))
    assert [row["session_id"] for row in rows] == ["s", "t"]
    runs = json.loads((tmp_path / "agno" / "agno_runs.json").read_text(encoding="utf-8"))
    assert [run["session_id"] for run in runs] == ["s", "t"]
