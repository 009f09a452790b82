"""Clocks of several machines: how far they are apart, and what a history is on another one."""

import numpy as np

from sessionproof.history.clocks import SAME, Bounds, agreed, looked_at, on_clock
from sessionproof.history.columns import NEVER, ROW, History


def rows(*times):
    """Operations of one client at these times."""
    made = np.zeros(len(times), ROW)
    made["inv"], made["ret"] = [inv for inv, _ in times], [ret for _, ret in times]
    return History(made)


def test_the_truth_lies_between_the_bounds_of_a_look():
    """Whenever the answer was given between asking and coming, the offset is not excluded."""
    for offset in (-1_000, 0, 77):
        for told_at in (100, 130, 160):  # ours, between 100 and 160
            bounds = looked_at(100, told_at + offset, 160)
            assert bounds.least <= offset <= bounds.most
            assert bounds.error_ns == 30


def test_looks_together_say_more_than_each():
    """What every look allows is allowed, and nothing else."""
    assert agreed([Bounds(-10, 5), Bounds(-3, 20)]) == Bounds(-3, 5)


def test_looks_that_exclude_each_other_allow_everything_between():
    """A clock that was set between two looks is not known better than both say."""
    assert agreed([Bounds(0, 1), Bounds(10, 12)]) == Bounds(0, 12)
    assert Bounds(0, 1).hull(Bounds(10, 12)) == Bounds(0, 12)


def test_an_operation_on_another_clock_holds_the_true_one():
    """Whatever the offsets are within their bounds, the interval holds the true interval."""
    theirs, ours = Bounds(40, 60), Bounds(-5, 5)
    for offset in (40, 50, 60):
        for own in (-5, 0, 5):
            true = (1_000 + own, 1_010 + own)  # on our clock
            seen = rows((1_000 + offset, 1_010 + offset))
            moved = on_clock(seen, theirs=theirs, ours=ours, first_client=3).rows[0]
            assert moved["inv"] <= true[0]
            assert moved["ret"] >= true[1]


def test_clocks_that_are_one_change_no_time():
    """Without an error nothing is made longer."""
    seen = rows((1, 2), (3, NEVER))
    moved = on_clock(seen, theirs=SAME, ours=SAME, first_client=7)
    assert moved.rows["inv"].tolist() == [1, 3]
    assert moved.rows["ret"].tolist() == [2, NEVER]


def test_operations_on_another_clock_have_no_order_of_their_client():
    """Intervals that were made longer may overlap, so each is a client of its own."""
    seen = rows((1, 2), (3, 4))
    moved = on_clock(seen, theirs=Bounds(0, 10), ours=SAME, first_client=7)
    assert moved.rows["client"].tolist() == [7, 8]
    assert seen.rows["client"].tolist() == [0, 0]


def test_what_never_ended_never_ends():
    """An unknown outcome stays one on every clock."""
    moved = on_clock(rows((5, NEVER)), theirs=Bounds(9, 11), ours=SAME, first_client=0)
    assert moved.rows["ret"][0] == NEVER
    assert moved.rows["inv"][0] == 5 - 11
