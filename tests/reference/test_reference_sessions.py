"""Sessions, their counters, facts and state."""

from __future__ import annotations

import pytest

from sessionproof import Conflict, Message, NotFound, Refused, SessionInfo
from sessionproof.reference import ReferenceStore


def test_create_with_everything(store: ReferenceStore, clock):
    """A session has the facts that it was created with, and its counters."""
    messages = [Message("user", "a", tokens=2), Message("assistant", "b", duration_us=9)]
    name = store.create(
        "s", messages=messages, owner="o", title="t", llm_model="m", metadata={"a": [1]}
    )
    assert name == "s"
    assert store.get("s") == SessionInfo(
        session_id="s",
        message_count=2,
        total_tokens=2,
        total_duration_us=9,
        created_at_us=clock.now_us(),
        last_activity_us=clock.now_us(),
        status="active",
        owner="o",
        title="t",
        llm_model="m",
        metadata={"a": [1]},
    )


def test_create_makes_ids(store: ReferenceStore):
    """Without an id each session gets one of its own, also for equal first messages."""
    names = {store.create(messages=[Message("user", "hi")]) for _ in range(20)}
    assert len(names) == 20
    assert set(store.list()) == names


def test_create_of_a_known_id_is_a_conflict(store: ReferenceStore):
    """Creating a session that exists changes nothing."""
    store.create("s", owner="o", messages=[Message("user", "a")])
    before = store.get("s")
    with pytest.raises(Conflict, match="session exists"):
        store.create("s", owner="p", messages=[Message("user", "b")])
    assert store.get("s") == before
    assert store.count("s") == 1


def test_create_is_all_or_nothing(store: ReferenceStore):
    """A session whose first messages cannot be stored is not there."""
    twice = [Message("user", "a", id="x"), Message("user", "b", id="x")]
    with pytest.raises(Conflict):
        store.create("s", messages=twice)
    with pytest.raises(Conflict):
        store.append("s", twice)
    assert store.list() == []


def test_delete_takes_all_and_the_id_starts_anew(store: ReferenceStore):
    """A deleted id that is used again is empty, counts from 1, and has no old state."""
    store.create("s", messages=[Message("user", "a", tokens=5)], title="t")
    store.set_state("s", "k", 1)
    old = store.read("s")[0].id
    store.delete("s")
    assert store.list() == []
    assert store.get("s") is None
    assert store.append("s", [Message("user", "b")]).seqs == (1,)
    assert store.get_state("s", "k") is None
    assert (store.get("s").total_tokens, store.get("s").title) == (0, None)
    with pytest.raises(NotFound):
        store.delete_message("s", old)


def test_clear_keeps_the_session(store: ReferenceStore):
    """Clearing removes the messages alone."""
    store.create("s", messages=[Message("user", "a", tokens=5)], title="t")
    store.set_state("s", "k", 1)
    store.clear("s")
    info = store.get("s")
    assert (info.message_count, info.total_tokens, info.title) == (0, 0, "t")
    assert store.get_state("s", "k") == 1


def test_only_appends_are_activity(store: ReferenceStore, clock):
    """Reads, edits, deletions, facts and state leave the last activity as it is."""
    store.append("s", [Message("user", text) for text in "abc"])
    appended = clock.now_us()
    clock.move(10)
    store.read("s")
    store.edit_message("s", store.read("s")[0].id, Message("user", "x", tokens=3))
    store.delete_message("s", store.read("s")[0].id)
    store.pop_last("s")
    store.update("s", title="t")
    store.set_state("s", "k", 1)
    store.clear("s")
    assert store.get("s").last_activity_us == appended
    store.append("s", [Message("user", "late", created_at_us=5)])
    assert store.get("s").last_activity_us == appended + 10


def test_update_sets_only_what_is_given(store: ReferenceStore):
    """Facts that are not given stay; None removes one."""
    store.create("s", owner="o", title="t", llm_model="m", metadata={"a": 1})
    store.update("s", title="new", metadata={})
    info = store.get("s")
    assert (info.owner, info.title, info.llm_model, info.metadata) == ("o", "new", "m", {})
    store.update("s", owner=None, metadata=None)
    store.update("s")
    info = store.get("s")
    assert (info.owner, info.title, info.metadata) == (None, "new", None)
    with pytest.raises(NotFound):
        store.update("unknown", title="x")
    for bad in ({"title": 1}, {"metadata": [1]}, {"metadata": {"a": {1}}}, {"owner": b"x"}):
        with pytest.raises(Refused):
            store.update("s", **bad)


@pytest.mark.parametrize("value", [None, 0, "", "null", [1, {"a": None}], 1.0, True, "\ud800\0"])
def test_state_keeps_any_json(store: ReferenceStore, value):
    """What was set is read back with its type; a later set wins; other keys stay."""
    store.set_state("s", "other", "x")
    store.set_state("s", "k", "before")
    store.set_state("s", "k", value)
    assert store.get_state("s", "k") == value
    assert type(store.get_state("s", "k")) is type(value)
    assert store.get_state("s", "other") == "x"
    assert store.list() == ["s"]


def test_state_refuses_what_json_cannot_express(store: ReferenceStore):
    """A value that JSON cannot express is refused and creates nothing."""
    for bad in ({1}, float("nan"), b"x", {"a": object()}):
        with pytest.raises(Refused):
            store.set_state("s", "k", bad)
    with pytest.raises(Refused):
        store.set_state("s", 5, "x")
    assert store.list() == []


def test_tables_are_named_truly(store: ReferenceStore, foreign):
    """The names that tables() gives can be used in SQL."""
    store.append("s", [Message("user", "a")])
    names = store.tables()
    sql = (
        f"SELECT count(*) FROM {names.messages} AS m JOIN {names.sessions} AS s "
        f"ON s.{names.session_key} = m.{names.message_session} WHERE m.{names.message_seq} = 1"
    )
    assert foreign.execute(sql).fetchone() == (1,)
