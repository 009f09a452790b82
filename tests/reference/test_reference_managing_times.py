"""When sessions of the manager end: sliding limits, accesses that are written now and then."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionproof import Message
from sessionproof.contract.clock import VirtualClock
from sessionproof.engine.machine import fast_folder
from sessionproof.reference import ReferenceStore
from sessionproof.reference.managing import SessionManager, kept

SECOND = 1_000_000
MINUTE = 60 * SECOND
YEAR = 365 * 24 * 60 * MINUTE


def opened(folder: Path, clock: VirtualClock, **options: object) -> SessionManager:
    """A manager whose clean-up waits to be asked."""
    return SessionManager(
        folder, clock=clock, cleanup_interval_us=None, durability="process", **options
    )


def test_a_session_ends_to_the_microsecond(tmp_path: Path, clock: VirtualClock):
    """Where every access is written, one before the limit lives, and at the limit it is over."""
    with opened(tmp_path, clock, timeout_us=1_500_001, access_step_us=0) as manager:
        made = manager.create_session(session_id="s")
        clock.move(1_500_000)
        assert manager.get_active_sessions() == [made]
        clock.move(1)
        assert made.expires_at_us == clock.now_us()
        assert manager.get_session("s") is None
        assert manager.get_active_sessions() == []


def test_each_access_lets_it_live_anew(tmp_path: Path, clock: VirtualClock):
    """Getting it and changing it does; looking at its parent, counting and listing does not."""
    with opened(tmp_path, clock, timeout_us=10 * SECOND, access_step_us=0) as manager:
        manager.create_session(session_id="s")
        for access in (
            lambda: manager.get_session("s"),
            lambda: manager.update_session("s", {}),
            lambda: manager.update_parent_id("s", "p"),
            lambda: manager.set_chat_id("s", "c"),
        ):
            clock.move(9 * SECOND)
            assert access()
        clock.move(9 * SECOND)
        manager.is_new_session("s")
        manager.get_parent_id("s")
        manager.get_all_sessions()
        manager.get_active_sessions()
        manager.get_metrics()
        clock.move(SECOND)
        assert manager.get_session("s") is None


def test_what_is_over_is_unknown_and_stays_until_it_is_cleaned_up(
    tmp_path: Path, clock: VirtualClock
):
    """Asking for it removes nothing and changes nothing: with the clock back it is there."""
    with opened(tmp_path, clock, access_step_us=0) as manager:
        made = manager.create_session("hi", session_id="s")
        manager.update_parent_id("s", "p")
        before = manager.get_all_sessions()
        clock.move(31 * MINUTE)
        assert manager.get_session("s") is None
        assert not manager.update_session("s", {"chat_id": "c"})
        assert not manager.update_parent_id("s", "q")
        assert not manager.set_chat_id("s", "c")
        assert manager.is_new_session("s")
        assert manager.get_parent_id("s") is None
        assert manager.get_session_count() == 1
        assert manager.get_all_sessions() == before
        clock.move(-31 * MINUTE)
        assert manager.get_session("s").created_at_us == made.created_at_us
        assert manager.get_parent_id("s") == "p"
        clock.move(31 * MINUTE)
        assert manager.delete_session("s")


def test_cleaning_up_removes_what_is_over(tmp_path: Path, clock: VirtualClock):
    """All of it, with its messages, and nothing else; again, it removes nothing."""
    with opened(tmp_path, clock, access_step_us=0) as manager:
        for number in range(230):
            manager.create_session(session_id=f"old{number}")
        manager.append("old1", [Message("user", "x")])
        clock.move(29 * MINUTE)
        manager.create_session(session_id="young")
        manager.get_session("old0")
        clock.move(2 * MINUTE)
        assert manager.cleanup() == 229
        assert {one.session_id for one in manager.get_all_sessions()} == {"young", "old0"}
        assert manager.cleanup() == 0
        clock.move(28 * MINUTE)
        assert manager.cleanup() == 2
        assert manager.store.read("old1") == []
        assert manager.store.verify().ok


def test_what_a_sweep_has_marked_is_cleaned_up_too(tmp_path: Path, clock: VirtualClock):
    """Whoever keeps the file in order beside the manager does not leave sessions behind for it."""
    with opened(tmp_path, clock) as manager:
        manager.create_session(session_id="s")
        manager.store.create("limited")
        manager.store.set_limits("limited", idle_us=5 * MINUTE)
        manager.store.create("paused")
        manager.store.set_status("paused", "paused")
        clock.move(40 * MINUTE)
        assert set(manager.store.sweep().expired) == {"s", "limited"}
        assert manager.get_active_sessions() == [manager.get_session("paused")]
        assert manager.cleanup() == 2
        assert manager.store.list() == ["paused"]


def test_accesses_within_the_step_touch_no_file(tmp_path: Path, clock: VirtualClock):
    """A read is a write once a step: in between, database and log stay as they are."""
    with opened(tmp_path, clock, access_step_us=MINUTE) as manager:
        made = manager.create_session(session_id="s")

        def contents() -> dict[str, bytes]:
            return {
                path.name: path.read_bytes()
                for path in tmp_path.iterdir()
                if not path.name.endswith("-shm")
            }

        before = contents()
        for _ in range(59):
            clock.move(SECOND)
            assert manager.get_session("s") == made
        assert contents() == before
        clock.move(SECOND)
        seen = manager.get_session("s")
        assert seen.last_accessed_us - made.last_accessed_us == MINUTE
        assert seen.expires_at_us - made.expires_at_us == MINUTE
        assert contents() != before


def test_an_access_that_was_not_written_counts(tmp_path: Path, clock: VirtualClock):
    """It lives the whole timeout after it, also for another manager, and a step longer at most."""
    with (
        opened(tmp_path, clock, timeout_us=10 * MINUTE, access_step_us=MINUTE) as manager,
        opened(tmp_path, clock, timeout_us=10 * MINUTE, access_step_us=MINUTE) as other,
    ):
        manager.create_session(session_id="s")
        clock.move(MINUTE - 1)
        manager.get_session("s")
        clock.move(10 * MINUTE - 1)
        assert other.cleanup() == 0
        assert [one.session_id for one in other.get_active_sessions()] == ["s"]
        clock.move(2)
        assert other.get_session("s") is None
        assert other.cleanup() == 1


@given(st.lists(st.integers(1, 13 * SECOND), min_size=1, max_size=12), st.integers(0, 4 * SECOND))
def test_it_lives_between_the_timeout_and_a_step_more(pauses: list[int], step_us: int):
    """Whenever it is accessed; whether it is over is the same for every call."""
    clock = VirtualClock()
    with ephemeral(clock) as store:
        manager = SessionManager(
            store, timeout_us=10 * SECOND, access_step_us=step_us, cleanup_interval_us=None
        )
        last_us = manager.create_session(session_id="s").last_accessed_us
        for pause_us in pauses:
            clock.move(pause_us)
            since_us = clock.now_us() - last_us
            active = bool(manager.get_active_sessions())
            assert active or since_us >= 10 * SECOND
            assert not active or since_us < 10 * SECOND + step_us
            assert manager.get_metrics()["active"] == int(active)
            seen = manager.get_session("s")
            assert (seen is not None) == active
            if seen is None:
                assert manager.cleanup() == 1
                return
            last_us = clock.now_us()
            assert 0 <= last_us - seen.last_accessed_us <= step_us
            assert seen.expires_at_us - seen.last_accessed_us == 10 * SECOND


@pytest.mark.parametrize("back_us", [1, SECOND, MINUTE, MINUTE + 1, 5 * MINUTE, YEAR])
def test_a_clock_that_is_set_back_makes_no_session_immortal(
    tmp_path: Path, clock: VirtualClock, back_us: int
):
    """After an access by the new time it lives for a timeout, a step and a minute at most."""
    with opened(tmp_path, clock) as manager:
        manager.create_session(session_id="s")
        clock.move(-back_us)
        assert manager.get_session("s") is not None
        clock.move(30 * MINUTE - 1)
        assert manager.get_active_sessions() != []
        clock.move(2 * MINUTE + 1)
        assert manager.get_session("s") is None
        assert manager.cleanup() == 1


def test_a_leap_of_the_clock_ends_what_is_due(tmp_path: Path, clock: VirtualClock):
    """A year later nothing lives, and what is made then does."""
    with opened(tmp_path, clock) as manager:
        manager.create_session(session_id="s")
        clock.move(YEAR)
        manager.create_session(session_id="t")
        assert manager.cleanup() == 1
        assert manager.get_session("t") is not None


def test_sessions_keep_the_limits_that_they_have(tmp_path: Path, clock: VirtualClock):
    """Those of a manager of other settings, or set beneath, hold; each access is written then."""
    with opened(tmp_path, clock, timeout_us=10 * MINUTE, access_step_us=MINUTE) as manager:
        manager.create_session(session_id="old")
        manager.create_session(session_id="hard")
        manager.store.set_limits("hard", idle_us=24 * MINUTE, hard_us=25 * MINUTE)
        manager.create_session(session_id="ever")
        manager.store.set_limits("ever")
        hard_us = clock.now_us() + 25 * MINUTE
    with opened(tmp_path, clock, timeout_us=MINUTE) as manager:
        clock.move(SECOND)
        seen = manager.get_session("old")
        assert seen.last_accessed_us == clock.now_us()
        assert seen.expires_at_us - seen.last_accessed_us == 11 * MINUTE
        clock.move(11 * MINUTE - 1)
        assert manager.get_session("old") is not None
        clock.move(11 * MINUTE)
        assert manager.get_session("old") is None
        assert manager.get_session("hard").expires_at_us == hard_us
        clock.move(YEAR)
        assert manager.get_session("hard") is None
        assert manager.get_session("ever").expires_at_us > clock.now_us() + YEAR
        assert manager.cleanup() == 2


def test_appends_are_accesses(tmp_path: Path, clock: VirtualClock):
    """Who writes into a session uses it."""
    with opened(tmp_path, clock) as manager:
        manager.create_session(session_id="s")
        clock.move(29 * MINUTE)
        manager.append("s", [Message("user", "x")])
        clock.move(29 * MINUTE)
        assert manager.get_session("s") is not None


def test_clean_ups_and_counts_cost_by_what_is_over(tmp_path: Path, clock: VirtualClock):
    """SQLite's machine makes as many steps among 4,000 sessions as among 100, give or take."""
    with ReferenceStore(tmp_path, clock=clock, durability="process") as store:
        manager = SessionManager(store, cleanup_interval_us=None)
        path = store.tables().path
        seen = {}
        for stored in (100, 4_000):
            for _ in range(stored - manager.get_session_count()):
                manager.store.create()
            for number in range(3):
                manager.create_session(session_id=f"due{number}")
                store.set_limits(f"due{number}", hard_us=1)
            clock.move(1)
            with closing(sqlite3.connect(path, isolation_level=None)) as db:
                seen[stored] = steps(db, clock.now_us())
            assert manager.get_session_count() == stored
        assert seen[4_000] < 1.2 * seen[100]


def steps(db: sqlite3.Connection, now_us: int) -> int:
    """How many steps counting, looking and removing take."""
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 1
        return 0

    db.set_progress_handler(count, 1)
    total, active = kept.counts(db, now_us)
    assert total - active == 3
    assert db.execute(kept.OVER, (now_us,)).fetchone()
    assert len(kept.clean_up(db, now_us)) == 3
    db.set_progress_handler(None, 0)
    return counted


@contextmanager
def ephemeral(clock: VirtualClock) -> Iterator[ReferenceStore]:
    """A store in a folder of its own: drawn programs must not meet each other's sessions."""
    with (
        tempfile.TemporaryDirectory(dir=fast_folder()) as folder,
        ReferenceStore(folder, clock=clock, durability="process") as store,
    ):
        yield store
