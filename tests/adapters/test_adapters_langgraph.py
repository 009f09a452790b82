"""LangGraph's savers, through a graph and their file."""

import asyncio

import pytest

from sessionproof.contract.message import Message

HELLO = [Message("user", "hello"), Message("assistant", "hi"), Message("user", "and?")]


@pytest.fixture(params=["langgraph", "langgraph-async"])
def each(request, found):
    return found(request.param)


@pytest.fixture
def asynchronous(found):
    return found("langgraph-async")


def test_delete(each, drive):
    """A deleted thread is empty, begins anew with its next message, and spares its neighbour."""

    async def body(store):
        await store.append("s", HELLO)
        await store.append("t", HELLO)
        await store.delete("s")
        assert await store.read("s") == []
        await store.append("s", HELLO[:1])
        return await store.read("s"), await store.read("t")

    assert drive(each, body) == (HELLO[:1], HELLO)


def test_tasks_share_one_connection(asynchronous, drive):
    """Tasks that come at once to a handle that was just opened get one and the same graph."""

    async def body(store):
        opened = await asyncio.gather(*(store._opened() for _ in range(4)))
        assert len({id(graph) for graph in opened}) == 1
        await asyncio.gather(*(store.append(f"s{k}", HELLO) for k in range(4)))
        return [await store.read(f"s{k}") for k in range(4)]

    assert drive(asynchronous, body) == [HELLO] * 4
