"""LangChain's histories, through the library and its files."""

import pytest

from sessionproof.contract.errors import Refused
from sessionproof.contract.message import Message

pytestmark = pytest.mark.filterwarnings("ignore:.*being sunset:DeprecationWarning")

HELLO = [Message("user", "hello"), Message("assistant", "hi"), Message("user", "and?")]


@pytest.fixture(params=["langchain", "langchain-file"])
def each(request, found):
    return found(request.param)


@pytest.fixture
def file(found):
    return found("langchain-file")


def test_clear(each, drive):
    """A cleared session is empty, and its neighbour is not."""

    async def body(store):
        await store.append("s", HELLO)
        await store.append("t", HELLO)
        await store.clear("s")
        return await store.read("s"), await store.read("t")

    assert drive(each, body) == ([], HELLO)


def test_a_file_for_each_session(file, drive, tmp_path):
    """A session's messages are in the file that has its name, and another handle reads them."""

    async def write(store):
        await store.append("chat-1_a", HELLO)
        await store.append("chat-1_a", HELLO[:1])

    async def look(store):
        return await store.read("chat-1_a")

    drive(file, write)
    assert [path.name for path in tmp_path.iterdir()] == ["chat-1_a.json"]
    assert drive(file, look) == HELLO + HELLO[:1]


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a.b", "a\n", "é", "x" * 251])
def test_an_id_that_names_no_file_is_refused(file, drive, tmp_path, name):
    """An id that is no plain name is refused by every call, and nothing is written."""

    async def body(store):
        for call in (store.append(name, HELLO), store.read(name), store.clear(name)):
            with pytest.raises(Refused, match="letters, digits, hyphens and underscores"):
                await call

    drive(file, body)
    assert list(tmp_path.iterdir()) == []
