"""Time to the right: to scale where that can be read, in order everywhere."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessionproof.svg.timeline import APART, TICK, WIDEST, timeline

TIMES = st.lists(st.floats(0, 1e9, allow_subnormal=False), max_size=80)


@given(TIMES)
@settings(max_examples=60, deadline=None)
def test_order_and_distance_are_kept(times):
    """Whatever the times, each later one lies at least ``APART`` to the right of an earlier one."""
    line = timeline(times, start=7.0)
    places = [line.place(time) for time in sorted({0.0, *times})]
    assert places[0] == 7.0
    assert all(after - before >= APART - 0.01 for before, after in pairwise(places))


@given(TIMES.filter(lambda times: max(times, default=0) > 0))
@settings(max_examples=60, deadline=None)
def test_the_line_is_bounded(times):
    """The line is no wider than its times need, however long it took."""
    line = timeline(times)
    assert line.places[-1] <= max(WIDEST, APART * len(set(times))) + 0.01
    assert all(a < b for a, b in line.cuts)
    assert not (line.exact and line.cuts)


def test_even_times_are_to_scale():
    """Where all can be told apart, places are in proportion to times."""
    line = timeline([100.0, 250.0, 400.0])
    assert line.exact
    assert line.place(200) == pytest.approx(line.place(400) / 2)
    assert line.place(50) == pytest.approx(line.place(400) / 8)


def test_a_longer_stretch_is_never_narrower():
    """Not to scale, a longer stretch is still at least as wide, and the longest are told."""
    line = timeline([1, 2, 50, 1_000_000, 1_000_001])
    assert not line.exact
    widths = {
        after - before: line.place(after) - line.place(before)
        for before, after in pairwise(line.times)
    }
    lengths = sorted(widths)
    assert [widths[one] for one in lengths] == sorted(widths.values())
    assert line.cuts == ((50, 1_000_000),)


def test_what_lies_outside_is_at_the_nearer_end():
    """A time before the first or behind the last is put at the end."""
    line = timeline([10.0], start=5.0)
    assert line.place(-3) == 5.0
    assert line.place(1e9) == line.places[-1]


@given(TIMES)
@settings(max_examples=60, deadline=None)
def test_marks_have_room(times):
    """No two marks of time stand closer than their words need, and the first is there."""
    line = timeline(times)
    ticks = line.ticks()
    assert ticks[0] == 0
    assert all(line.place(b) - line.place(a) >= TICK for a, b in pairwise(ticks))


def test_a_line_without_times_has_a_place():
    """Of nothing but its beginning the line is a point."""
    line = timeline([])
    assert (line.place(0), line.ticks(), line.exact) == (0.0, (0.0,), True)
