"""The adapters through their libraries: operations, errors, and what close gives back."""

import asyncio
import os
import sqlite3
import threading
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest

from sessionproof.contract.errors import NotRepresentable
from sessionproof.contract.lookup import STORES
from sessionproof.contract.message import Message
from sessionproof.contract.registered import package_of
from sessionproof.contract.store import shape_problems
from sessionproof.oracle.model import same_messages

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*being sunset:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*is experimental:FutureWarning"),
]

HELLO = [Message("user", "hello"), Message("assistant", "hi"), Message("user", "and?")]
MODULES = {point.name: point.module for point in entry_points(group=STORES)}
ODD = (Message("user", None), Message("user", "x", id="m1"))  # each store has no place for one


def test_spec_says_what_is_tested(spec):
    """A report can name the version and the sources of each claim."""
    assert spec.version == version(package_of(MODULES[spec.name]))
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
        first, second = await store.begin("s"), await store.begin("t")
        await store.append(first, HELLO)
        await store.append(first, HELLO[:1])
        return await other.read(first), await other.read(second)

    seen, empty = drive(spec, body)
    assert same_messages(HELLO + HELLO[:1], seen, spec.claims.keeps)
    assert empty == []


def test_everything_lies_below_the_location(spec, drive, tmp_path):
    """The store's file is in the location, and tables() names what is in it."""

    async def body(store):
        await store.append(await store.begin("s"), HELLO)
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


def test_a_location_may_have_any_name(spec, drive, tmp_path):
    """What is special in addresses is nothing special in the name of a folder."""
    folder = tmp_path / "a #1 & b;c %20"
    folder.mkdir()

    async def first(store):
        session = await store.begin("s")
        await store.append(session, HELLO)
        return session

    session = drive(spec, first, folder)

    async def again(store):
        return await store.read(session)

    assert same_messages(HELLO, drive(spec, again, folder), spec.claims.keeps)
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def representable(spec, message):
    """Whether the adapter has a place for the message."""
    try:
        spec.encode(message)
    except NotRepresentable:
        return False
    return True


def test_refused_batch_leaves_nothing(spec, drive):
    """A batch with one message that has no place is refused before any of it is sent."""
    (odd, *_) = [one for one in ODD if not representable(spec, one)]

    async def body(store):
        session = await store.begin("s")
        with pytest.raises(NotRepresentable):
            await store.append(session, [HELLO[0], odd, HELLO[1]])
        return await store.read(session)

    assert drive(spec, body) == []


def test_close_gives_everything_back(spec, drive, tmp_path):
    """After close no thread is left, and no descriptor on the location's files."""
    if spec.name == "openai-agents" and spec.version.startswith("0.4."):
        pytest.skip("openai-agents 0.4 leaves the connections of its worker threads open")
    threads = set(threading.enumerate())

    async def body(store):
        await store.begin("s")
        await store.read("s")  # tables are made by one call: that tasks make them is not claimed
        await asyncio.gather(*(store.read("s") for _ in range(8)))

    drive(spec, body)
    held = [os.path.realpath(entry) for entry in Path("/proc/self/fd").iterdir()]
    assert [path for path in held if path.startswith(str(tmp_path))] == []
    for thread in set(threading.enumerate()) - threads:  # one that was told to end may be at it
        thread.join(5)
    assert set(threading.enumerate()) <= threads
