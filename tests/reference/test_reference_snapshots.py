"""Snapshots: the whole session, one moment, and back again without loss."""

from __future__ import annotations

import asyncio
import sqlite3
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessionproof import Message, NotFound, Refused
from sessionproof.contract.clock import VirtualClock
from sessionproof.reference import AsyncReferenceStore, ReferenceStore
from sessionproof.reference.moments.keeping import REPEATED
from sessionproof.reference.snapshots import take

HOUR_US = 3_600_000_000
EVERYTHING = (
    Message("user", "NUL \0 and \ud800 alone", tokens=3, duration_us=5, created_at_us=7, id="own"),
    Message("assistant", None, kind="tool_call", call_id="c", arguments={"q": "é"}, name="find"),
    Message("tool", [1, 1.5, "1"], kind="tool_result", call_id="c", metadata={"a": None}),
    Message("user", "漢字 \ud83d\ude00"),
)


def fill(store: ReferenceStore, name: str = "a") -> None:
    """A session with everything: gaps in its numbers, facts, limits, state of odd texts."""
    store.create(name, owner="ann", title="Ünï \udcff", llm_model="m", metadata={"k": [1]})
    for message in EVERYTHING:
        store.append(name, [message])
    store.append(name, [Message("user", "goes"), Message("user", "stays", tokens=11)])
    store.delete_message(name, store.read(name)[-2].id)
    store.set_state(name, "key \ud800", {"deep": [None, 1.0]})
    store.set_limits(name, idle_us=HOUR_US, hard_us=2 * HOUR_US)


def seen(store: ReferenceStore, name: str = "a") -> tuple:
    return store.read(name), store.get(name), store.get_state(name, "key \ud800")


def numbers(connection: sqlite3.Connection, name: str = "a") -> list[tuple[int, int]]:
    return connection.execute(
        "SELECT m.seq, m.appended_at_us FROM messages AS m JOIN sessions AS s ON s.id = m.sid "
        "WHERE s.session_id = ? ORDER BY m.seq",
        (name,),
    ).fetchall()


def limits(connection: sqlite3.Connection, name: str = "a") -> tuple:
    return connection.execute(
        "SELECT idle_timeout_us, hard_deadline_us, last_activity_us, next_seq FROM sessions "
        "WHERE session_id = ?",
        (name,),
    ).fetchone()


def test_a_session_that_is_gone_comes_back_whole(store, foreign, clock):
    """Messages with ids, numbers and times, facts, totals, limits, state; all is in order."""
    fill(store)
    before = seen(store), numbers(foreign), limits(foreign)
    made = store.snapshot("a", reason="who knows \ud800")
    clock.move(HOUR_US // 2)
    store.delete("a")
    assert store.restore_snapshot(made) == "a"
    assert (seen(store), numbers(foreign), limits(foreign)) == before
    assert store.verify().ok
    assert store.verify("a").ok
    (info,) = store.snapshots("a")
    assert (info.snapshot_id, info.kind, info.reason) == (made, "checkpoint", "who knows \ud800")
    assert (info.message_count, info.session_id) == (5, "a")


def test_ids_are_never_given_twice(store):
    """What was said between the snapshot and the deletion had ids that no new message gets."""
    store.append("a", [Message("user", "one")])
    made = store.snapshot("a")
    gone = store.append("a", [Message("user", "two")]).ids
    kept = store.read("a")[0].id
    store.delete("a")
    store.restore_snapshot(made)
    assert store.read("a")[0].id == kept
    assert store.append("a", [Message("user", "three")]).ids != gone
    assert store.snapshot("a")
    assert store.verify().ok


def test_an_id_of_the_stores_own_form_may_be_given(store):
    """An earlier message may have the id of one that is gone: that comes back, too."""
    _, second, third = store.append("a", [Message("user", text) for text in "xyz"]).ids
    store.delete_message("a", third)
    store.edit_message("a", second, Message("user", "edited", id=third))
    before, made = store.read("a"), store.snapshot("a")
    store.append("a", [Message("user", "newer")])
    store.restore_snapshot(made, replace=True)
    assert store.read("a") == before
    assert store.verify().ok
    assert third not in store.append("a", [Message("user", "new")]).ids


def test_a_copy_comes_back_into_its_original(store):
    """The copy's messages have the original's ids, which it takes back."""
    store.append("a", [Message("user", text) for text in "xy"])
    before = store.read("a")
    store.restore_snapshot(store.snapshot("a"), session_id="copy")
    store.pop_last("copy")
    store.restore_snapshot(store.snapshot("copy"), session_id="a", replace=True)
    assert store.read("a") == before[:1]
    assert store.verify().ok
    assert not {one.id for one in before} & {*store.append("a", [Message("user", "new")]).ids}


def test_under_another_id_it_is_a_session_of_its_own(store, foreign):
    """The copy has the same numbers; neither session notices the other; twice is as once."""
    fill(store)
    made = store.snapshot("a")
    before = seen(store)
    assert store.restore_snapshot(made, session_id="b") == "b"
    assert store.read("b") == before[0]
    assert numbers(foreign, "b") == numbers(foreign, "a")
    store.append("b", [Message("user", "mine")])
    assert seen(store) == before
    with pytest.raises(Refused, match="a message that the snapshot has not"):
        store.restore_snapshot(made, session_id="b")
    assert store.verify().ok


def test_newer_messages_are_kept(store):
    """A restore is refused where it would lose some; with replace they are in a snapshot."""
    fill(store)
    before = seen(store)
    made = store.snapshot("a")
    store.append("a", [Message("user", "newer")])
    store.set_state("a", "key \ud800", "newer")
    live = seen(store)
    with pytest.raises(Refused, match="under another id, or with replace"):
        store.restore_snapshot(made)
    assert seen(store) == live
    store.restore_snapshot(made, replace=True)
    assert seen(store) == before
    kept, first = store.snapshots("a")
    assert (kept.kind, first.snapshot_id) == ("restore", made)
    assert made in str(kept.reason)
    store.restore_snapshot(kept.snapshot_id)  # the way back loses nothing either
    assert seen(store) == live
    assert store.append("a", [Message("user", "next")]).seqs == (8,)


def test_an_edited_message_is_a_newer_one(store):
    """The number of messages says nothing: what they hold does."""
    store.append("a", [Message("user", "one"), Message("user", "two")])
    made = store.snapshot("a")
    store.edit_message("a", store.read("a")[0].id, Message("user", "edited"))
    with pytest.raises(Refused, match="a message that"):
        store.restore_snapshot(made)
    store.pop_last("a")
    store.append("a", [Message("user", "instead")])
    with pytest.raises(Refused, match="2 messages that"):
        store.restore_snapshot(made)


def test_what_is_as_it_was_is_left_alone(store):
    """A restore of what is there changes nothing, and keeps no further snapshot."""
    fill(store)
    made = store.snapshot("a")
    store.restore_snapshot(made)
    assert len(store.snapshots()) == 1
    store.pop_last("a")
    store.clear("a")
    before = store.read_snapshot(made).messages
    store.restore_snapshot(made)
    assert tuple(store.read("a")) == before
    assert [one.kind for one in store.snapshots()] == ["restore", "checkpoint"]


def test_numbers_never_go_back(store):
    """A session that is there goes on with its own next number."""
    store.append("a", [Message("user", "one")])
    made = store.snapshot("a")
    store.append("a", [Message("user", "two")])
    store.pop_last("a")
    store.restore_snapshot(made)
    assert store.append("a", [Message("user", "three")]).seqs == (3,)


@pytest.mark.parametrize("status", ["paused", "archived", "expired"])
def test_a_status_is_kept(store, set_status, status):
    """A session that takes no messages comes back, and takes none."""
    fill(store)
    set_status("a", status)
    made = store.snapshot("a")
    before = seen(store)
    store.delete("a")
    store.restore_snapshot(made)
    assert seen(store) == before
    with pytest.raises(Refused):
        store.append("a", [Message("user", "no")])


def test_what_is_not_there(store):
    """Unknown sessions and snapshots, and wrong arguments, are refused in a line."""
    with pytest.raises(NotFound, match="no session 'a'"):
        store.snapshot("a")
    for call in (store.restore_snapshot, store.read_snapshot, store.remove_snapshot):
        with pytest.raises(NotFound, match="no snapshot 'x'"):
            call("x")
    with pytest.raises(NotFound):
        store.compare_snapshots("x")
    store.append("a", [Message("user", "one")])
    with pytest.raises(Refused, match="keep"):
        store.snapshot("a", keep=0)
    with pytest.raises(Refused, match="reason"):
        store.snapshot("a", reason=3)
    with pytest.raises(Refused, match="replace"):
        store.restore_snapshot(store.snapshot("a"), replace=1)
    assert store.snapshots("b") == []


def test_older_ones_are_removed_on_demand(store, foreign):
    """``keep`` counts what was asked for of this session, and spares every other kind."""
    for name in ("a", "b"):
        store.append(name, [Message("user", "one")])
    other = store.snapshot("b")
    first = store.snapshot("a")
    store.append("a", [Message("user", "two")])
    store.restore_snapshot(first, replace=True)
    made = [store.snapshot("a", keep=2) for _ in range(4)]
    kinds = [(one.snapshot_id, one.kind) for one in store.snapshots("a")]
    assert [name for name, kind in kinds if kind == "checkpoint"] == [made[3], made[2]]
    assert [kind for _, kind in kinds].count("restore") == 1
    assert [one.snapshot_id for one in store.snapshots("b")] == [other]
    store.remove_snapshot(made[3])
    assert made[3] not in [one.snapshot_id for one in store.snapshots()]


def test_what_happens_often_does_not_fill_the_file(store, foreign):
    """Of warnings the newest are kept; others are for good."""
    store.append("a", [Message("user", "one")])
    for at in range(REPEATED["warning"] + 3):
        assert take(foreign, "a", "warning", at)
        assert take(foreign, "a", "archive", at)
    assert take(foreign, "unknown", "warning", 0) is None
    kinds = [one.kind for one in store.snapshots("a")]
    assert kinds.count("warning") == REPEATED["warning"]
    assert kinds.count("archive") == REPEATED["warning"] + 3


@pytest.mark.parametrize("kind", ["archive", "expiry", "delete", "warning"])
def test_they_are_taken_before_what_is_asked(tmp_path, clock, kind):
    """One of each kind, as the session was before, and it can be restored."""
    with ReferenceStore(tmp_path, clock=clock, snapshots_before=(kind,)) as store:
        fill(store)
        before = seen(store)
        if kind == "delete":
            store.delete("a")
        elif kind == "archive":
            store.set_status("a", "archived")
        else:
            clock.move(HOUR_US - 1 if kind == "warning" else HOUR_US)
            store.sweep()
        (info,) = store.snapshots("a")
        assert info.kind == kind
        kept = store.read_snapshot(info.snapshot_id)
        assert (list(kept.messages), kept.session) == before[:2]


def test_differences_are_told(store):
    """What came, went and changed since, of messages, facts and state."""
    store.append("a", [Message("user", "one"), Message("user", "two"), Message("user", "three")])
    store.set_state("a", "same", 1)
    store.set_state("a", "other", 1)
    made = store.snapshot("a")
    assert store.compare_snapshots(made).none
    ids = [one.id for one in store.read("a")]
    store.edit_message("a", ids[0], Message("user", "ONE"))
    store.delete_message("a", ids[1])
    store.append("a", [Message("user", "four")])
    store.set_state("a", "other", True)
    store.set_state("a", "new", None)
    store.update("a", title="T")
    found = store.compare_snapshots(made)
    assert [one.content for one in found.added] == ["four"]
    assert [one.content for one in found.removed] == ["two"]
    assert [(one.before.content, one.after.content) for one in found.edited] == [("one", "ONE")]
    assert {name: (one.before, one.after) for name, one in found.state.items()} == {
        "other": (1, True), "new": (None, None),
    }  # fmt: skip
    assert {name: one.after for name, one in found.facts.items()} == {"title": "T"}
    again = store.snapshot("a")
    back = store.compare_snapshots(again, made)
    assert [one.content for one in back.added] == ["two"]
    store.delete("a")
    with pytest.raises(NotFound, match="no session"):
        store.compare_snapshots(made)


def test_one_moment_while_others_write(store):
    """Each snapshot beside a writer ends with a whole batch, and has nothing twice."""
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            store.append("a", [Message("user", "q"), Message("assistant", "a")])

    store.append("a", [Message("user", "q"), Message("assistant", "a")])
    writer = threading.Thread(target=work)
    writer.start()
    try:
        kept = [store.read_snapshot(store.snapshot("a")) for _ in range(20)]
    finally:
        stop.set()
        writer.join()
    for one in kept:
        assert len(one.messages) % 2 == 0
        assert one.seqs == tuple(range(1, len(one.messages) + 1))
        assert one.session.message_count == len(one.messages)


TEXTS = st.text(st.characters(exclude_categories=[]), max_size=12)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(texts=st.lists(TEXTS, min_size=1, max_size=6), key=TEXTS, drop=st.integers(0, 5))
def test_any_text_comes_back(tmp_path_factory, texts, key, drop):
    """Whatever was said, under whatever names: the same after the way there and back."""
    folder = tmp_path_factory.mktemp("texts")
    with ReferenceStore(folder, durability="process", clock=VirtualClock()) as store:
        store.append(key, [Message("user", one, metadata={one: one}) for one in texts])
        store.set_state(key, key, texts)
        if drop < len(texts) - 1:
            store.delete_message(key, store.read(key)[drop].id)
        before = store.read(key), store.get(key), store.get_state(key, key)
        made = store.snapshot(key, reason=key)
        store.delete(key)
        store.restore_snapshot(made)
        assert (store.read(key), store.get(key), store.get_state(key, key)) == before
        assert store.verify().ok


def test_tasks_have_the_same(tmp_path):
    """The store behind ``async def`` keeps, restores, shows, compares and removes."""

    async def main() -> None:
        async with AsyncReferenceStore(tmp_path) as store:
            await store.append("a", [Message("user", "one")])
            made = await store.snapshot("a", reason="r", keep=1)
            await store.append("a", [Message("user", "two")])
            assert len((await store.compare_snapshots(made)).added) == 1
            await store.restore_snapshot(made, replace=True)
            assert [*(await store.read_snapshot(made)).messages] == await store.read("a")
            await store.remove_snapshot(made)
            assert [one.kind for one in await store.snapshots("a")] == ["restore"]

    asyncio.run(main())
