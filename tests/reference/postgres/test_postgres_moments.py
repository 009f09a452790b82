"""Snapshots on PostgreSQL: the same promises, by the same tests where these fit both."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
import test_reference_snapshots as on_sqlite
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessionproof import Message, NotRepresentable, Refused
from sessionproof.reference.moments.keeping import REPEATED

HOUR_US = 3_600_000_000
EVERYTHING = (
    Message("user", "quote ' and \\u0000 and \\", tokens=3, duration_us=5, created_at_us=7, id="a"),
    Message("assistant", None, kind="tool_call", call_id="c", arguments={"q": "é"}, name="find"),
    Message("tool", [1, 1.5, "1"], kind="tool_result", call_id="c", metadata={"a": None}),
    Message("user", "漢字 \U0001f600"),
)

test_ids_are_never_given_twice = on_sqlite.test_ids_are_never_given_twice
test_an_id_of_the_stores_own_form_may_be_given = (
    on_sqlite.test_an_id_of_the_stores_own_form_may_be_given
)
test_a_copy_comes_back_into_its_original = on_sqlite.test_a_copy_comes_back_into_its_original
test_an_edited_message_is_a_newer_one = on_sqlite.test_an_edited_message_is_a_newer_one
test_numbers_never_go_back = on_sqlite.test_numbers_never_go_back
test_what_is_not_there = on_sqlite.test_what_is_not_there
test_older_ones_are_removed_on_demand = on_sqlite.test_older_ones_are_removed_on_demand
test_differences_are_told = on_sqlite.test_differences_are_told
test_one_moment_while_others_write = on_sqlite.test_one_moment_while_others_write


def fill(store, name="a"):
    """A session with everything: gaps in its numbers, facts, limits, state."""
    store.create(name, owner="ann", title="Ünï", llm_model="m", metadata={"k": [1]})
    for message in EVERYTHING:
        store.append(name, [message])
    store.append(name, [Message("user", "goes"), Message("user", "stays", tokens=11)])
    store.delete_message(name, store.read(name)[-2].id)
    store.set_state(name, "key", {"deep": [None, 1.0]})
    store.set_limits(name, idle_us=HOUR_US, hard_us=2 * HOUR_US)


def seen(store, name="a"):
    return store.read(name), store.get(name), store.get_state(name, "key")


def rows(foreign, name="a"):
    """Numbers and times, and what the session's row has that no method answers."""
    numbers = foreign.execute(
        "SELECT m.seq, m.appended_at_us FROM messages AS m JOIN sessions AS s ON s.id = m.sid "
        "WHERE s.session_id = %s ORDER BY m.seq", (name,),
    ).fetchall()  # fmt: skip
    limits = foreign.execute(
        "SELECT idle_timeout_us, hard_deadline_us, warn_us, look_at_us, next_seq FROM sessions "
        "WHERE session_id = %s", (name,),
    ).fetchone()  # fmt: skip
    return numbers, limits


def test_a_session_that_is_gone_comes_back_whole(store, foreign, clock):
    """Messages with ids, numbers and times, facts, totals, limits, state; all is in order."""
    fill(store)
    before = seen(store), rows(foreign)
    made = store.snapshot("a", reason="who knows")
    clock.move(HOUR_US // 2)
    store.delete("a")
    assert store.restore_snapshot(made) == "a"
    assert (seen(store), rows(foreign)) == before
    assert store.verify().problems == store.verify("a").problems == ()
    (info,) = store.snapshots("a")
    assert (info.snapshot_id, info.kind, info.reason) == (made, "checkpoint", "who knows")
    assert (info.message_count, info.session_id) == (5, "a")


def test_under_another_id_it_is_a_session_of_its_own(store, foreign):
    """The copy has the same numbers; neither session notices the other."""
    fill(store)
    made = store.snapshot("a")
    before = seen(store)
    assert store.restore_snapshot(made, session_id="b") == "b"
    assert store.read("b") == before[0]
    assert rows(foreign, "b") == rows(foreign, "a")
    store.append("b", [Message("user", "mine")])
    assert seen(store) == before
    with pytest.raises(Refused, match="a message that the snapshot has not"):
        store.restore_snapshot(made, session_id="b")
    assert store.verify().ok


def test_newer_messages_are_kept(store):
    """A restore is refused where it would lose some; with replace they are in a snapshot."""
    fill(store)
    before, made = seen(store), store.snapshot("a")
    store.append("a", [Message("user", "newer")])
    store.set_state("a", "key", "newer")
    live = seen(store)
    with pytest.raises(Refused, match="under another id, or with replace"):
        store.restore_snapshot(made)
    assert seen(store) == live
    store.restore_snapshot(made, replace=True)
    assert seen(store) == before
    kept, first = store.snapshots("a")
    assert (kept.kind, first.snapshot_id) == ("restore", made)
    assert made in kept.reason
    store.restore_snapshot(kept.snapshot_id)  # the way back loses nothing either
    assert seen(store) == live
    assert store.append("a", [Message("user", "next")]).seqs == (8,)


def test_twice_is_as_once(store, clock):
    """A restore of what is there changes nothing, also where a sweep has looked since."""
    fill(store)
    made = store.snapshot("a")
    clock.move(HOUR_US // 2)
    store.sweep()
    for _ in range(2):
        store.restore_snapshot(made)
    assert len(store.snapshots()) == 1
    store.clear("a")
    before = store.read_snapshot(made).messages
    for _ in range(2):
        store.restore_snapshot(made)
    assert tuple(store.read("a")) == before
    assert [one.kind for one in store.snapshots()] == ["restore", "checkpoint"]


def test_many_messages_with_gaps_come_back(store):
    """Each run of numbers is put in at once, and the next number stays the next."""
    store.append("a", [Message("user", f"text {at}", tokens=at) for at in range(2_000)])
    for message in store.read("a")[5:300:7]:
        store.delete_message("a", message.id)
    before, made = (store.read("a"), store.get("a")), store.snapshot("a")
    store.delete("a")
    store.restore_snapshot(made)
    assert (store.read("a"), store.get("a")) == before
    assert store.append("a", [Message("user", "next")]).seqs == (2_001,)
    assert store.verify().ok


@pytest.fixture
def beside_a_restore(opened, server):
    """Carries out a call that waits for a restore, and answers what came of it."""
    store = opened(preset="web")
    store.create("a", messages=[Message("user", "said", id="m")])
    taken = store.snapshot("a")
    store.append("a", [Message("user", "newer")])

    def beside(call):
        with psycopg.connect(server.url) as holding, ThreadPoolExecutor(2) as threads:
            holding.execute(f"SELECT FROM {store.schema}.sessions FOR UPDATE")
            restored = threads.submit(store.restore_snapshot, taken, replace=True)
            until_waiting(server, 1)
            answer = threads.submit(call, store)
            until_waiting(server, 2)
            holding.rollback()
            assert restored.result(60) == "a"
            return answer.result(60)

    return beside


def until_waiting(server, number):
    """Wait until so many connections wait for a lock; the test's own limit ends that."""
    waiting = "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted"
    with psycopg.connect(server.url, autocommit=True) as db:
        while db.execute(waiting).fetchone() != (number,):
            time.sleep(0.01)


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.edit_message("a", "m", Message("user", "edited")),
        lambda store: store.delete_message("a", "m"),
        lambda store: store.update("a", title="t"),
        lambda store: store.touch("a"),
        lambda store: store.set_limits("a", idle_us=HOUR_US),
        lambda store: store.set_status("a", "paused"),
    ],
    ids=["edit", "delete", "update", "touch", "limits", "status"],
)
def test_a_session_is_there_while_it_is_restored(beside_a_restore, call):
    """Whoever waits for a restore finds the session that it has made, and not none."""
    assert beside_a_restore(call) is None


def test_a_message_is_there_while_its_session_is_restored(beside_a_restore):
    """The newest message is that of before or that of after, and never none."""
    assert beside_a_restore(lambda store: store.pop_last("a")).content == "said"


@pytest.mark.parametrize("status", ["paused", "archived", "expired"])
def test_a_status_is_kept(store, status):
    """A session that takes no messages comes back, and takes none."""
    fill(store)
    store.set_status("a", status)
    made, before = store.snapshot("a"), seen(store)
    store.delete("a")
    store.restore_snapshot(made)
    assert seen(store) == before
    with pytest.raises(Refused):
        store.append("a", [Message("user", "no")])


def test_limits_that_came_back_are_swept(store, clock):
    """A session that is restored expires when it should, in spite of what a sweep had noted."""
    fill(store)
    made = store.snapshot("a")
    store.delete("a")
    store.restore_snapshot(made)
    clock.move(HOUR_US)
    assert store.sweep().expired == ("a",)
    assert store.verify().ok


@pytest.mark.parametrize("kind", ["archive", "expiry", "delete", "warning"])
def test_they_are_taken_before_what_is_asked(opened, clock, kind):
    """One of each kind, as the session was before, and it can be restored."""
    store = opened(snapshots_before=(kind,), timeouts=None)
    fill(store)
    if kind == "warning":
        store._write(lambda db: db.execute("UPDATE sessions SET warn_us = 2, look_at_us = 0"))
    before = seen(store)
    if kind == "delete":
        store.delete("a")
    elif kind == "archive":
        store.set_status("a", "archived")
    else:
        clock.move(HOUR_US - 1 if kind == "warning" else HOUR_US)
        store.sweep()
    (info,) = store.snapshots("a")
    kept = store.read_snapshot(info.snapshot_id)
    assert info.kind == kind
    assert (list(kept.messages), kept.session) == before[:2]


def test_what_happens_often_does_not_fill_the_schema(opened, clock):
    """Of what a session comes to again and again, the newest snapshots are kept."""
    store = opened(snapshots_before=("expiry",))
    store.append("a", [Message("user", "one")])
    for _ in range(REPEATED["expiry"] + 2):
        store.set_limits("a", idle_us=1)
        store.set_status("a", "active")
        clock.move(10)
        store.sweep()
    assert [one.kind for one in store.snapshots()] == ["expiry"] * REPEATED["expiry"]


def test_a_damaged_snapshot_is_found_and_not_restored(store, foreign):
    """Where its row is not what was written, verify says so, and a restore changes nothing."""
    fill(store)
    made, before = store.snapshot("a"), seen(store)
    with pytest.raises(Exception, match="a snapshot stays as it was taken"):
        foreign.execute("UPDATE snapshots SET reason = 'theirs'")
    foreign.execute("ALTER TABLE snapshots DISABLE TRIGGER snapshots_before_change")
    foreign.execute("UPDATE snapshots SET body = overlay(body PLACING '\\x00' FROM 40)")
    foreign.execute("ALTER TABLE snapshots ENABLE TRIGGER snapshots_before_change")
    with pytest.raises(Refused, match="is not what was written"):
        store.restore_snapshot(made)
    assert seen(store) == before
    for found in (store.verify(), store.verify("a")):
        assert found.problems == (f"1 snapshots are not what was written: {made}",)


def test_a_reason_that_cannot_be_stored_is_refused(store):
    """As any other text: none is changed on the way."""
    store.append("a", [Message("user", "one")])
    for reason in ("NUL \0", "half \ud800"):
        with pytest.raises(NotRepresentable):
            store.snapshot("a", reason=reason)
    assert store.snapshots() == []


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(texts=st.lists(TEXTS, min_size=1, max_size=6), key=TEXTS, drop=st.integers(0, 5))
def test_any_text_comes_back(store, texts, key, drop):
    """Whatever was said, under whatever names: the same after the way there and back."""
    store.delete(key)
    store.append(key, [Message("user", one, metadata={one: one}) for one in texts])
    store.set_state(key, key, texts)
    if drop < len(texts) - 1:
        store.delete_message(key, store.read(key)[drop].id)
    before = store.read(key), store.get(key), store.get_state(key, key)
    made = store.snapshot(key, reason=key)
    store.delete(key)
    store.restore_snapshot(made)
    assert (store.read(key), store.get(key), store.get_state(key, key)) == before
    assert store.verify(key).ok
