"""TinyDB and sqlite-utils, plain stores, and mem0, which keeps the last ten, by their libraries."""

import pytest

from sessionproof.contract.message import Message

HELLO = [Message("user", "hello"), Message("assistant", "hi"), Message("user", "and?")]
CALL = Message(
    "assistant", None, kind="tool_call", name="f", call_id="c", arguments={"ü": [1, None]}
)


def numbered(count):
    """So many messages with a number each."""
    return [Message("user", f"message {number}") for number in range(count)]


@pytest.mark.parametrize("name", ["tinydb", "sqlite-utils"])
def test_what_is_changed_is_there_when_it_is_opened_again(found, drive, name):
    """Appends and deletions are in the file when their call has ended."""
    spec = found(name)
    sent = [*HELLO, CALL, Message(None, "x", tokens=3, metadata={"k": "\0 ü"})]

    async def change(store):
        await store.append("s", sent)
        await store.append("t", HELLO)
        await store.append("s", HELLO[:1])
        assert [await store.count(sid) for sid in "stu"] == [6, 3, 0]
        await store.delete("t")

    async def look(store):
        return [await store.read(sid) for sid in "stu"]

    drive(spec, change)
    assert drive(spec, look) == [[*sent, HELLO[0]], [], []]


def test_sqlite_utils_newest_and_sessions(found, drive):
    """The newest n are answered, oldest first; sessions are those that have messages."""

    async def body(store):
        await store.append("s", HELLO)
        await store.append("t", HELLO[:1])
        assert [len(await store.read_last("s", n)) for n in (0, 1, 3, 4)] == [0, 1, 3, 3]
        assert sorted(await store.list()) == ["s", "t"]
        return await store.read_last("s", 2)

    assert drive(found("sqlite-utils"), body) == HELLO[1:]


def test_mem0_keeps_the_last_ten(found, drive):
    """Of single appends the newest ten stay, in each scope for itself."""

    async def body(store):
        for message in numbered(13):
            await store.append("s", [message])
        await store.append("t", HELLO)
        assert await store.read_last("s", 2) == numbered(13)[11:]
        return await store.read("s"), await store.read("t")

    assert drive(found("mem0"), body) == (numbered(13)[3:], HELLO)
