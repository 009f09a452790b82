"""Appends and reads of several sessions in one transaction."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from sessionproof import Conflict, Expired, Message, Receipt, Refused, Step
from sessionproof.reference import AsyncReferenceStore, ReferenceStore


def said(*texts: str) -> tuple[Message, ...]:
    return tuple(Message("user", text) for text in texts)


def texts(messages) -> list[str]:
    return [message.content for message in messages]


def test_answers_stand_in_the_places_of_the_steps(store: ReferenceStore):
    """Each append answers a receipt, each read what is there at that place."""
    store.append("a", said("old"))
    before, first, both, other, again = store.transact(
        [Step("a"), Step("a", said("x", "y")), Step("a"), Step("b", said("z")), Step("b")]
    )
    assert (texts(before), texts(both), texts(again)) == (["old"], ["old", "x", "y"], ["z"])
    assert (first.seqs, other.seqs) == ((2, 3), (1,))
    assert first.ids == tuple(message.id for message in store.read("a")[1:])
    assert store.transact([]) == []
    assert store.transact([Step("c", ()), Step("c")]) == [Receipt((), ()), []]
    assert store.verify().problems == ()


def test_a_step_that_is_refused_undoes_all(store: ReferenceStore):
    """Nothing is left of the steps before it, and nothing comes of those after it."""
    store.append("a", said("kept"))
    taken = Message("user", "x", id="one")
    with pytest.raises(Conflict):
        store.transact([Step("a", (taken,)), Step("b", said("y")), Step("a", (taken,))])
    store.append("ended", said("z"))
    store.set_status("ended", "archived")
    with pytest.raises(Expired):
        store.transact([Step("a", said("x")), Step("new", said("y")), Step("ended", said("z"))])
    assert texts(store.read("a")) == ["kept"]
    assert sorted(store.list()) == ["a", "ended"]
    assert store.verify().problems == ()


@pytest.mark.parametrize("steps", [[("a", None)], [Step(7)], [Step("a", ("x",))], [Step("a", [7])]])
def test_what_is_no_step_is_refused(store: ReferenceStore, steps):
    """One sentence says what is wrong, and nothing is stored."""
    with pytest.raises(Refused):
        store.transact([Step("a", said("x")), *steps])
    assert store.list() == []


@pytest.mark.parametrize("steps", [None, 7])
def test_what_has_no_steps_is_refused(store: ReferenceStore, steps):
    """As for ``append``: one sentence says what was given."""
    with pytest.raises(Refused, match=type(steps).__name__):
        store.transact(steps)


def test_steps_that_can_be_taken_once_are_all_carried_out(tmp_path: Path):
    """No step is lost on the way to the thread that carries them out."""

    async def use() -> None:
        async with AsyncReferenceStore(tmp_path) as store:
            steps = (Step("a", said(text)) for text in "xyz")
            assert len(await store.transact(steps)) == 3
            assert texts(await store.read("a")) == ["x", "y", "z"]

    asyncio.run(use())


def test_readers_see_one_moment(tmp_path: Path):
    """Two sessions that grow together are of one length in every transaction that only reads."""
    store = ReferenceStore(tmp_path, durability="process")
    ended = threading.Event()

    def write() -> None:
        for number in range(60):
            store.transact([Step("a", said(f"{number}")), Step("b", said(f"{number}"))])
        ended.set()

    with closing(store):
        writer = threading.Thread(target=write)
        writer.start()
        looks = 0
        while not ended.is_set() or not looks:
            one, other = store.transact([Step("a"), Step("b")])
            assert texts(one) == texts(other)
            looks += 1
        writer.join()


def test_nobody_writes_in_between(tmp_path: Path):
    """Threads that each append what they counted in the same transaction count in one line."""
    store = ReferenceStore(tmp_path, durability="process")

    def write() -> None:
        for _ in range(20):
            before, _ = store.transact([Step("a"), Step("a", said("x"))])
            counted.append(len(before))

    counted: list[int] = []
    with closing(store):
        threads = [threading.Thread(target=write) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(counted) == [*range(60)]


def test_only_reading_needs_no_lock(tmp_path: Path):
    """Steps that only read go on while another connection writes."""
    store = ReferenceStore(tmp_path)
    with closing(store), closing(sqlite3.connect(store.tables().path)) as other:
        store.append("a", said("x"))
        other.execute("BEGIN IMMEDIATE")
        assert [texts(one) for one in store.transact([Step("a"), Step("b")])] == [["x"], []]
        other.rollback()


def test_tasks_transact(tmp_path: Path):
    """The same behind ``async def``, in a group with other writes and apart from them."""

    async def main() -> None:
        async with AsyncReferenceStore(tmp_path, durability="process") as store:
            asked = [
                store.transact([Step("a"), Step("a", said(f"{at}")), Step("b", said(f"{at}"))])
                for at in range(8)
            ]
            bad = store.transact([Step("a", said("never")), Step("b", (Message("nobody", "x"),))])
            *done, refused = await asyncio.gather(*asked, bad, return_exceptions=True)
            assert isinstance(refused, Refused)
            assert sorted(len(before) for before, _, _ in done) == [*range(8)]
            one, other = await store.transact([Step("a"), Step("b")])
            assert texts(one) == texts(other)
            assert len(one) == 8

    asyncio.run(main())
