"""llm's threads, through the library and its file."""

import sqlite3

import pytest

from sessionproof.contract.message import Message

HELLO = [Message("user", "hello"), Message("assistant", "hi"), Message("user", "and?")]


@pytest.fixture
def llm(found):
    return found("llm")


def test_verify_finds_changed_content(llm, drive, tmp_path):
    """A text that was changed behind the store's back is a problem; before, there is none."""

    async def write(store):
        await store.append("s", HELLO)
        assert (await store.verify()).ok

    async def look(store):
        return (await store.verify()).problems

    drive(llm, write)
    with sqlite3.connect(tmp_path / "logs.db") as connection:
        connection.execute("UPDATE parts SET text = 'no' WHERE text = 'hi'")
    connection.close()
    problems = drive(llm, look)
    assert len(problems) == 1
    assert "has another content" in problems[0]
