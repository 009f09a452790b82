"""Errata of sums, health, limits, snapshots, exports and search, none of them here."""

from __future__ import annotations

import os
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from sessionproof import Expired, Message, NotFound, Refused
from sessionproof.contract.clock import VirtualClock
from sessionproof.reference import ReferenceStore, Timeouts, lifetime

HOUR_US = 3_600_000_000
MINUTE_US = 60_000_000


def say(*texts: str) -> list[Message]:
    return [Message("user", text) for text in texts]


def limited(store: ReferenceStore, **limits: int | None) -> None:
    """A session with a message and these limits."""
    store.append("s", say("hello"))
    store.set_limits("s", **limits)


def test_sums_are_of_all_sessions(store: ReferenceStore):
    """Erratum 17: three sessions of two messages have six."""
    for name in "abc":
        store.append(name, say("one", "two"))
    (sums,) = store.session_statistics()
    assert (sums.sessions, sums.messages) == (3, 6)


def test_a_deletion_is_no_gap(store: ReferenceStore):
    """Erratum 20: the check of a session is about damage."""
    store.append("s", say("one", "two", "three"))
    store.delete_message("s", store.read("s")[1].id)
    assert store.verify("s").problems == ()
    assert store.verify().problems == ()


def test_a_healthy_store_is_healthy_and_a_drifted_one_is_not(store: ReferenceStore, foreign):
    """Erratum 22: what it looks at is the store, and tokens count."""
    store.append("s", say("hello"))
    assert store.health().severity == "ok"
    foreign.execute("UPDATE sessions SET total_tokens = total_tokens + 7")
    assert store.health().severity in ("warning", "critical")


@pytest.mark.parametrize("limit", [0, -1, -(10**18)])
def test_limits_are_at_least_a_microsecond(store: ReferenceStore, limit: int):
    """Erratum 33: nothing that could never run out, or has run out before, is taken."""
    store.append("s", say("hello"))
    for limits in ({"idle_us": limit}, {"hard_us": limit}):
        with pytest.raises(Refused):
            store.set_limits("s", **limits)
    with pytest.raises(ValueError, match="idle_us must be"):
        Timeouts(idle_us=limit)


def test_new_sessions_have_their_limits_by_themselves(tmp_path: Path, clock: VirtualClock):
    """Erratum 33: there is no second row that somebody must insert."""
    limits = Timeouts(idle_us=HOUR_US, hard_us=None)
    with ReferenceStore(tmp_path, clock=clock, timeouts=limits) as store:
        store.append("appended", say("hello"))
        store.create("created")
        store.set_state("set", "key", 1)
        clock.move(HOUR_US)
        assert set(store.sweep().expired) == {"appended", "created", "set"}


def test_the_hard_limit_comes(store: ReferenceStore, clock: VirtualClock):
    """Erratum 34: its end is computed, and activity does not move it."""
    limited(store, hard_us=HOUR_US)
    for _ in range(6):
        clock.move(9 * MINUTE_US)
        store.append("s", say("busy"))
    clock.move(6 * MINUTE_US)
    with pytest.raises(Expired):
        store.append("s", say("too late"))
    assert store.sweep().expired == ("s",)


def test_limits_and_activity_stand_once(store: ReferenceStore, foreign):
    """Erratum 35: one column for each, of the session itself."""
    sql = (
        "SELECT t.name, c.name FROM pragma_table_list AS t, pragma_table_xinfo(t.name) AS c "
        "WHERE c.name IN ('last_activity_us', 'idle_timeout_us', 'hard_deadline_us') "
        "AND t.type = 'table' AND t.schema = 'main'"
    )
    found = foreign.execute(sql).fetchall()
    assert sorted(found) == [
        ("sessions", name) for name in ("hard_deadline_us", "idle_timeout_us", "last_activity_us")
    ]


def test_what_is_in_no_danger_is_not_listed(store: ReferenceStore, clock: VirtualClock):
    """Erratum 36: those at their limit are listed, and are what a sweep tells."""
    store.append("free", say("hello"))
    limited(store, idle_us=HOUR_US)
    assert store.sessions_at_timeout() == ()
    clock.move(HOUR_US)
    assert [one.session_id for one in store.sessions_at_timeout()] == ["s"]
    assert store.sweep().expired == ("s",)
    assert store.sessions_at_timeout() == ()


@pytest.mark.parametrize("status", ["paused", "archived", "expired"])
def test_what_is_put_away_takes_no_messages_and_is_listed(store: ReferenceStore, status: str):
    """Errata 37 and 38: also by a batch, with state, or by a replacement."""
    store.append("s", say("hello"))
    store.set_status("s", status)
    for call in (
        lambda: store.append("s", say("x")),
        lambda: store.append("s", say(*["x"] * 60)),
        lambda: store.append_with_state("s", say("x"), {"key": 1}),
        lambda: store.replace("s", say("x")),
    ):
        with pytest.raises(Expired):
            call()
    assert [message.content for message in store.read("s")] == ["hello"]
    assert store.list() == ["s"]
    assert [one.session_id for one in store.recent_sessions().sessions] == ["s"]
    assert [one.session_id for one in store.recent_sessions(status=status).sessions] == ["s"]


def test_sweeps_set_the_status(store: ReferenceStore, clock: VirtualClock):
    """Erratum 38: idle when it is warned, expired when it has ended."""
    limited(store, idle_us=HOUR_US)
    seen = []
    for minutes in (0, 56, 4):
        clock.move(minutes * MINUTE_US)
        store.sweep()
        seen.append(store.get("s").status)
    assert seen == ["active", "idle", "expired"]


def test_reading_changes_nothing(store: ReferenceStore, clock: VirtualClock, foreign):
    """Erratum 39: also of a session that has ended."""
    limited(store, idle_us=HOUR_US)
    clock.move(2 * HOUR_US)
    store.search("hello")  # the index is brought up to date once
    before = foreign.execute("PRAGMA data_version").fetchone()
    assert [message.content for message in store.read("s")] == ["hello"]
    store.read_last("s", 1), store.page("s"), store.count("s"), store.get("s"), store.list()
    store.search("hello"), store.recent_sessions(), store.sessions_at_timeout()
    assert foreign.execute("PRAGMA data_version").fetchone() == before
    assert store.sweep().expired == ("s",)


def test_a_sweep_walks_through_no_table(store: ReferenceStore, foreign):
    """Errata 16 and 40: what is due is found by its index."""
    for sql in (lifetime.DUE, lifetime.SWEEP):
        values = [1] * len(set(re.findall(r"\?\d+", sql)) or re.findall(r"\?", sql))
        plan = foreign.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()
        assert not [line for *_, line in plan if line.startswith("SCAN sessions")], plan


def test_whoever_asks_hears_the_same(store: ReferenceStore, clock: VirtualClock):
    """Erratum 41: there is no flag beside the time; at the limit all say so, swept or not."""
    limited(store, idle_us=HOUR_US)
    clock.move(HOUR_US - 1)
    assert store.get("s").status == "active"
    clock.move(1)
    assert store.get("s").status == "expired"
    with pytest.raises(Expired):
        store.append("s", say("too late"))
    with pytest.raises(Expired):
        store.touch("s")


@pytest.fixture
def in_tokyo(monkeypatch):
    """The process is in another zone."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="needs tzset")
@pytest.mark.usefixtures("in_tokyo")
def test_limits_know_no_zones(store: ReferenceStore, clock: VirtualClock):
    """Erratum 42: not nine hours early, nor late."""
    limited(store, idle_us=HOUR_US)
    clock.move(HOUR_US - 1)
    assert store.sweep().expired == ()
    clock.move(1)
    assert store.sweep().expired == ("s",)


def test_a_snapshot_has_everything_and_outlives_its_session(tmp_path: Path, clock: VirtualClock):
    """Errata 43, 44 and 45: taken before the deletion, it gives the session back as it was."""
    said = Message("user", "hello", tokens=3, duration_us=9, metadata={"a": [None]})
    with ReferenceStore(tmp_path, clock=clock, snapshots_before={"delete"}) as store:
        store.create("s", owner="ann", title="t", metadata={"b": 1}, messages=[said, said])
        store.set_state("s", "key", {"x": 1.0})
        store.set_limits("s", idle_us=HOUR_US)
        store.delete_message("s", store.read("s")[0].id)
        asked = store.snapshot("s", reason="before lunch")
        facts, messages = store.get("s"), store.read("s")
        store.delete("s")
        taken, first = store.snapshots("s")
        assert (first.snapshot_id, first.kind, first.reason) == (
            asked,
            "checkpoint",
            "before lunch",
        )
        assert (taken.kind, taken.message_count) == ("delete", 1)
        assert store.restore_snapshot(taken.snapshot_id) == "s"
        assert replace(store.get("s"), last_activity_us=facts.last_activity_us) == facts
        assert store.read("s") == messages
        assert store.get_state("s", "key") == {"x": 1.0}
        assert store.append("s", say("next")).seqs == (3,)
        clock.move(HOUR_US)
        assert store.sweep().expired == ("s",)


def test_an_export_keeps_what_is_empty_and_what_is_not_there_apart(
    store: ReferenceStore, tmp_path: Path
):
    """Erratum 54: a table has its header, and comes back as it went."""
    called = Message("assistant", None, kind="tool_call", name="f", call_id="1", arguments={"a": 1})
    sent = [Message("user", "", metadata={}), called, Message("user", 'a,"b"\n', tokens=0)]
    store.create("s", title="", messages=sent)
    store.create("t")
    store.export_sessions(tmp_path / "table", form="csv")
    (tmp_path / "other").mkdir()
    with ReferenceStore(tmp_path / "other") as other:
        other.import_sessions(tmp_path / "table")
        assert other.read("s") == store.read("s")
        assert (other.get("s").title, other.get("t").title) == ("", None)
        assert sorted(other.list()) == ["s", "t"]


def test_what_is_said_is_found_until_it_is_gone(store: ReferenceStore):
    """Erratum 55: at once, and never after its session."""
    store.append("s", say("the harbour of Oslo"))
    assert [hit.session_id for hit in store.search("harbour")] == ["s"]
    store.delete("s")
    store.create("s")
    assert store.search("harbour") == []


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("a well-known harbour", "well-known"),
        ("it's late", "it's"),
        ("he writes C++ now", "C++"),
        ("我们明天去北京", "北京"),
        ("x->y", "x->y"),
    ],
)
def test_a_query_is_no_syntax(store: ReferenceStore, text: str, query: str):
    """Erratum 56: a user's text finds, and is no error."""
    store.append("s", say("nothing here", text))
    assert [hit.message.content for hit in store.search(query)] == [text]


@pytest.mark.parametrize("query", ['"', "'", "-", "NOT", "a AND", "*", "^", "a:b", "(", "NEAR(a"])
def test_an_odd_query_is_no_error(store: ReferenceStore, query: str):
    """Erratum 56: whatever it finds."""
    store.append("s", say("a b"))
    store.search(query)


def test_a_session_needs_nothing_but_its_id(store: ReferenceStore):
    """Erratum 58: what comes later need not be there before."""
    store.create("s")
    facts = store.get("s")
    assert (facts.message_count, facts.title, facts.owner, facts.llm_model) == (0, None, None, None)


def test_slow_answers_are_filtered(store: ReferenceStore):
    """Erratum 62: by their time, their model and their owner, the slowest first."""
    for name, owner in (("a", "ann"), ("b", "bob")):
        store.create(name, owner=owner, llm_model="m" if owner == "ann" else "n")
        for took in (10, 30, 20):
            store.append(name, [Message("assistant", f"{took}", duration_us=took)])
    slow = store.slow_responses(least_us=20, owner="ann", llm_model="m")
    assert [one.message.content for one in slow] == ["30", "20"]
    assert store.slow_responses(least_us=31) == ()


def test_a_database_that_is_not_there_is_not_made_by_looking(tmp_path: Path, run_apart):
    """Erratum 22: the commands that look say what is missing, and leave nothing."""
    missing = tmp_path / "no" / "sessions.db"
    for command in ("health", "verify"):
        told = run_apart(
            "import subprocess, sys\n"
            f"done = subprocess.run([sys.executable, '-m', 'sessionproof', '{command}', "
            f"{os.fspath(missing)!r}], capture_output=True, text=True)\n"
            "print(done.returncode, len(done.stderr.splitlines()))"
        )
        assert told.split()[0] == "2"
    assert not missing.parent.exists()


def test_limits_of_nobody_are_refused(store: ReferenceStore):
    """Erratum 33: what is set for an unknown session is not set for ever."""
    for call in (store.touch, store.set_limits, store.snapshot):
        with pytest.raises(NotFound):
            call("nobody")
    assert store.list() == []
