"""Exploring: what is found, what is told of what was searched, and which programs there are."""

from __future__ import annotations

import pytest
from toy_runs import (
    A,
    Aging,
    Crossed,
    Locked,
    Pointed,
    R,
    Torn,
    Unsteady,
    Waiting,
    judge,
    program,
    runner_of,
)

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims, Limits
from sessionproof.contract.store import CAPABILITIES
from sessionproof.history.columns import F
from sessionproof.schedule.decisions import Ended
from sessionproof.schedule.explore import ALL_MOST, Explored, explore
from sessionproof.schedule.programs import Programs, programs_for

ALL = frozenset(CAPABILITIES)
SMALL = Programs(
    single=(program([A], [A]), program([A], [R])),
    small=(program([A, A], [A, R]), program([A, R], [A, R])),
    larger=(program([A, R], [A, R], [A, R]),),
)
LONG_S = 600.0


def _explored(store, tmp_path, *, executions=3_000, programs=SMALL, tell=None, seed=1):
    runner = runner_of(store, root=tmp_path)
    out = explore(
        runner,
        programs,
        judge,
        seconds=LONG_S,
        seed=seed,
        executions=executions,
        shrink_s=LONG_S,
        tell=tell,
    )
    runner.close()
    return out


@pytest.mark.parametrize("store", [Pointed, Locked, Waiting])
def test_correct_stores_show_nothing(store, tmp_path):
    """In all schedules of the bounds, and in as many random ones as were asked for."""
    explored = _explored(store, tmp_path, executions=1_500)
    assert explored.found is None
    assert explored.problem == ""
    assert explored.bound.covered
    assert explored.bound.programs == 2
    assert explored.exhaustive.covered
    assert explored.total == 1_500
    assert (explored.uncontrolled, explored.ended) == (0, {})
    assert explored.executions["bound"] == explored.bound.schedules == explored.bound.whole
    assert explored.executions["exhaustive"] == explored.exhaustive.schedules
    assert {"random walk", "partial order sampling", "PCT"} <= explored.executions.keys()
    assert 100 < explored.distinct < 1_500


def test_a_broken_store_is_found_replayed_and_made_small(tmp_path):
    """Two operations, one switch, and twenty replays that all show it."""
    explored = _explored(Torn, tmp_path)
    found = explored.found
    assert found is not None
    assert found.wrong.anomaly is Anomaly.LOST_MESSAGE
    assert (found.replayed, found.replays) == (20, 20)
    assert (found.program.operations, len(found.schedule)) == (2, 1)
    assert found.after == explored.total
    assert found.by in explored.executions
    assert found.first >= (4, 1)


def test_without_time_to_make_it_small_it_is_replayed(tmp_path):
    """As it was found."""
    runner = runner_of(Torn, root=tmp_path)
    explored = explore(
        runner, SMALL, judge, seconds=LONG_S, seed=1, executions=500, shrink_s=0.0, replays=3
    )
    runner.close()
    found = explored.found
    assert found is not None
    assert (found.replayed, found.replays) == (3, 3)
    assert found.first == (found.program.operations, len(found.schedule))


def test_a_deadlock_is_a_finding(tmp_path):
    """And counted as an execution that did not end."""
    explored = _explored(Crossed, tmp_path)
    assert explored.found is not None
    assert explored.found.wrong.anomaly is Anomaly.HANG
    assert explored.found.replayed == explored.found.replays
    assert explored.ended == {Ended.DEADLOCK: 1}


def test_what_only_long_use_shows_is_told_as_never_replayed(tmp_path):
    """It is a finding all the same, as it was seen."""
    found = _explored(Aging, tmp_path).found
    assert found is not None
    assert (found.replayed, found.replays) == (0, 3)
    assert judge(found.run) == found.wrong


def test_a_store_that_does_otherwise_each_time_is_not_covered(tmp_path):
    """That is told, and no finding."""
    explored = _explored(Unsteady, tmp_path, executions=1_500)
    assert explored.found is None
    assert explored.bound.diverged > 0
    assert not explored.bound.covered


def test_few_executions_leave_bounds_open(tmp_path):
    """It is told how far they came."""
    explored = _explored(Pointed, tmp_path, executions=60)
    assert explored.total == 60
    assert not explored.bound.covered
    assert explored.bound.of == 2
    assert 0 < explored.bound.schedules < 60
    assert explored.bound.whole < explored.bound.schedules


def test_a_store_that_cannot_be_opened_is_told(tmp_path):
    """After three attempts, whatever the time."""

    class Closed(Torn):
        def __init__(self, location):
            raise OSError("the disk is gone")

    explored = _explored(Closed, tmp_path)
    assert explored.problem == explored.last == "OSError: the disk is gone"
    assert explored.total == explored.failed == 3
    assert explored.found is None


def test_it_is_told_on_the_way(tmp_path):
    """What was searched grows, and the last word is the answer."""
    told = []
    explored = _explored(Locked, tmp_path, executions=800, tell=told.append)
    assert told[-1] == explored
    assert [one.total for one in told] == sorted(one.total for one in told)
    assert len({one.bound.schedules for one in told}) >= 3


def test_one_seed_is_one_search(tmp_path):
    """With the same number of executions the same is found in the same way."""
    once, again = (_explored(Torn, tmp_path, seed=7).found for _ in range(2))
    assert once is not None
    assert again is not None
    assert (once.program, once.schedule, once.after) == (again.program, again.schedule, again.after)


def test_nothing_explored_is_nothing():
    """All fields have their values."""
    assert Explored().total == 0
    assert not Explored().bound.covered
    assert ALL_MOST > 0


# The programs.


@pytest.mark.parametrize(
    "claims",
    [
        Claims(),
        Claims(missing_session="refuses"),
        Claims(session_ids="store", missing_session="refuses"),
        Claims(limits=Limits(retention=3)),
        Claims(limits=Limits(batch_bytes=130)),
    ],
    ids=["plain", "refuses", "names", "retention", "batches"],
)
@pytest.mark.parametrize("capabilities", [frozenset(), ALL], ids=["none", "all"])
def test_programs_are_whole(capabilities, claims):
    """So many clients and operations, numbers of their own, nothing beyond a store's limits."""
    programs = programs_for(capabilities, claims, 5)
    sizes = [(programs.single, 2, 1), (programs.small, 2, 2), (programs.larger, 3, 2)]
    for some, clients, operations in sizes:
        assert some
        assert len(set(some)) == len(some)
        for one in some:
            calls = [numbered for own in (one.before, *one.clients) for numbered in own]
            assert [len(own) for own in one.clients] == [operations] * clients
            assert len({number for number, _ in calls}) == len(calls)
            assert min(number for number, _ in calls) > 0
            assert {call.session for _, call in calls} <= set(range(one.sessions))
            sent = [call.n for _, call in calls if call.f in (F.APPEND, F.REPLACE)]
            keeps = claims.limits.retention
            assert keeps is None or sum(sent) <= keeps * one.sessions
            assert claims.limits.batch_bytes is None or max(sent, default=1) == 1


def test_what_finds_most_comes_first():
    """Appends and reads of one session, from an empty one."""
    first = programs_for(frozenset(), Claims(), 1).small[0]
    assert first == program([A, A], [A, R])


def test_each_capability_is_tried():
    """By small programs, beside appends; creations race where clients name sessions."""
    for capability, f in (("delete", F.DELETE), ("page", F.PAGES), ("count", F.COUNT)):
        with_it = programs_for(frozenset({capability}), Claims(), 1)
        without = programs_for(frozenset(), Claims(), 1)
        assert f in _called(with_it)
        assert f not in _called(without)
    assert F.CREATE in _called(programs_for(ALL, Claims(missing_session="refuses"), 1))
    assert F.CREATE not in _called(programs_for(ALL, Claims(), 1))
    named = Claims(missing_session="refuses", session_ids="store")
    assert F.CREATE not in _called(programs_for(ALL, named, 1))


def _called(programs):
    return {call.f for one in programs.small for own in one.clients for _, call in own}


def test_larger_programs_are_drawn_by_the_seed():
    """The same for the same seed, others for another."""
    assert programs_for(ALL, Claims(), 1) == programs_for(ALL, Claims(), 1)
    assert programs_for(ALL, Claims(), 1) != programs_for(ALL, Claims(), 2)


def test_some_programs_begin_with_messages():
    """What is renumbered or compacted must be there."""
    small = programs_for(frozenset(), Claims(), 1).small
    assert max(len(one.before) for one in small) > 4
