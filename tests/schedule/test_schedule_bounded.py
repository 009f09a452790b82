"""Every schedule with few preemptions: counted against words that are made one by one."""

from __future__ import annotations

from itertools import pairwise, permutations, product
from math import comb

import pytest
from toy_runs import A, Pointed, R, Unsteady, Waiting, judge, played, program, runner_of

from sessionproof.schedule.bounded import Bounded
from sessionproof.schedule.decisions import Ended


def _words(lengths):
    """Every order of so many steps of each task."""
    letters = [one for one, length in enumerate(lengths) for _ in range(length)]
    return set(permutations(letters))


def _preemptions(word, lengths):
    """How often a task is left that has steps to do, once it has begun its operation."""
    number, made = 0, dict.fromkeys(range(len(lengths)), 0)
    for one, then in pairwise(word):
        made[one] += 1
        number += one != then and made[one] < lengths[one]
    return number


def _without_beginnings(word):
    """The order without the first step of each, which does nothing."""
    seen = set()
    return tuple(one for one in word if one in seen or seen.add(one))


@pytest.mark.parametrize("bound", [0, 1, 2, 3, None])
@pytest.mark.parametrize("lengths", [(3, 3), (2, 4), (4, 4), (2, 3, 3)], ids=str)
def test_each_schedule_of_the_bound_is_run_once(lengths, bound):
    """As many as there are words with so few preemptions, and the same ones."""
    search = Bounded(program(*[[A]] * len(lengths)), bound)
    run = [_without_beginnings(played(one, lengths)) for one in search]
    words = _words([length - 1 for length in lengths])
    own = [length - 1 for length in lengths]
    most = 99 if bound is None else bound
    assert len(run) == len(set(run)) == search.schedules
    assert set(run) == {word for word in words if _preemptions(word, own) <= most}
    assert search.covered


def test_sleepers_cost_a_preemption_while_others_are_awake():
    """A client that tries again and again is not let spin for nothing."""
    search = Bounded(program([A], [A]), 0)
    orders = {played(one, (3, 6), sleeps=(1,)) for one in search}
    assert orders == {(0, 0, 0, 1, 1, 1, 1, 1, 1), (1, 1, 0, 0, 0, 1, 1, 1, 1)}
    assert search.covered


def test_time_runs_ahead_twice_where_nothing_else_is_bounded():
    """A client that sleeps is woken while another is awake, but not as long as that would last."""
    search = Bounded(program([A], [A]), None)
    orders = {played(one, (3, 9), sleeps=(1,)) for one in search}
    woken = [
        sum(one == 1 for one in order[: len(order) - order[::-1].index(0)]) for order in orders
    ]
    assert max(woken) == 4  # to begin, to its first sleep, and twice out of it
    assert search.covered


def test_a_store_is_run_in_every_order_of_its_points(tmp_path):
    """Two appends of three points each: twenty orders, each of which ends well."""
    runner, made = runner_of(Pointed, root=tmp_path), program([A], [A])
    search, seen = Bounded(made, None), set()
    for strategy in search:
        run = runner.run(made, strategy)
        assert run.ended is Ended.DONE
        assert judge(run) is None
        seen.add(tuple(one.key.task for one in run.steps if one.point.what != "begin"))
    runner.close()
    assert len(seen) == search.schedules == comb(6, 3)


def test_a_store_that_tries_again_after_sleeps_is_covered(tmp_path):
    """Sleeping does not make the bound endless."""
    runner, made = runner_of(Waiting, root=tmp_path), program([A, A], [A, R])
    search = Bounded(made, 2)
    for strategy in search:
        assert judge(runner.run(made, strategy)) is None
        assert search.schedules < 1_000
    runner.close()
    assert search.covered


def test_a_store_that_does_otherwise_each_time_is_not_covered(tmp_path):
    """The search ends, and says that it was not what it planned."""
    runner, made = runner_of(Unsteady, root=tmp_path), program([A], [A])
    search = Bounded(made, 2)
    for strategy in search:
        runner.run(made, strategy)
        assert search.schedules < 1_000
    runner.close()
    assert search.ended
    assert search.diverged
    assert not search.covered


def test_only_the_first_operation_of_a_client_begins_it(tmp_path):
    """Between two operations of a client another one may go on."""
    runner, made = runner_of(Pointed, root=tmp_path), program([A, A], [A])
    search, seen = Bounded(made, None), set()
    for strategy in search:
        run = runner.run(made, strategy)
        seen.add(tuple(one.key.task for one in run.steps if one.point.what != "begin"))
    runner.close()
    assert len(seen) == search.schedules == comb(9, 3)


def test_words_are_counted_by_hand():
    """Two tasks of two steps: two orders without a preemption, six in all."""
    words = [word for word in product((0, 1), repeat=4) if sum(word) == 2]
    assert sum(_preemptions(word, (2, 2)) == 0 for word in words) == 2
    assert set(words) == _words((2, 2))
