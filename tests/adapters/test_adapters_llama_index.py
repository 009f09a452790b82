"""LlamaIndex's chat stores, through the library and their files."""

import pytest

from sessionproof.contract.message import Message

# SQLAlchemy's advice to the library, about its get_keys.
pytestmark = pytest.mark.filterwarnings("ignore:Column-expression-level unary distinct")

HELLO = [Message("user", "hello"), Message("assistant", "hi"), Message("user", "and?")]


@pytest.fixture(params=["llama-index", "llama-index-sqlite"])
def popping(request, found):
    """The stores that take their newest message back."""
    return found(request.param)


@pytest.fixture(params=["llama-index", "llama-index-sqlalchemy"])
def replacing(request, found):
    """The stores whose ``set_messages`` puts messages in the place of others."""
    return found(request.param)


@pytest.fixture
def sqlalchemy(found):
    return found("llama-index-sqlalchemy")


def test_changes_are_there_when_it_is_opened_again(popping, drive):
    """Every change is in the file when its call has ended: another handle reads it."""

    async def change(store):
        await store.append("s", HELLO)
        await store.append("t", HELLO[:1])
        await store.append("s", HELLO[:1])
        assert await store.pop_last("s") == HELLO[0]
        assert await store.pop_last("unknown") is None
        await store.delete("t")

    async def look(store):
        return [await store.read(sid) for sid in "st"], await store.list()

    drive(popping, change)
    assert drive(popping, look) == ([HELLO, []], ["s"])


def test_replaced_messages_are_there_when_it_is_opened_again(replacing, drive):
    """A replaced session has its new messages alone, also for another handle."""

    async def change(store):
        await store.append("s", HELLO)
        await store.append("t", HELLO)
        await store.replace("s", HELLO[1:])

    async def look(store):
        return await store.read("s"), await store.read("t")

    drive(replacing, change)
    assert drive(replacing, look) == (HELLO[1:], HELLO)


def test_sqlalchemy_counts_and_pages(sqlalchemy, drive):
    """Pages begin at the oldest message, end without a cursor, and agree with the count."""

    async def body(store):
        await store.append("s", HELLO)
        await store.append("t", HELLO[:1])
        first = await store.page("s", limit=2)
        second = await store.page("s", cursor=first.next, limit=2)
        assert [*first.messages, *second.messages] == HELLO
        assert (len(first.messages), second.next) == (2, None)
        assert (await store.page("unknown")).messages == []
        await store.delete("t")
        return [await store.count(sid) for sid in ("s", "t", "unknown")], await store.list()

    assert drive(sqlalchemy, body) == ([3, 0, 0], ["s"])
