"""Strategies, against decisions that are made by hand."""

from __future__ import annotations

from collections import Counter
from itertools import islice, pairwise

import pytest
from toy_runs import decision, played

from sessionproof.schedule.decisions import Key, Point, Usual
from sessionproof.schedule.strategies import (
    CHANGES,
    NAMES,
    Pct,
    Pos,
    RandomWalk,
    Replay,
    sampled,
)

RANDOM = [RandomWalk, Pos, Pct]


@pytest.mark.parametrize("kind", RANDOM)
def test_one_seed_is_one_schedule(kind):
    """The same seed decides the same, others do not."""
    orders = [played(kind(seed), (6, 6, 6)) for seed in range(20)]
    assert orders == [played(kind(seed), (6, 6, 6)) for seed in range(20)]
    assert len(set(orders)) > 5


def test_a_walk_gives_everybody_the_same_chance():
    """Also who sleeps, and who would have to be interrupted."""
    walk = RandomWalk(1)
    made = Counter(
        walk.pick(decision((0, 1, k), (0, 1, 2), current=0, sleepers=(2,))) for k in range(3_000)
    )
    assert set(made) == {0, 1, 2}
    assert min(made.values()) > 850  # 1,000 are expected, and 26 are one deviation


def test_sampling_keeps_the_rank_of_what_waits():
    """Who does not race with what is done stays behind, or in front, of the others who wait."""
    for seed in range(20):
        pos = Pos(seed)
        pos.pick(decision((9, 0, 0), (0, 1, 2)))
        waiting = dict(pos._ranks)
        for k in range(10):
            pos.pick(decision((3, 1, k), (3, *waiting), current=3))
            left = {one: rank for one, rank in pos._ranks.items() if one in waiting}
            assert left.items() <= waiting.items()
            waiting = left


@pytest.mark.parametrize(
    ("one", "other", "races"),
    [
        (Point("a", "x"), Point("b", "x"), True),
        (Point("a", "x", writes=False), Point("b", "x"), True),
        (Point("a", "x", writes=False), Point("b", "x", writes=False), False),
        (Point("a", "x"), Point("b", "y"), False),
        (Point("a", None), Point("b", None), False),
    ],
)
def test_what_races_draws_anew(one, other, races):
    """One thing that both touch, and that one of them writes."""
    drawn_anew = 0
    for seed in range(50):
        pos = Pos(seed)
        points = {0: one, 1: other}
        first = pos.pick(decision((9, 0, 0), (0, 1), points=points))
        drawn_anew += (1 - first) not in pos._ranks
        assert first not in pos._ranks  # what it does next has a rank of its own
    assert drawn_anew == (50 if races else 0)


def test_ranks_change_so_often_and_no_more():
    """Of two tasks that never wait, one is interrupted at most at each change."""
    for depth in (1, 2, 3):
        most = 0
        for seed in range(200):
            order = played(Pct(seed, depth=depth, length=24), (12, 12))
            switches = sum(a != b for a, b in pairwise(order))
            most = max(most, switches)
            assert switches <= depth
        assert most == depth


def test_changes_lie_anywhere_in_the_length():
    """Each place of a program is interrupted by some seed."""
    places = set()
    for seed in range(400):
        order = played(Pct(seed, depth=2, length=12), (7, 7))
        places |= {at for at in range(1, 14) if order[at] != order[at - 1]}
    assert places >= set(range(1, 13))


def test_who_sleeps_loses_its_rank():
    """One that tries again after each sleep lets the other go on."""
    for seed in range(50):
        order = played(Pct(seed, depth=1), (8, 8), sleeps=(0,))
        asleep = [at for at, one in enumerate(order) if one == 0][2:]
        assert all(at > order.index(1) + 6 for at in asleep[1:])


def test_all_asleep_is_as_usual():
    """Time passes for the first of them."""
    chosen = Pct(3).pick(decision((0, 1, 4), (0, 1), current=0, sleepers=(0, 1)))
    assert chosen == decision((0, 1, 4), (0, 1), current=0, sleepers=(0, 1)).usual


def test_a_replay_deviates_where_it_is_told():
    """And counts where it cannot."""
    replay = Replay([(Key(0, 1, 2), 1), (Key(0, 1, 3), 7)])
    assert replay.pick(decision((0, 1, 1), (0, 1), current=0)) == 0
    assert replay.pick(decision((0, 1, 2), (0, 1), current=0)) == 1
    assert replay.pick(decision((0, 1, 3), (0, 1), current=0)) == 0
    assert replay.missed == 1


def test_without_deviations_a_replay_is_as_usual():
    """Nobody is interrupted."""
    assert played(Replay([]), (4, 4)) == played(Usual(), (4, 4)) == (0,) * 4 + (1,) * 4


def test_four_in_turn():
    """Two walks, a sampling and one by ranks, which is told how long executions are."""
    told = []
    some = [type(one) for one in islice(sampled(1, lambda: told.append(1) or 0), 8)]
    assert some == [RandomWalk, Pos, RandomWalk, Pct] * 2
    assert len(told) == 2
    assert set(some) == set(NAMES)
    assert CHANGES == 3


def test_orders_by_ranks_that_were_drawn_by_hand():
    """A sampling of three tasks takes those of the highest rank first."""
    pos = Pos(1)
    pos._ranks = {0: 0.2, 1: 0.9, 2: 0.5}
    assert pos.pick(decision((9, 0, 0), (0, 1, 2))) == 1
    pos._ranks[1] = 0.1
    assert pos.pick(decision((9, 0, 1), (0, 1, 2))) == 2
    assert pos._ranks == {0: 0.2, 1: 0.1}
