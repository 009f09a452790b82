"""What survives a crash is judged as every order of the operations, tried one by one, judges it."""

from random import Random

import pytest
from crashed_stores import drawn
from every_world import allowed, fits

from sessionproof.checks.survivable import Timeline
from sessionproof.checks.survivors import judge_survivors
from sessionproof.contract.claims import Claims

SAMPLE, PART = 3000, 500


def both(seed):
    """The two opinions of one drawn crash, and all that they are about."""
    random = Random(seed)
    clients = random.choice((1, 1, 2))
    atomic = random.random() < 0.7
    crashed = drawn(random, clients=clients, length=random.randint(0, 6 if clients == 1 else 5))
    timeline = Timeline(crashed.acts, Claims(atomic_batches=atomic))
    flaws = judge_survivors(crashed.shown, timeline, crashed.point)
    good = any(
        fits(world, crashed.shown) for world in allowed(crashed.acts, crashed.point, atomic=atomic)
    )
    return flaws, good, crashed


@pytest.mark.parametrize("first", range(0, SAMPLE, PART))
def test_the_judge_and_every_order_agree(first):
    """A state has a flaw if and only if no order of the operations explains what is shown."""
    for seed in range(first, first + PART):
        flaws, good, crashed = both(seed)
        assert (not flaws) == good, f"seed {seed}: {good=}\n{flaws}\n{crashed}"


def test_the_sample_is_neither_all_good_nor_all_bad():
    """Of drawn crashes, a fifth at least is good, and a fifth at least is not."""
    good = sum(both(seed)[1] for seed in range(400))
    assert 80 <= good <= 320
