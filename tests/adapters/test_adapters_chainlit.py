"""Chainlit through its data layer: threads, steps, and the tables that an operator makes."""

import sqlite3
import uuid
from contextlib import closing

import pytest

from sessionproof.adapters.chainlit_schema import make_tables
from sessionproof.contract.message import Message

HELLO = [Message("user", "hello"), Message("assistant", "hi"), Message("user", "and?", name="ann")]


@pytest.fixture
def chainlit(found):
    return found("chainlit")


def told(messages):
    """Roles, texts and names."""
    return [(one.role, one.content, one.name) for one in messages]


def test_a_thread_has_an_id_of_chainlit(chainlit, drive):
    """Sessions are UUIDs that Chainlit makes, and begin with the messages that were given."""

    async def body(store):
        made = [await store.create(messages=HELLO), await store.create()]
        assert len({uuid.UUID(one) for one in made}) == 2
        return [told(await store.read(one)) for one in made]

    assert drive(chainlit, body) == [told(HELLO), []]


def test_a_step_is_deleted_by_its_id(chainlit, drive):
    """Reads have the ids that the append told, and a step that is deleted by one is gone."""

    async def body(store):
        session = await store.create()
        receipt = await store.append(session, HELLO)
        assert [one.id for one in await store.read(session)] == receipt.ids
        await store.delete_message(session, receipt.ids[1])
        return told(await store.read(session))

    assert drive(chainlit, body) == [("user", "hello", None), ("user", "and?", "ann")]


def test_a_deleted_thread_is_gone(chainlit, drive, tmp_path):
    """The thread and its steps are deleted, and its neighbour stays."""

    async def body(store):
        gone, stays = [await store.create(messages=HELLO) for _ in range(2)]
        await store.delete(gone)
        return await store.read(gone), told(await store.read(stays))

    assert drive(chainlit, body) == ([], told(HELLO))
    with closing(sqlite3.connect(tmp_path / "chat.db")) as db:
        assert db.execute("SELECT count(*) FROM steps").fetchone() == (3,)


def test_tables_are_made_once(tmp_path):
    """The file appears with all tables; one that is there is left as it is, an empty one too."""
    made, empty = tmp_path / "made.db", tmp_path / "empty.db"
    empty.touch()
    for _ in range(2):
        make_tables(made)
        make_tables(empty)
    with closing(sqlite3.connect(made)) as db:
        names = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE sql > ''")}
    assert names == {"users", "threads", "steps", "elements", "feedbacks"}
    assert empty.stat().st_size == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.db", "made.db"]
