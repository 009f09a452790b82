"""Google ADK's session services, through the library and their file."""

import pytest

from sessionproof.contract.errors import Conflict, Indefinite, NotFound, NotRepresentable, Refused
from sessionproof.contract.message import Message

HELLO = [Message("user", "hello"), Message("assistant", "hi"), Message("user", "and?")]


@pytest.fixture(params=["google-adk", "google-adk-sqlite"])
def each(request, found):
    return found(request.param)


def test_sessions(each, drive):
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

    assert drive(each, body) == []


def test_state_comes_with_an_event(each, drive):
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

    assert drive(each, body) == HELLO


def test_refusals(each, drive):
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

    assert drive(each, body) == HELLO


def test_stale_session_is_a_conflict(each, drive):
    """A writer that was overtaken gets Conflict with nothing stored, and may send again."""

    async def body(store, other):
        await store.begin("s")
        service = store.handle.service
        load = service.get_session

        async def overtaken(**given):
            session = await load(**given)
            await other.append("s", HELLO[:1])
            return session

        service.get_session = overtaken
        with pytest.raises(Conflict):
            await store.append("s", HELLO[1:])
        service.get_session = load
        await store.append("s", HELLO[1:])
        return await store.read("s")

    assert drive(each, body) == HELLO


def test_words_of_others_are_no_refusal(each, drive):
    """An error that quotes a text or an id is not taken for what the service says of a session."""

    async def body(store):
        with pytest.raises(NotFound):
            await store.append("stale session modified in storage", HELLO)
        await store.begin("s")

        async def fails(*_given):
            raise ValueError("1 error in: The session has been modified in storage, s not found.")

        store.handle.service.append_event = fails
        with pytest.raises(ValueError, match="1 error in") as raised:
            await store.append("s", HELLO)
        return type(raised.value)

    assert drive(each, body) is ValueError


def test_half_a_batch_is_indefinite(each, drive):
    """When a part of a batch is in, the failure does not claim that nothing is."""

    async def body(store, other):
        await store.begin("s")
        send = store.handle.service.append_event

        async def overtaken(*given):
            event = await send(*given)
            await other.append("s", HELLO[1:2])
            return event

        store.handle.service.append_event = overtaken
        with pytest.raises(Indefinite, match="a part of the batch is in"):
            await store.append("s", [HELLO[0], HELLO[2]])
        return await other.read("s")

    assert drive(each, body) == HELLO[:2]


def test_deleted_meanwhile_is_not_found(each, drive):
    """A session that goes away between loading and sending is not found, and stays away."""

    async def body(store, other):
        await store.begin("s")
        service = store.handle.service
        load = service.get_session

        async def gone(**given):
            session = await load(**given)
            await other.delete("s")
            return session

        service.get_session = gone
        with pytest.raises(NotFound):
            await store.append("s", HELLO[:1])
        return await store.list()

    assert drive(each, body) == []


def test_times_of_the_client_are_the_times_of_events(each, drive):
    """A time that the client gave comes back to the microsecond, and decides the order."""
    late = Message("user", "late", created_at_us=1_767_225_600_123_457)
    early = Message("user", "early", created_at_us=1_767_225_600_123_456)

    async def body(store):
        await store.begin("s")
        await store.append("s", [late, early])
        return await store.read("s")

    assert drive(each, body) == [early, late]
