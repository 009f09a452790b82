"""Exponents of growth: simulated rounds on calm and on busy machines, and what they say."""

import math

import numpy as np
import pytest

from sessionproof.bench.growth import exponent, growth, limit, linear_share

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
FITS = 40
CALL_NS = 50_000
ROUNDS = (30, 60, 120, 240)  # as a trial goes on while it is not sure

# Cost as a multiple of that of an empty store, and the verdicts that are right.
SHAPES = {
    "constant": (lambda n: n**0, {"flat"}),
    "logarithm": (np.log, {"flat"}),
    "a tenth is linear": (lambda n: 0.9 + 0.1 * n / n[-1], {"flat"}),
    "two thirds are linear": (lambda n: 1 + 2 * n / n[-1], {"grows"}),
    "root": (np.sqrt, {"grows"}),
    "step at 20,000": (lambda n: np.where(n < 20_000, 1.0, 4.0), {"grows", "linear"}),
    "linear from 20,000 on": (lambda n: np.maximum(1.0, n / 10_000), {"grows", "linear"}),
    "linear": (lambda n: 20 + n, {"linear", "grows"}),
    "superlinear": (lambda n: n**1.6, {"superlinear", "grows"}),
}

# Share of rounds that are slow as a whole, how slow, spread of a cell, share of cells with spikes.
MACHINES = {"quiet": (0.1, 0.1, 0.02, 0.05), "loaded": (0.5, 0.4, 0.08, 0.25)}


def _rounds(random, shape, machine, rounds):
    """Costs of shape (rounds, sizes) in nanoseconds; each size has spikes at a rate of its own."""
    slow, by, spread, spikes = MACHINES[machine]
    cells = (rounds, len(SIZES))
    costs = CALL_NS * shape(np.array(SIZES, float)) * np.exp(random.normal(0, spread, cells))
    costs = costs * np.exp(
        (random.random((rounds, 1)) < slow) * random.exponential(by, (rounds, 1))
    )
    often = random.random(len(SIZES)) * 2 * spikes
    return costs * np.where(random.random(cells) < often, 1 + random.exponential(4, cells), 1)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", SHAPES)
def test_no_verdict_on_simulated_rounds_is_wrong(name, machine):
    """Whatever the noise, a fit says what is so or that it is not sure, and that seldom."""
    shape, right = SHAPES[name]
    random = np.random.default_rng(len(name))
    verdicts = []
    for number in range(FITS):
        for rounds in ROUNDS:
            found = exponent(SIZES, _rounds(random, shape, machine, rounds), seed=number)
            if found.verdict != "undecided":
                break
        verdicts.append(found.verdict)
    assert set(verdicts) <= right | {"undecided"}, verdicts
    assert verdicts.count("undecided") <= FITS / 20, verdicts
    if machine == "quiet" and name in ("linear", "superlinear"):
        assert set(verdicts) == {name}


OVERLOADED = (0.9, 0.8, 0.3, 0.35)


@pytest.mark.parametrize("name", SHAPES)
def test_a_machine_without_calm_rounds_shows_what_is_plain(name, monkeypatch):
    """Twelve calm rounds do not come together there; linear growth is seen, and nothing else is."""
    monkeypatch.setitem(MACHINES, "overloaded", OVERLOADED)
    shape, right = SHAPES[name]
    random = np.random.default_rng(len(name))
    found = [
        exponent(SIZES, _rounds(random, shape, "overloaded", rounds), seed=number)
        for number in range(FITS)
        for rounds in ROUNDS[:2]
    ]
    assert max(one.rounds for one in found if one.of == ROUNDS[0]) < 12
    verdicts = [one.verdict for one in found]
    assert set(verdicts) <= right | {"undecided"}, verdicts
    if name in ("linear", "superlinear"):
        assert verdicts.count("undecided") <= len(found) / 8, verdicts


def test_a_whole_round_may_be_slow():
    """What slows all sizes of a round alike changes no exponent."""
    even = np.full((40, 3), 1_000.0)
    slowed = even * np.linspace(1, 1.4, 40)[:, None]
    assert exponent(SIZES[-3:], slowed, seed=0).value == pytest.approx(0)


def test_the_exponent_is_that_of_a_power():
    """Without noise, n to the power of a half has the exponent one half and no interval."""
    costs = np.tile(np.sqrt(np.array(SIZES, float)), (30, 1))
    found = exponent(SIZES, costs, seed=0)
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))
    assert (found.verdict, found.rounds) == ("grows", 30)


def test_small_sizes_do_not_count():
    """What happens below the largest three sizes is shown, and is not judged."""
    costs = np.tile([1.0, 1.0, 9.0, 9.0, 9.0], (30, 1)) * 1_000
    grown = growth("get", "messages", SIZES, costs, seed=0)
    assert grown.verdict == "flat"
    assert grown.cost_us == (1, 1, 9, 9, 9)
    assert grown.factor == 9


def test_too_few_calm_rounds_say_nothing():
    """An exponent of eleven rounds is not sure, whatever they say."""
    assert exponent(SIZES, np.ones((11, 5)), seed=0).verdict == "undecided"
    assert exponent(SIZES, np.ones((12, 5)), seed=0).verdict == "flat"
    below_the_clock = exponent(SIZES, np.zeros((12, 5)), seed=0)
    assert (below_the_clock.verdict, below_the_clock.rounds) == ("undecided", 0)
    assert np.isfinite([below_the_clock.value, below_the_clock.low, below_the_clock.high]).all()


def test_two_sizes_are_too_few():
    """An exponent needs three sizes, and a cost for each."""
    with pytest.raises(ValueError, match="three"):
        exponent((1, 2), np.ones((20, 2)), seed=0)
    with pytest.raises(ValueError, match="three"):
        exponent((1, 2, 3), np.ones((20, 2)), seed=0)


def test_the_cost_at_a_million_goes_on_as_measured():
    """A linear cost of 100 µs at 100,000 is one of 1 ms at a million; a flat one stays."""
    linear = np.tile(np.array(SIZES, float), (30, 1))
    grown = growth("get", "messages", SIZES, linear, seed=0)
    assert grown.at_million_us == pytest.approx(1_000)
    assert grown.limit == ""
    flat = growth("get", "messages", SIZES, np.full((30, 5), 7_000.0), seed=0, floor=linear)
    assert flat.at_million_us == pytest.approx(7)
    assert flat.floor_us == (1, 3, 10, 30, 100)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.41, 0.9])
def test_the_linear_part_of_a_cost_is_found_again(share):
    """The exponent of a cost of which a part is linear gives that part."""
    part = np.array(SIZES, float) / SIZES[-1]
    costs = np.tile(CALL_NS * (1 - share + share * part), (30, 1))
    found = exponent(SIZES, costs, seed=0)
    assert linear_share(SIZES, found.value) == pytest.approx(share, abs=0.011)


def test_the_limit_says_what_was_not_seen():
    """A flat verdict leaves room for a small linear part, which shows where it has grown."""
    assert linear_share(SIZES, 0.2) == pytest.approx(0.41, abs=0.01)
    found = exponent(SIZES, np.ones((30, 5)), seed=0)
    said = limit(SIZES, found)
    assert "at most 1 % at 100,000" in said
    # 1 % at 100,000 is 41 % where it is 69 times as large beside the same constant part.
    assert "beyond 6,900,000" in said
    assert math.isclose(100_000 * 99 * 0.41 / 0.59, 6_900_000, rel_tol=0.01)
