"""Agent Framework's histories in files, through the library and in both formats."""

import threading

import pytest

from sessionproof.contract.lookup import MissingExtra, find_store
from sessionproof.contract.message import Message

pytestmark = pytest.mark.filterwarnings("ignore:.*is experimental:FutureWarning")

NAMES = {"agent-framework": ".jsonl", "agent-framework-msgpack": ".msgpack"}
HELLO = [Message("user", "hello"), Message("assistant", "hi"), Message("user", "and?")]
NAMED = [
    Message("user", "hello", id="m1", metadata={"k": [1, None]}),
    Message("assistant", "hi", id="m2", name="agent"),
    Message("user", "hello", id="m3"),
    Message("assistant", "hi", id="m4"),
]


def found(name):
    """The spec of the store, or a skip that says what to install."""
    try:
        return find_store(name)
    except MissingExtra as error:
        pytest.skip(str(error))


@pytest.fixture(params=NAMES)
def each(request):
    return found(request.param)


def test_each_session_is_a_file_of_its_format(each, drive, tmp_path):
    """A session lies in one file, whose name ends as its format does."""

    async def body(store):
        await store.append("s", HELLO)
        await store.append("t", [])
        return await store.read("t")

    assert drive(each, body) == []
    files = [path.name for path in (tmp_path / "histories").iterdir()]
    assert files == [f"s{NAMES[each.name]}"]


def test_a_transcript_that_comes_again_adds_what_is_new(each, drive):
    """With ids, an append of the whole transcript adds the messages that were not there yet."""

    async def body(store, other):
        for turn in (2, 4):
            await store.append("s", NAMED[:turn])
            assert await other.read("s") == NAMED[:turn]
        await store.append("s", NAMED)
        return await other.read("s")

    assert drive(each, body) == NAMED


def test_threads_with_a_handle_each_share_a_session(each, drive):
    """The lock of a file is one for all handles of the process."""
    clients, rounds = 4, 5

    def client(number):
        async def body(store):
            for turn in range(rounds):
                await store.append("s", [Message("user", f"{number}-{turn}")])

        drive(each, body)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    async def look(store):
        return [message.content for message in await store.read("s")]

    texts = drive(each, look)
    assert sorted(texts) == sorted(f"{n}-{turn}" for n in range(clients) for turn in range(rounds))
    for number in range(clients):
        own = [text for text in texts if text.startswith(f"{number}-")]
        assert own == [f"{number}-{turn}" for turn in range(rounds)]
