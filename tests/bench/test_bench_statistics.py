"""Ratios and percentiles: right in simulated noise, and silent where nothing can be said."""

from __future__ import annotations

import numpy as np
import pytest
from bench_noise import costs

from sessionproof.bench.statistics import LEAST_CALM, TooFewRounds, calm, latency, ratio


def covered(*, comparisons=500, rounds=200, factor=1.1, **noise):
    """The share of simulated comparisons whose interval holds the truth."""
    found = [
        ratio(*costs(np.random.default_rng(seed), rounds, factor=factor, **noise), seed=seed)
        for seed in range(comparisons)
    ]
    return np.mean([one.low <= factor <= one.high for one in found])


def test_the_interval_holds_the_truth():
    """Of 500 intervals of 99 percent, at least 97.5 percent hold the true ratio."""
    assert covered() >= 0.975  # below that in one of 1,000 sets of seeds, if 99 % do


def test_the_interval_holds_the_truth_of_few_rounds():
    """Forty rounds, as in smoke, give intervals that are wider and not worse than 96 percent."""
    assert covered(rounds=40) >= 0.96


def test_the_interval_is_no_wider_than_it_must_be():
    """Two hundred rounds tell a ratio from one that is four percent off."""
    for seed in range(50):
        found = ratio(*costs(np.random.default_rng(seed), 200, factor=1.1), seed=seed)
        assert found.high < 1.1 * 1.04
        assert found.low > 1.1 / 1.04


def test_preempted_rounds_change_nothing():
    """With 30 percent of each arm's rounds preempted, the interval holds the truth all the same."""
    assert covered(preempted=0.3, comparisons=200) >= 0.96


def test_one_preempted_arm_changes_nothing():
    """A store that is preempted more often than its floor is not called slower."""
    generator = np.random.default_rng(1)
    store, _ = costs(generator, 400, preempted=0.4)
    _, floor = costs(generator, 400)
    found = ratio(store, floor, seed=1)
    assert found.value == pytest.approx(1.0, abs=0.01)
    assert 200 <= found.rounds <= 280


@pytest.mark.parametrize("drift", [0.3, -0.3])
def test_drift_changes_nothing(drift):
    """A machine that becomes slower or faster meanwhile gives the same ratio."""
    assert covered(drift=drift, comparisons=200) >= 0.96


def test_the_same_seed_gives_the_same_interval():
    """What a ratio says depends on the costs and the seed alone."""
    store, floor = costs(np.random.default_rng(3), 100)
    assert ratio(store, floor, seed=5) == ratio(store, floor, seed=5)
    assert ratio(store, floor, seed=5).value == ratio(store, floor, seed=6).value


def test_arms_change_places():
    """Store over floor is the inverse of floor over store."""
    store, floor = costs(np.random.default_rng(4), 200, factor=1.5)
    there, back = ratio(store, floor, seed=1), ratio(floor, store, seed=1)
    assert there.value * back.value == pytest.approx(1)
    assert there.rounds == back.rounds


def test_equal_costs_have_an_interval_without_width():
    """Rounds without any noise give exactly one."""
    same = np.full(LEAST_CALM, 7.0)
    found = ratio(same, same, seed=1)
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)
    assert (found.rounds, found.of) == (LEAST_CALM, LEAST_CALM)


@pytest.mark.parametrize("rounds", [0, 1, LEAST_CALM - 1])
def test_too_few_rounds_are_told(rounds):
    """Below the least number of calm rounds there is a reason instead of a ratio."""
    with pytest.raises(TooFewRounds) as told:
        ratio(np.full(rounds, 7.0), np.full(rounds, 7.0), seed=1)
    assert str(told.value) == (
        f"{rounds} of {rounds} rounds were calm, and {LEAST_CALM} are needed: "
        "the machine was too busy, or there were too few rounds"
    )


def test_a_machine_that_is_never_calm_is_told():
    """Rounds of which hardly one is like another say nothing."""
    wild = np.geomspace(1, 1e9, 60)
    assert calm(wild).sum() < LEAST_CALM
    with pytest.raises(TooFewRounds, match="of 60 rounds were calm"):
        ratio(wild, wild[::-1], seed=1)


def test_times_of_zero_are_not_calm():
    """A round below the clock's resolution is left out, and the rest is judged by itself."""
    costs_ns = np.array([0.0] * 30 + [10.0] * 20)
    assert calm(costs_ns).tolist() == [False] * 30 + [True] * 20
    assert ratio(costs_ns, np.full(50, 5.0), seed=1).value == 2.0
    with pytest.raises(TooFewRounds, match="0 of 50"):
        ratio(np.zeros(50), np.full(50, 5.0), seed=1)


def test_a_round_is_calm_when_all_arms_are():
    """One arm that was interrupted takes the round of all."""
    first, second = np.full(20, 10.0), np.full(20, 10.0)
    first[3], second[7], second[8] = 16.0, 15.1, 14.9
    assert np.flatnonzero(~calm(first, second)).tolist() == [3, 7]


def test_percentiles_are_of_single_calls():
    """Nanoseconds go in, microseconds come out, and the slowest call is among them."""
    found = latency(np.arange(1, 1_001, dtype=np.int64) * 1_000)
    assert found.calls == 1_000
    assert found.max_us == 1_000
    assert (found.p50_us, found.p95_us) == pytest.approx((500.5, 950.05))
    assert found.p50_us < found.p95_us < found.p99_us < found.p999_us < found.max_us


def test_one_call_is_all_percentiles():
    """A single call is its own median."""
    found = latency(np.array([4_200], np.int64))
    assert {found.p50_us, found.p999_us, found.max_us} == {4.2}


def test_no_calls_have_no_percentiles():
    """Percentiles of nothing are refused."""
    with pytest.raises(ValueError, match="no calls"):
        latency(np.array([], np.int64))
