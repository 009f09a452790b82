"""The model of limits: exact on a clock that stands, open where nobody can know."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionproof.contract.claims import Claims
from sessionproof.oracle.lifetime import (
    Life,
    Span,
    acted,
    is_due,
    limited,
    shown,
    swept,
    takes,
)

AT_ONCE, BY_SWEEP = Claims(expires="at_once"), Claims(expires="by_sweep")


def at(now):
    """A time that is known."""
    return Span(now, now)


def born(now=0, **limits):
    """A session whose limits were set when it began."""
    given_limits = {"idle_us": None, "hard_us": None, **limits}
    return limited(Life(at(now)), at(now), **given_limits)


@pytest.mark.parametrize(("now", "due"), [(0, "no"), (9, "no"), (10, "yes"), (11, "yes")])
def test_a_limit_has_run_out_when_the_clock_shows_it(now, due):
    """A microsecond before the end it has not, at the end it has."""
    assert is_due(born(idle_us=10), at(now)) == due
    assert is_due(born(hard_us=10), at(now)) == due


def test_the_earlier_limit_counts():
    """Whichever comes first."""
    assert born(idle_us=5, hard_us=10).end == at(5)
    assert born(idle_us=10, hard_us=5).end == at(5)
    assert born().end is None


def test_activity_moves_the_idle_limit_alone():
    """The hard limit stays where it is."""
    life = acted(born(idle_us=10, hard_us=15), at(8), certain=True)
    assert life.end == at(15)
    assert acted(born(idle_us=10), at(8), certain=True).end == at(18)


def test_limits_that_are_set_anew_take_the_place_of_both():
    """None is no limit of that kind, also where there was one."""
    life = limited(born(idle_us=10, hard_us=10), at(5), idle_us=7, hard_us=None)
    assert life.end == at(12)
    assert limited(life, at(6), idle_us=None, hard_us=None).end is None


def test_who_ends_by_sweeps_may_take_messages_until_one_comes():
    """And who ends at once takes none."""
    life = born(idle_us=10)
    assert takes(life, at(10), AT_ONCE) == "refuses"
    assert takes(life, at(10), BY_SWEEP) == "may"
    gone = swept(life, at(10), warned=False, expired=True)
    assert takes(gone, at(10), BY_SWEEP) == "refuses"
    assert takes(gone, at(0), BY_SWEEP) == "refuses"


def test_a_sweep_that_told_nothing_ends_what_is_due_all_the_same():
    """What it has to tell, and what holds then, are two things."""
    assert swept(born(idle_us=10), at(10), warned=False, expired=False).ended
    assert not swept(born(idle_us=10), at(9), warned=False, expired=False).ended


def test_an_end_that_the_clock_has_shown_may_have_come():
    """On a clock that stepped back behind it, nobody knows."""
    life = shown(born(idle_us=10), at(10))
    assert takes(life, at(5), AT_ONCE) == "may"
    assert takes(acted(life, at(5), certain=True), at(14), AT_ONCE) == "takes"


def test_after_a_step_back_the_end_lies_between_both_times():
    """A store may keep the later activity, or take the earlier one."""
    life = acted(born(100, idle_us=10), at(50), certain=True)
    assert life.end == Span(60, 110)
    assert [takes(life, at(now), AT_ONCE) for now in (59, 60, 109, 110)] == [
        "takes", "may", "may", "refuses",
    ]  # fmt: skip


def test_times_that_are_known_roughly_leave_room():
    """Between the earliest and the latest end, nothing is said."""
    life = limited(Life(Span(0, 3)), Span(0, 3), idle_us=10, hard_us=None)
    assert is_due(life, Span(5, 9)) == "no"
    assert is_due(life, Span(9, 11)) == "maybe"
    assert is_due(life, Span(13, 20)) == "yes"


def test_nothing_is_said_of_what_is_not_known():
    """It may be taken, and it may be refused."""
    assert takes(replace(born(idle_us=1), known=False), at(9), AT_ONCE) == "may"


def test_activity_that_may_have_been_none_widens_the_end():
    """Both ends are possible, and no warning is owed for either."""
    life = acted(born(idle_us=10), at(5), certain=False)
    assert life.end == Span(10, 15)
    assert life.warned_of == life.end


@given(
    idle=st.integers(1, 20),
    hard=st.none() | st.integers(1, 60),
    steps=st.lists(st.tuples(st.integers(0, 25), st.booleans()), max_size=12),
)
def test_on_a_clock_that_goes_on_it_is_what_two_numbers_say(idle, hard, steps):
    """The same with the last activity and nothing else, as a store would do it."""
    life, now, last = born(idle_us=idle, hard_us=hard), 0, 0
    for gap, acts in steps:
        now += gap
        life = shown(life, at(now))
        over = now - last >= idle or (hard is not None and now >= hard)
        assert takes(life, at(now), AT_ONCE) == ("refuses" if over else "takes")
        if acts and not over:
            last, life = now, acted(life, at(now), certain=True)
