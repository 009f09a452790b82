"""How sessions end on PostgreSQL: the same lives, by the same tests where these fit both."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import test_reference_lifetime as on_sqlite
import test_reference_lifetime_model as model
import test_reference_sweeps as sweeps
import test_reference_transitions as transitions

from sessionproof import Message, Refused
from sessionproof.contract.lifetime import STATUSES, Swept
from sessionproof.reference.postgres import lifetime
from sessionproof.reference.transitions import MOVES

limited = on_sqlite.limited
test_a_limit_runs_out_when_the_clock_shows_it = (
    on_sqlite.test_a_limit_runs_out_when_the_clock_shows_it
)
test_the_earlier_limit_counts = on_sqlite.test_the_earlier_limit_counts
test_activity_is_what_is_declared = on_sqlite.test_activity_is_what_is_declared
test_none_is_no_limit = on_sqlite.test_none_is_no_limit
test_the_longest_limits_do_not_overflow = on_sqlite.test_the_longest_limits_do_not_overflow
test_a_late_writer_does_not_move_the_activity_back = (
    on_sqlite.test_a_late_writer_does_not_move_the_activity_back
)
test_a_leap_forth_and_back_makes_nobody_immortal = (
    on_sqlite.test_a_leap_forth_and_back_makes_nobody_immortal
)
test_stepping_back_expires_nobody = on_sqlite.test_stepping_back_expires_nobody
test_a_warning_comes_once_and_again_after_activity = (
    sweeps.test_a_warning_comes_once_and_again_after_activity
)
test_a_warning_that_nobody_swept_is_not_told_after_the_end = (
    sweeps.test_a_warning_that_nobody_swept_is_not_told_after_the_end
)
test_paused_and_archived_sessions_do_not_expire = (
    transitions.test_paused_and_archived_sessions_do_not_expire
)
test_an_expired_session_is_opened_again = transitions.test_an_expired_session_is_opened_again
test_past_the_hard_limit_nobody_is_opened_without_new_limits = (
    transitions.test_past_the_hard_limit_nobody_is_opened_without_new_limits
)
test_new_limits_do_not_revive = transitions.test_new_limits_do_not_revive
test_snapshots_are_taken_before = transitions.test_snapshots_are_taken_before
test_an_end_without_a_sweep_is_kept_as_well = (
    transitions.test_an_end_without_a_sweep_is_kept_as_well
)


@pytest.fixture
def keeping(opened):
    store = opened(snapshots_before=("warning", "expiry", "archive", "delete"))
    store.append("s", [Message("user", "x")])
    store.set_limits("s", idle_us=100)
    return store


@pytest.mark.night
def test_a_life_goes_as_the_model_says(opened, monkeypatch):
    """After every call both show the same, and a sweep tells the same sessions."""

    def emptied(_folder, *, durability, clock):
        store = opened(durability=durability, clock=clock)
        store._write(lambda db: db.execute("DELETE FROM sessions"))
        return store

    monkeypatch.setattr(model, "ReferenceStore", emptied)
    model.test_a_life_goes_as_the_model_says()


def test_a_status_moves_as_declared(store, clock, foreign):
    """Each pair: taken when it is declared, nothing when it is the same, else refused."""
    for one in STATUSES:
        for other in STATUSES:
            store.delete("s")
            store.append("s", [Message("user", "x")])
            foreign.execute("UPDATE sessions SET status = %s", (one,))
            before = transitions.seen(store)
            clock.move(5)
            if other in MOVES[one]:
                store.set_status("s", other)
                moved = clock.now_us() if other == "active" else before[1]
                assert transitions.seen(store) == (other, moved)
            elif one == other:
                store.set_status("s", other)
                assert transitions.seen(store) == before
            else:
                with pytest.raises(Refused, match=f"is {one}: it can become"):
                    store.set_status("s", other)
                assert transitions.seen(store) == before


def test_without_its_snapshot_nothing_happens(keeping, clock, monkeypatch):
    """Both are one transaction: a session whose snapshot fails is as it was."""

    def fail(*_given):
        raise Refused("no room")

    clock.move(50)
    for call in (keeping.sweep, lambda: keeping.set_status("s", "archived")):
        with monkeypatch.context() as patched:
            patched.setattr(lifetime.moments, "take", fail)
            with pytest.raises(Refused, match="no room"):
                call()
        assert transitions.seen(keeping)[0] == "active"
    assert keeping.sweep() == Swept(warned=("s",))
    assert [one.kind for one in keeping.snapshots()] == ["warning"]


def test_two_sweepers_tell_each_session_once(opened, clock, monkeypatch):
    """Handles share what is due, batch by batch, and nobody is told twice or left out."""
    monkeypatch.setattr(lifetime, "BATCH", 3)
    one, other = opened(), opened(preset="web")
    names = [f"s{number}" for number in range(40)]
    for name in names:
        one.create(name)
        one.set_limits(name, idle_us=1)
    clock.move(1)
    with ThreadPoolExecutor(4) as threads:
        done = [threads.submit(store.sweep) for store in (one, other, one, other)]
        told = [name for sweep in done for name in sweep.result().expired]
    assert sorted(told) == sorted(names)
    assert one.verify().ok


def test_activity_that_moves_the_end_is_swept_later(store, clock):
    """A sweep that comes to a session that has gone on notes when to look again."""
    store.append("s", [Message("user", "x")])
    store.set_limits("s", idle_us=100)
    for _ in range(5):
        clock.move(40)
        store.append("s", [Message("user", "x")])
        assert store.sweep() == Swept()
        assert store.verify().ok
    clock.move(50)
    assert store.sweep() == Swept(warned=("s",))
    clock.move(50)
    assert store.sweep() == Swept(expired=("s",))
