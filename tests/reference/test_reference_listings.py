"""Listings of sessions: what they answer, what their statements look at; the views of the file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, date, timedelta
from zoneinfo import ZoneInfo

import pytest

from sessionproof import Message, Refused
from sessionproof.contract.clock import VirtualClock
from sessionproof.reference import AsyncReferenceStore, ReferenceStore

HOUR = 3_600_000_000
DAY = 24 * HOUR
TOKYO = ZoneInfo("Asia/Tokyo")


def said(role: str = "user", **known) -> list[Message]:
    return [Message(role, "x", **known)]


@pytest.fixture
def filled(store: ReferenceStore, clock: VirtualClock) -> ReferenceStore:
    """Six sessions of two owners and two models, an hour apart, from midnight UTC on."""
    for number in range(6):
        tokens = 10 * number
        store.create(
            f"s{number}", owner="ann" if number % 2 else "bob", llm_model="ab"[number % 2],
            messages=said(tokens=tokens, duration_us=number * 1_000_000) * (number + 1),
        )  # fmt: skip
        clock.move(HOUR)
    return store


def names(page) -> list[str]:
    return [one.session_id for one in getattr(page, "sessions", page)]


def test_the_newest_activity_comes_first_page_by_page(filled: ReferenceStore):
    """Pages follow each other without a gap or a repetition, and the last one has no cursor."""
    seen, cursor = [], None
    for _ in range(3):
        page = filled.recent_sessions(limit=2, cursor=cursor)
        seen += names(page)
        cursor = page.next
    assert seen == ["s5", "s4", "s3", "s2", "s1", "s0"]
    assert cursor is None


def test_pages_stay_good_while_sessions_come_and_go(filled: ReferenceStore):
    """What becomes active moves to the front; what was not shown is neither lost nor doubled."""
    first = filled.recent_sessions(limit=2)
    filled.append("s4", said())
    filled.delete("s3")
    filled.create("new")
    assert names(filled.recent_sessions(limit=9, cursor=first.next)) == ["s2", "s1", "s0"]


def test_sessions_of_one_time_are_told_apart(store: ReferenceStore):
    """Equal times make no session disappear between two pages."""
    for number in range(5):
        store.create(f"s{number}")
    first = store.recent_sessions(limit=3)
    assert names(first) + names(store.recent_sessions(limit=3, cursor=first.next)) == [
        "s4", "s3", "s2", "s1", "s0",
    ]  # fmt: skip


def test_an_owner_and_a_status_are_asked_for(filled: ReferenceStore):
    """Both narrow the listing, and its answers are what get answers."""
    filled.set_status("s1", "paused")
    page = filled.recent_sessions(owner="ann", status="active")
    assert names(page) == ["s5", "s3"]
    assert page.sessions[0] == filled.get("s5")
    assert names(filled.recent_sessions(owner="nobody")) == []


def test_paused_and_expired_sessions_are_listed(filled: ReferenceStore, clock: VirtualClock):
    """Erratum 38: each session is listed with its status; expired at once, without a sweep."""
    filled.set_status("s1", "paused")
    filled.set_status("s2", "archived")
    filled.set_limits("s3", idle_us=HOUR)
    clock.move(HOUR)
    shown = {one.session_id: one.status for one in filled.recent_sessions().sessions}
    assert (shown["s1"], shown["s2"], shown["s3"]) == ("paused", "archived", "expired")
    assert names(filled.recent_sessions(status="expired")) == ["s3"]
    assert len(shown) == 6


def test_a_day_is_that_of_a_zone(filled: ReferenceStore, clock: VirtualClock):
    """The hours from 15:00 UTC on are the next day in Tokyo."""
    today = date(2026, 1, 1)
    clock.move(10 * HOUR)  # 16:00 UTC
    filled.create("late")
    assert "late" in names(filled.recent_sessions(day=today))
    assert names(filled.recent_sessions(day=today + timedelta(days=1), zone=TOKYO)) == ["late"]
    assert "late" not in names(filled.recent_sessions(day=today, zone=TOKYO))


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)])
def test_days_have_the_hours_that_they_have(store: ReferenceStore, clock: VirtualClock, day, hours):
    """The days on which clocks are changed have 23 and 25 hours; each message counts on one day."""
    berlin = ZoneInfo("Europe/Berlin")
    clock.move((day - date(2026, 1, 1)).days * DAY - 3 * HOUR)
    for _ in range(30):
        store.append("s", said(tokens=1))
        clock.move(HOUR)
    by_day = {one.day: one.messages for one in store.token_use(zone=berlin)}
    assert by_day[day] == hours
    assert sum(by_day.values()) == 30


def test_tokens_are_summed_by_day_and_model(filled: ReferenceStore, clock: VirtualClock):
    """Every message counts on the day of its append; unknown tokens count as 0."""
    clock.move(DAY)
    filled.append("s1", said(tokens=7) + said())
    use = filled.token_use()
    assert [(one.day.day, one.llm_model, one.messages, one.tokens) for one in use] == [
        (1, "a", 1 + 3 + 5, 0 + 3 * 20 + 5 * 40),
        (1, "b", 2 + 4 + 6, 2 * 10 + 4 * 30 + 6 * 50),
        (2, "b", 2, 7),
    ]
    second = date(2026, 1, 2)
    assert filled.token_use(first=second) == use[2:] == filled.token_use(first=second, last=second)
    assert filled.token_use(last=date(2026, 1, 1), owner="bob") == use[:1]


@pytest.mark.parametrize("zone", [UTC, TOKYO, ZoneInfo("America/New_York")])
def test_days_end_where_the_calendar_does(filled: ReferenceStore, clock: VirtualClock, zone):
    """The first and last day that Python knows are days; later times count as on the last."""
    clock.move(300_000_000_000_000_000)  # to after the year 9999
    filled.append("s0", said(tokens=1))
    everything = filled.token_use(first=date.min, last=date.max, zone=zone)
    assert everything == filled.token_use(zone=zone)
    assert everything[-1].day == date.max
    for day in (date.min, date.max):
        assert names(filled.recent_sessions(day=day, zone=zone)) == ["s0"] * (day == date.max)


def test_slow_answers_are_filtered_by_sql(filled: ReferenceStore):
    """Erratum 62: the slowest come first, as many as were asked for, narrowed in SQL."""
    filled.append("s1", [Message("assistant", "slow", duration_us=9_000_000, id="mine")])
    found = filled.slow_responses(least_us=4_000_000, limit=3)
    assert [(one.session_id, one.seq) for one in found] == [("s1", 3), ("s5", 1), ("s5", 2)]
    assert found[0].message == filled.read("s1")[-1]
    assert found[0].llm_model == "b"
    assert [one.session_id for one in filled.slow_responses(least_us=4_000_000, role="user")] == [
        "s5"
    ] * 6 + ["s4"] * 5
    assert len(filled.slow_responses(least_us=0, session_id="s2")) == 3
    assert len(filled.slow_responses(least_us=0, owner="bob", llm_model="a")) == 9
    assert filled.slow_responses(least_us=9_000_001) == ()


def test_messages_without_a_duration_are_not_slow(store: ReferenceStore):
    """An unknown duration is none, not 0."""
    store.append("s", said())
    assert store.slow_responses(least_us=0) == ()


@pytest.mark.parametrize(
    ("by", "first"), [("messages", "many"), ("tokens", "dear"), ("duration", "long")]
)
def test_sessions_are_large_by_what_is_named(store: ReferenceStore, by: str, first: str):
    """The counters decide; an owner narrows."""
    store.create("many", messages=said() * 3)
    store.create("dear", messages=said(tokens=9), owner="ann")
    store.create("long", messages=said(duration_us=9))
    assert names(store.largest_sessions(by=by, limit=1)) == [first]
    assert names(store.largest_sessions(by=by, owner="ann")) == ["dear"]


def test_statistics_add_the_counts(filled: ReferenceStore):
    """Erratum 17: sums over sessions, not over their different counts; by model and status."""
    filled.create("same", llm_model="a", messages=said(tokens=1))
    filled.set_status("s4", "paused")
    rows = {(one.llm_model, one.status): one for one in filled.session_statistics()}
    active = rows["a", "active"]
    assert (active.sessions, active.messages, active.tokens) == (3, 1 + 3 + 1, 60 + 1)
    assert rows["a", "paused"].messages == 5
    assert rows["b", "active"].duration_us == (2 * 1 + 4 * 3 + 6 * 5) * 1_000_000
    assert rows["b", "active"].last_activity_us == filled.get("s5").last_activity_us


def test_only_what_has_run_out_is_at_its_timeout(filled: ReferenceStore, clock: VirtualClock):
    """Erratum 36: no session that is in time, paused, ended or without limits is listed."""
    filled.set_limits("s0", idle_us=HOUR)
    filled.set_limits("s1", hard_us=HOUR - 1, idle_us=HOUR)
    filled.set_limits("s2", idle_us=2 * HOUR)
    filled.set_limits("s3", idle_us=HOUR)
    filled.set_status("s3", "paused")
    clock.move(HOUR - 1)
    assert [one.session_id for one in filled.sessions_at_timeout()] == ["s1"]
    clock.move(1)
    found = filled.sessions_at_timeout()
    assert [(one.session_id, one.run_out) for one in found] == [("s1", "hard"), ("s0", "idle")]
    assert filled.sessions_at_timeout(limit=1) == found[:1]
    assert set(filled.sweep().expired) == {"s0", "s1"}
    assert filled.sessions_at_timeout() == ()


BAD = {
    "limit": lambda s: s.recent_sessions(limit=0),
    "cursor": lambda s: s.recent_sessions(cursor="nonsense"),
    "cursor too large": lambda s: s.recent_sessions(cursor=f"{'9' * 19}.1"),
    "cursor type": lambda s: s.recent_sessions(cursor=7),
    "status": lambda s: s.recent_sessions(status="gone"),
    "owner": lambda s: s.recent_sessions(owner=7),
    "day": lambda s: s.recent_sessions(day="2026-01-01"),
    "by": lambda s: s.largest_sessions(by="weight"),
    "least": lambda s: s.slow_responses(least_us=-1),
    "role": lambda s: s.slow_responses(least_us=0, role=7),
    "timeout limit": lambda s: s.sessions_at_timeout(limit=-1),
}


@pytest.mark.parametrize("ask", BAD.values(), ids=BAD)
def test_what_cannot_be_asked_is_refused_in_a_line(store: ReferenceStore, ask):
    """Each names what is wrong."""
    with pytest.raises(Refused) as refused:
        ask(store)
    assert "\n" not in str(refused.value)


def test_texts_that_utf8_cannot_express_are_listed(store: ReferenceStore):
    """Ids, owners and models with lone surrogates are asked for and answered as they are."""
    store.create("\ud800", owner="\ud801", llm_model="\ud802", messages=said(duration_us=5))
    assert names(store.recent_sessions(owner="\ud801")) == ["\ud800"]
    assert store.slow_responses(least_us=5, llm_model="\ud802")[0].session_id == "\ud800"
    assert store.session_statistics()[0].llm_model == "\ud802"
    assert store.token_use(owner="\ud801")[0].llm_model == "\ud802"


async def _asked(path) -> tuple[list[str], int]:
    async with AsyncReferenceStore(path) as store:
        await store.create("s", messages=said(duration_us=1))
        assert await store.session_statistics()
        assert not await store.sessions_at_timeout()
        assert await store.token_use()
        assert await store.largest_sessions()
        return names(await store.recent_sessions()), len(await store.slow_responses(least_us=1))


def test_tasks_ask_the_same(tmp_path):
    """The asynchronous store has all of it."""
    import asyncio

    assert asyncio.run(_asked(tmp_path)) == (["s"], 1)


LOOKS = {
    "recent of an owner": (lambda s: s.recent_sessions(owner="ann"), "sessions_by_owner"),
    "largest of an owner": (lambda s: s.largest_sessions(owner="ann"), "sessions_by_owner"),
    "timeout": (lambda s: s.sessions_at_timeout(), "sessions_by_due"),
    "tokens of an owner": (lambda s: s.token_use(owner="ann"), "sessions_by_owner"),
    "slow of a session": (lambda s: s.slow_responses(least_us=1, session_id="s1"), "session_id=?"),
    "slow of an owner": (lambda s: s.slow_responses(least_us=1, owner="ann"), "sessions_by_owner"),
}


def plans(store: ReferenceStore, ask) -> list[str]:
    """What SQLite does for the statements of a call."""
    asked: list[str] = []
    store._readers.run(lambda db: db.set_trace_callback(asked.append))
    ask(store)
    store._readers.run(lambda db: db.set_trace_callback(None))
    with closing(sqlite3.connect(store.tables().path)) as db:
        return [
            row[3]
            for sql in asked
            if sql.startswith("SELECT")
            for row in db.execute(f"EXPLAIN QUERY PLAN {sql}")
        ]


@pytest.mark.parametrize(("ask", "index"), LOOKS.values(), ids=LOOKS)
def test_what_is_asked_of_one_looks_at_nothing_else(filled: ReferenceStore, ask, index: str):
    """An owner, a session and what is due are found by an index; no table is read as a whole."""
    seen = plans(filled, ask)
    assert any(index in step for step in seen)
    assert not [step for step in seen if step.startswith("SCAN") and "found" not in step], seen


@pytest.mark.parametrize(
    "ask",
    [
        lambda s: s.recent_sessions(),
        lambda s: s.largest_sessions(),
        lambda s: s.session_statistics(),
    ],
    ids=["recent", "largest", "statistics"],
)
def test_what_is_asked_of_all_sessions_reads_no_messages(filled: ReferenceStore, ask):
    """The table of sessions knows enough."""
    seen = plans(filled, ask)
    assert seen
    assert not [step for step in seen if "messages" in step], seen


# The views of the file, which tools look at without this package


@pytest.fixture
def real(tmp_path):
    """A store on the machine's clock, which the views go by, and another program's connection."""
    with (
        ReferenceStore(tmp_path, durability="process") as store,
        closing(sqlite3.connect(tmp_path / "sessions.db")) as db,
    ):
        yield store, db


def test_the_view_of_recent_sessions_has_them_all(real):
    """Erratum 38: paused, archived and expired sessions are in it, each with its status."""
    store, db = real
    for name in ("a", "b", "c", "d"):
        store.create(name, owner="ann", messages=said(tokens=3))
    store.set_status("b", "paused")
    store.set_status("c", "archived")
    db.execute("UPDATE sessions SET hard_deadline_us = 1 WHERE session_id = 'a'")
    rows = db.execute(
        "SELECT session_id, status, message_count, total_tokens, owner FROM recent_sessions"
    ).fetchall()
    assert {row[:2] for row in rows} == {
        ("d", "active"), ("c", "archived"), ("b", "paused"), ("a", "expired"),
    }  # fmt: skip
    assert rows[0] == ("d", "active", 1, 3, "ann")
    (text,) = db.execute("SELECT last_activity FROM recent_sessions LIMIT 1").fetchone()
    (now,) = db.execute("SELECT datetime('now')").fetchone()
    assert text[:10] <= now[:10]


def test_the_view_of_statistics_adds_the_counts(real):
    """Erratum 17: three sessions of two messages are six messages."""
    store, db = real
    for name in ("a", "b", "c"):
        store.create(name, llm_model="m", messages=said(tokens=5) * 2)
    rows = db.execute(
        "SELECT llm_model, status, sessions, messages, tokens FROM session_statistics"
    ).fetchall()
    assert rows == [("m", "active", 3, 6, 30)]


def test_the_view_of_timeouts_has_what_is_due_alone(real):
    """Erratum 36: healthy, paused and ended sessions, and those without limits, are not in it."""
    store, db = real
    for name in ("free", "healthy", "hard", "idle", "paused", "swept"):
        store.create(name)
    store.set_limits("healthy", idle_us=DAY, hard_us=DAY)
    db.execute("UPDATE sessions SET hard_deadline_us = 7 WHERE session_id IN ('hard', 'paused')")
    db.execute("UPDATE sessions SET idle_timeout_us = 1, last_activity_us = 1 "
               "WHERE session_id IN ('idle', 'swept')")  # fmt: skip
    db.execute("UPDATE sessions SET status = 'paused' WHERE session_id = 'paused'")
    db.execute("UPDATE sessions SET status = 'expired' WHERE session_id = 'swept'")
    db.commit()
    rows = db.execute("SELECT session_id, run_out, deadline FROM sessions_at_timeout").fetchall()
    assert [row[:2] for row in rows] == [("idle", "idle"), ("hard", "hard")]
    assert rows[0][2] == "1970-01-01 00:00:00"
    assert set(store.sweep().expired) == {"hard", "idle"}
    assert db.execute("SELECT count(*) FROM sessions_at_timeout").fetchone() == (0,)


def test_the_view_of_timeouts_uses_an_index(real):
    """Erratum 16: what is due is found by the index of due times."""
    _, db = real
    steps = [row[3] for row in db.execute("EXPLAIN QUERY PLAN SELECT * FROM sessions_at_timeout")]
    assert "sessions_by_due" in steps[0]


def test_verify_knows_the_views(real):
    """A store with its views is in order; one that lacks a view is not opened."""
    store, db = real
    assert store.verify().ok
    db.execute("DROP VIEW recent_sessions")
    with pytest.raises(Refused, match="view recent_sessions is missing"):
        ReferenceStore(store._path.parent)
