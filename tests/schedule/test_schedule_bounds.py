"""The sentence on what was searched: it never claims more than was run."""

from __future__ import annotations

from dataclasses import replace

from sessionproof.schedule.bounds import covered
from sessionproof.schedule.decisions import Ended
from sessionproof.schedule.explore import Cover, Explored
from sessionproof.schedule.strategies import NAMES

NAME = next(iter(NAMES.values()))
ALL = Explored(
    executions={"bound": 3_412, NAME: 9_000}, bound=Cover(2, 12, 12, 3_412), exhaustive=Cover(None)
)


def test_a_bound_that_was_run_to_its_end():
    """Every schedule is said of a bound of which all programs were run to the end, and no other."""
    said = "every schedule with at most 2 preemptions of 12 programs (3,412), 9,000 random ones"
    assert covered(ALL) == said
    some = replace(ALL, bound=Cover(2, 10, 12, 3_000, whole=2_800, begun=11))
    said = "every schedule with at most 2 preemptions of 10 of 12 programs (2,800)"
    assert covered(some) == f"{said}, some of 1 more (200), 9,000 random ones"
    none = replace(ALL, bound=Cover(2, 0, 12, 3_000, begun=1))
    said = "some schedules with at most 2 preemptions of 1 of 12 programs (3,000)"
    assert covered(none) == f"{said}, 9,000 random ones"


def test_without_a_bound_of_preemptions():
    """All schedules of single operations are told beside the bound, as such."""
    whole = replace(ALL, exhaustive=Cover(None, 1, 1, 70), executions={"bound": 3_412, "all": 70})
    assert covered(whole).endswith("(3,412), every schedule of 1 pair of operations (70)")
    some = replace(whole, exhaustive=Cover(None, 2, 12, 70, whole=60, begun=3))
    said = "(3,412), every schedule of 2 of 12 pairs of operations (60), some of 1 more (10)"
    assert covered(some).endswith(said)


def test_what_weakens_it_is_told():
    """Executions without control, that diverged, or that did not end are counted."""
    weak = replace(
        ALL, uncontrolled=3, bound=Cover(2, 11, 12, 9, 2, 8, 12), ended={Ended.DEADLOCK: 1}
    )  # fmt: skip
    said = covered(weak)
    assert "in 3 of them a client waited where it is not seen" in said
    assert "2 did not go as the one before them" in said
    assert said.endswith("1 ended as deadlock")


def test_nothing_is_told_as_nothing():
    """Where nothing was run there is no sentence, and random ones alone are called schedules."""
    assert covered(Explored()) == ""
    assert covered(Explored(executions={NAME: 1})) == "1 random schedule"
