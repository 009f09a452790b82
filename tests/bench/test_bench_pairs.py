"""Head against base over pairs of processes: no false alarms, and five percent are found."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from bench_noise import costs

from sessionproof.bench.tracking.compared import (
    Comparison,
    PairOfCosts,
    Version,
    comparison_from_json,
    comparison_to_json,
)
from sessionproof.bench.tracking.pairs import (
    is_open,
    judged,
    ratio_over,
    t_of,
    verdict_of,
    width,
)
from sessionproof.contract.measurements import Ratio

LAYOUT = 0.012
"""How far two processes of equal code differ for as long as they live, as a deviation."""


def pair(generator, factor=1.0, *, rounds=30, layout=LAYOUT, **noise):
    """What a pair of simulated processes measured."""
    own = math.exp(generator.normal(0, layout))
    head, base = costs(generator, rounds, factor=factor * own, **noise)
    return PairOfCosts(batch=10, base=tuple(map(round, base)), head=tuple(map(round, head)))


def row(seed, factor=1.0, *, pairs=8, **noise):
    """What is said after so many pairs, and after twice as many where those left it open."""
    generator = np.random.default_rng(seed)
    made = [pair(generator, factor, **noise) for _ in range(pairs)]
    found = judged("append", made)
    if is_open(found):
        made += [pair(generator, factor, **noise) for _ in range(pairs)]
        found = judged("append", made)
    return found


def verdicts(factor=1.0, *, comparisons=200, **noise):
    """The verdicts of so many simulated comparisons."""
    return [row(seed, factor, **noise).verdict for seed in range(comparisons)]


@pytest.mark.parametrize("preempted", [0.0, 0.3])
@pytest.mark.parametrize("factor", [1.0, 1.008, 1 / 1.008])
def test_no_false_alarm(factor, preempted):
    """Of 200 comparisons of versions that differ by less than a percent, none is called slower."""
    assert set(verdicts(factor, preempted=preempted)) <= {"same", "undecided"}


def test_no_false_alarm_where_processes_differ_much():
    """Pairs that differ by three percent make wide intervals, not alarms."""
    found = verdicts(comparisons=100, layout=0.03)
    assert set(found) <= {"same", "undecided"}
    assert "undecided" in found


@pytest.mark.parametrize(("factor", "word"), [(1.05, "slower"), (1 / 1.05, "faster")])
def test_five_percent_are_found(factor, word):
    """Five percent are found in 95 of 100 comparisons."""
    found = verdicts(factor, preempted=0.2)
    assert found.count(word) >= 0.95 * len(found)


def test_a_drifting_machine_makes_no_difference():
    """A machine that becomes 30 percent slower meanwhile slows both sides."""
    assert set(verdicts(comparisons=100, drift=0.3)) <= {"same", "undecided"}
    assert verdicts(1.06, comparisons=100, drift=0.3).count("slower") >= 95


@pytest.mark.parametrize("pairs", [4, 8, 16])
def test_the_interval_holds_the_truth(pairs):
    """In 99 of 100 cases, whatever the number of pairs."""
    held = 0
    for seed in range(2_000):
        logs = np.random.default_rng(seed).normal(math.log(1.03), 0.02, pairs)
        found = ratio_over(list(logs), rounds=1, of=1)
        held += found.low <= 1.03 <= found.high
    assert held >= 0.985 * 2_000


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.99, 1.01, "same"),
        (0.97, 1.005, "same"),
        (1.01, 1.04, "same"),
        (1.01, 1.06, "undecided"),
        (0.90, 1.10, "undecided"),
        (1.02, 1.03, "same"),
        (1.021, 1.50, "slower"),
        (0.50, 0.979, "faster"),
    ],
)
def test_an_interval_decides(low, high, word):
    """Slower and faster lie beyond two percent, the same is narrow, and all else is open."""
    assert verdict_of(Ratio(value=(low + high) / 2, low=low, high=high, rounds=9, of=9)) == word


def test_what_lies_on_the_margin_is_measured_again():
    """More pairs are asked for while the margin lies inside the interval, or nothing is told."""
    generator = np.random.default_rng(5)
    assert is_open(judged("append", [pair(generator, 1.02) for _ in range(8)]))
    assert not is_open(judged("append", [pair(generator, 1.3) for _ in range(8)]))
    assert not is_open(judged("append", [pair(generator, 1.0, layout=0.002) for _ in range(8)]))


def test_a_little_slower_is_a_warning():
    """What is surely slower, and perhaps by no more than two percent, is said and not failed."""
    generator = np.random.default_rng(6)
    found = judged("append", [pair(generator, 1.015, layout=0.002) for _ in range(8)])
    assert (found.verdict, found.reason) == ("same", "")
    assert found.warning.startswith("slower by 1.")
    equal = judged("append", [pair(generator, layout=0.002) for _ in range(8)])
    assert equal.warning == ""


def test_head_and_base_change_places():
    """Where head is slower than base, base is faster than head."""
    generator = np.random.default_rng(1)
    pairs = [pair(generator, 1.2) for _ in range(8)]
    turned = [PairOfCosts(batch=one.batch, base=one.head, head=one.base) for one in pairs]
    there, back = judged("append", pairs), judged("append", turned)
    assert (there.verdict, back.verdict) == ("slower", "faster")
    assert there.base_us == back.head_us
    assert there.ratio.value * back.ratio.value == pytest.approx(1)


def test_pairs_without_calm_rounds_do_not_count():
    """They are left out; with fewer than four others nothing is told, with the reason."""
    generator = np.random.default_rng(2)
    wild = PairOfCosts(
        batch=1, base=tuple(10 ** (3 + n % 6) for n in range(30)), head=(1_000,) * 30
    )
    restless = PairOfCosts(
        batch=1, base=tuple(2**n for n in range(30)), head=tuple(2 ** (30 - n) for n in range(30))
    )
    good = [pair(generator) for _ in range(5)]
    assert judged("append", [*good, restless]).ratio is not None
    found = judged("append", [*good[:3], restless, restless])
    assert (found.verdict, found.ratio) == ("undecided", None)
    assert found.reason.startswith("3 of 5 pairs of processes had calm rounds, and 4 are needed")
    assert judged("append", [wild] * 5).ratio is not None  # a few calm rounds of many will do


def test_nothing_measured_is_undecided():
    """An operation without any pair has no times and a reason."""
    found = judged("append", [])
    assert (found.verdict, found.base_us, found.ratio) == ("undecided", None, None)
    assert found.reason


def test_the_table_of_t_is_right():
    """It agrees with scipy's to a thousandth."""
    stats = pytest.importorskip("scipy.stats")
    for freedom in range(1, 32):
        assert t_of(freedom) == pytest.approx(stats.t.ppf(0.995, freedom), abs=1e-3)
    assert t_of(40) == t_of(31)


def test_equal_pairs_have_no_width():
    """Ratios that are all the same leave no doubt."""
    assert width(ratio_over([0.1] * 4, rounds=1, of=1)) == 0


def at_times(generator, share, *, rounds=60, times=3):
    """A pair whose head takes so many times as long in a share of the rounds."""
    made = pair(generator, rounds=rounds, preempted=0.1)
    long = generator.random(rounds) < share
    head = tuple(int(one * times) if hit else one for one, hit in zip(made.head, long, strict=True))
    return PairOfCosts(batch=1, base=made.base, head=head)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_what_is_slow_at_times_is_not_the_same(share):
    """Rounds in which head takes long are left out as disturbed, and that must not hide it."""
    generator = np.random.default_rng(5)
    found = judged("append", [at_times(generator, share) for _ in range(8)])
    assert found.verdict == "undecided"
    assert found.reason.startswith("head takes 1.5 times its usual time or more in ")
    assert is_open(found)
    assert found.warning == ""


def test_disturbed_rounds_of_both_are_no_slowness_at_times():
    """Of 100 comparisons on a busy machine none says that head takes long more often."""
    for seed in range(100):
        generator = np.random.default_rng(seed)
        found = judged("append", [pair(generator, rounds=50, preempted=0.3) for _ in range(8)])
        assert not found.reason.startswith("head takes")


def test_pairs_of_one_round_tell_what_is_many_times_slower():
    """An operation that takes seconds has few rounds, and pairs make the interval all the same."""
    generator = np.random.default_rng(5)
    assert judged("append", [pair(generator, 20.0, rounds=1) for _ in range(8)]).verdict == "slower"


def test_a_comparison_comes_back_from_its_json():
    """All that was compared, after a way through a file; one of another version is refused."""
    generator = np.random.default_rng(3)
    versions = (Version(asked=name, store="shop:Store") for name in ("v1.2", "here"))
    made = Comparison(
        base=next(versions), head=next(versions), profile="gate", seed=3,
        started_at="2026-01-01T00:00:00Z", seconds=1.5, machine={"cpu": "Made CPU"},
        rows=(judged("append", [pair(generator, 1.2) for _ in range(8)]),),
        left_out={"count": "head cannot count"},
    )  # fmt: skip
    value = json.loads(json.dumps(comparison_to_json(made)))
    assert comparison_from_json(value) == made
    assert made.named("slower") == ("append",)
    assert made.named("faster") == ()
    for other in ({**value, "schema": 99}, {}):
        with pytest.raises(ValueError, match=r"schema (99|None), and this version reads 1"):
            comparison_from_json(other)
