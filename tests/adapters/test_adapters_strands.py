"""Strands' file session manager, through the library and its files."""

import pytest

from sessionproof.contract.errors import Indefinite, NotFound, Refused
from sessionproof.contract.lookup import MissingExtra, find_store
from sessionproof.contract.message import Message, Page

HELLO = [Message("user", "hello"), Message("assistant", "hi"), Message("user", "and?")]
UNWRITABLE = Message("user", "\ud800")  # files are UTF-8


@pytest.fixture
def strands():
    """The spec of the store, or a skip that says what to install."""
    try:
        return find_store("strands")
    except MissingExtra as error:
        pytest.skip(str(error))


def test_pages_are_windows_of_the_files(strands, drive):
    """Pages follow each other, and a message that comes meanwhile is on the last."""

    async def body(store):
        await store.append("s", HELLO)
        first = await store.page("s", limit=2)
        await store.append("s", HELLO[:1])
        second = await store.page("s", cursor=first.next, limit=3)
        assert second.next is None
        return [*first.messages, *second.messages]

    assert drive(strands, body) == [*HELLO, HELLO[0]]


def test_looking_makes_no_session(strands, drive, tmp_path):
    """An unknown session is empty for every operation that reads, and none of them makes it."""

    async def body(store):
        assert await store.read("x") == []
        assert await store.page("x") == Page([], None)
        assert await store.get_state("x", "k") is None
        with pytest.raises(NotFound):
            await store.delete("x")
        await store.append("x", [])
        return list(tmp_path.iterdir())

    assert drive(strands, body) == []


def test_a_deleted_session_starts_empty(strands, drive):
    """A deleted session has nothing left, nor when its id is used again."""

    async def body(store):
        await store.append("s", HELLO)
        await store.set_state("s", "k", 1)
        await store.delete("s")
        assert await store.read("s") == []
        await store.append("s", HELLO[:1])
        return await store.read("s"), await store.get_state("s", "k")

    assert drive(strands, body) == (HELLO[:1], None)


@pytest.mark.parametrize("name", ["a/b", "/etc", "nul\0", "\ud800"], ids=ascii)
def test_ids_that_are_no_names_are_refused(strands, drive, name, tmp_path):
    """An id that cannot be a folder's name is refused by what changes, and nothing is written."""

    async def body(store):
        await store.append("s", HELLO)
        before = sorted(tmp_path.rglob("*"))
        for call in (store.append(name, HELLO), store.set_state(name, "k", 1), store.delete(name)):
            with pytest.raises(Refused):
                await call
        return before == sorted(tmp_path.rglob("*"))

    assert drive(strands, body)


def test_state_is_kept_and_checked(strands, drive):
    """State outlives its handle, a later value wins, and what is no JSON is refused."""

    async def save(store):
        await store.set_state("s", "k", {"deep": [None, 1.5]})
        await store.append("s", HELLO)
        await store.set_state("s", "l", 1)
        await store.set_state("s", "l", 2)
        with pytest.raises(Refused):
            await store.set_state("s", "m", {1, 2})

    async def look(store):
        await store.append("s", HELLO[:1])
        return [await store.get_state("s", key) for key in "klm"], await store.read("s")

    drive(strands, save)
    assert drive(strands, look) == ([{"deep": [None, 1.5]}, 2, None], [*HELLO, HELLO[0]])


def test_half_a_batch_is_indefinite(strands, drive):
    """When a part of a batch is in, the failure does not claim that nothing is."""

    async def body(store):
        with pytest.raises(UnicodeEncodeError):
            await store.append("s", [UNWRITABLE, HELLO[0]])
        assert await store.read("s") == []
        with pytest.raises(Indefinite, match="a part of the batch is in"):
            await store.append("s", [HELLO[0], UNWRITABLE])
        await store.append("s", HELLO[1:])
        return await store.read("s")

    assert drive(strands, body) == HELLO


def test_agents_that_are_not_used_give_way(strands, drive):
    """Few agents are kept, and a session whose agent gave way goes on where it was."""
    from sessionproof.adapters.strands_agents import KEPT

    count = KEPT + 3

    async def body(store):
        for turn in range(2):
            for k in range(count):
                await store.append(f"s{k}", [HELLO[turn]])
        assert len(store.handle._sessions._live) == KEPT
        return [await store.read(f"s{k}") for k in range(count)]

    assert drive(strands, body) == [HELLO[:2]] * count


def test_a_damaged_session_is_no_refused_id(strands, drive, tmp_path):
    """A session whose file is damaged raises what the library says of it, and no refusal."""

    async def body(store, again):
        await store.append("s", HELLO)
        file = tmp_path / "sessions" / "session_s" / "session.json"
        file.write_bytes(b"\xff" + file.read_bytes())
        with pytest.raises(UnicodeDecodeError):
            await again.read("s")

    drive(strands, body)


def test_an_append_is_what_the_hooks_of_an_agent_do(strands, drive):
    """Each message is followed by a sync of the agent, so that nothing is held for long."""

    async def body(store):
        for _ in range(3):
            await store.append("s", HELLO)
        manager = store.handle._sessions.find("s").manager
        return len(getattr(manager, "_held_records", {}).get("sessionproof", ()))

    assert drive(strands, body) == 0
