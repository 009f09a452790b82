"""The five kinds of session of the OpenAI Agents SDK, through the library and its file."""

import asyncio
import dataclasses
import sqlite3

import pytest

from sessionproof.adapters.openai_agents.sessions import KEPT, Sessions
from sessionproof.contract.message import Message

HELLO = [Message("user", "hello"), Message("assistant", "hi"), Message("user", "and?")]
NAMES = (
    "openai-agents", "openai-agents-advanced", "openai-agents-async", "openai-agents-sqlalchemy",
    "openai-agents-encrypted",
)  # fmt: skip


@pytest.fixture(params=NAMES)
def each(request, found):
    return found(request.param)


@pytest.fixture
def advanced(found):
    return found("openai-agents-advanced")


@pytest.fixture
def encrypted(found):
    return found("openai-agents-encrypted")


class Slow:
    """A session whose closing lets others go on."""

    def __init__(self, session_id):
        self.session_id = session_id
        self.closed = 0

    async def close(self):
        self.closed += 1
        await asyncio.sleep(0)


def test_nobody_meets_a_closed_session():
    """A session that is asked for while idle ones are being closed is open, and stays so."""
    made = []

    def make(session_id):
        made.append(Slow(session_id))
        return made[-1]

    async def use(opened, turn):
        async with opened.use(f"s{turn % (KEPT * 2)}") as session:
            assert not session.closed
            await asyncio.sleep(0)
            assert not session.closed

    async def main():
        opened = Sessions(make)
        for start in range(0, KEPT * 8, KEPT):
            await asyncio.gather(*(use(opened, start + turn * 3) for turn in range(KEPT * 3)))
        await opened.close()

    asyncio.run(main())
    assert len(made) > KEPT * 2
    assert {session.closed for session in made} == {1}


def test_a_failed_call_leaves_its_session_to_be_closed():
    """A call that raises gives its session back, so that it is closed with the rest."""
    made = []

    async def main():
        opened = Sessions(lambda session_id: made.append(Slow(session_id)) or made[-1])
        with pytest.raises(ZeroDivisionError):
            async with opened.use("s"):
                raise ZeroDivisionError
        async with opened.use("s") as again:
            assert again is made[0]
        await opened.close()

    asyncio.run(main())
    assert [session.closed for session in made] == [1]


def test_the_five_claim_the_same(each, found):
    """The five differ in the addresses of their sources, and in whether expired items stay."""
    first = dataclasses.replace(found("openai-agents").claims, sources={}, erases=True)
    assert dataclasses.replace(each.claims, sources={}, erases=True) == first


def test_capabilities(each, drive):
    """The newest n, taking back, and clearing do what the contract says."""

    async def body(store):
        await store.append("s", HELLO)
        await store.append("t", HELLO[:1])
        assert [len(await store.read_last("s", n)) for n in (0, 1, 3, 4)] == [0, 1, 3, 3]
        assert await store.read_last("s", 2) == HELLO[1:]
        assert await store.pop_last("s") == HELLO[2]
        assert await store.pop_last("unknown") is None
        await store.clear("s")
        return await store.read("s"), await store.read("t")

    assert drive(each, body) == ([], HELLO[:1])


def test_bounds_what_is_open(each, drive):
    """Sessions beyond the bound are closed, but none while a task is using it."""
    count = KEPT * 2

    async def body(store):
        await asyncio.gather(*(store.append(f"s{k}", HELLO[:1]) for k in range(count)))
        assert len(store.handle.opened._open) == KEPT
        assert len(store.handle.opened._users) == KEPT
        return [await store.read(f"s{k}") for k in range(count)]

    assert drive(each, body) == [HELLO[:1]] * count


def test_advanced_counts_what_it_reads(advanced, drive):
    """The count follows appends, pops and clears; an unknown session has none."""

    async def body(store):
        counts = [await store.count("s")]
        for change in (("append", HELLO), ("append", HELLO[:1]), ("pop_last",), ("clear",)):
            await getattr(store, change[0])("s", *change[1:])
            counts.append(await store.count("s"))
            assert counts[-1] == len(await store.read("s"))
        return counts

    assert drive(advanced, body) == [0, 3, 4, 3, 0]


def test_encrypted_text_is_not_in_the_file(encrypted, drive, tmp_path):
    """No file of the location has the text, and another handle reads it."""
    secret = Message("user", "a word that nobody else writes")

    async def body(store, other):
        await store.append("s", [secret])
        files = [path.read_bytes() for path in tmp_path.iterdir()]
        assert files
        assert not [one for one in files if secret.content.encode() in one]
        return await other.read("s")

    assert drive(encrypted, body) == [secret]


def test_encrypted_items_past_their_time_are_skipped(encrypted, drive, tmp_path, monkeypatch):
    """An expired item stays in its table, and no operation answers it, as the guide says."""
    monkeypatch.setitem(encrypted.open.__init__.__globals__, "TTL_S", -1)

    async def body(store):
        await store.append("s", HELLO)
        with sqlite3.connect(tmp_path / "chat.db") as db:
            rows = db.execute("SELECT COUNT(*) FROM agent_messages").fetchone()[0]
        db.close()
        return rows, await store.read("s"), await store.read_last("s", 2)

    assert drive(encrypted, body) == (3, [], [])
