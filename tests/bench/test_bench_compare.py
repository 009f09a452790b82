"""Head against base: no false alarms, and what is slow by five percent is found."""

from __future__ import annotations

import numpy as np
import pytest
from bench_noise import costs

from sessionproof.bench.compare import compared, until_decided, verdict_of
from sessionproof.bench.statistics import TooFewRounds
from sessionproof.contract.measurements import Ratio


def verdicts(factor, *, comparisons=200, rounds=200, **noise):
    """The verdicts of simulated comparisons of an arm that costs ``factor`` times the other."""
    found = []
    for seed in range(comparisons):
        head, base = costs(np.random.default_rng(seed), rounds, factor=factor, **noise)
        found.append(compared(head, base, seed=seed).verdict)
    return found


@pytest.mark.parametrize("preempted", [0.0, 0.3])
@pytest.mark.parametrize("factor", [1.0, 1.008, 1 / 1.008])
def test_no_false_alarm(factor, preempted):
    """Of 200 comparisons of arms that differ by less than a percent, none is called slower."""
    assert set(verdicts(factor, preempted=preempted)) <= {"same", "undecided"}


@pytest.mark.parametrize(("factor", "word"), [(1.05, "slower"), (1 / 1.05, "faster")])
def test_five_percent_are_found(factor, word):
    """Five percent are found in 95 of 100 comparisons, and called the same in none."""
    found = verdicts(factor, preempted=0.2)
    assert found.count(word) >= 0.95 * len(found)
    assert "same" not in found


def test_a_drifting_machine_makes_no_difference():
    """A machine that becomes 30 percent slower meanwhile slows both arms."""
    assert set(verdicts(1.0, comparisons=100, drift=0.3)) <= {"same", "undecided"}
    assert verdicts(1.06, comparisons=100, drift=0.3).count("slower") >= 95


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.99, 1.01, "same"),
        (0.97, 1.039, "same"),
        (1.01, 1.039, "same"),
        (1.01, 1.05, "undecided"),
        (0.95, 1.03, "undecided"),
        (0.90, 1.10, "undecided"),
        (1.02, 1.03, "same"),
        (1.021, 1.50, "slower"),
        (0.50, 0.979, "faster"),
        (0.97, 0.99, "same"),
    ],
)
def test_an_interval_decides(low, high, word):
    """Slower and faster lie beyond two percent, the same within four, and all else is open."""
    found = Ratio(value=(low + high) / 2, low=low, high=high, rounds=100, of=120)
    assert verdict_of(found) == word


def test_head_and_base_change_places():
    """Where head is slower than base, base is faster than head."""
    head, base = costs(np.random.default_rng(1), 200, factor=1.2)
    assert compared(head, base, seed=1).verdict == "slower"
    assert compared(base, head, seed=1).verdict == "faster"


def test_it_goes_on_while_undecided():
    """Rounds are doubled while they tell nothing, and those before are kept."""
    generator, asked = np.random.default_rng(2), []

    def measure(rounds):
        asked.append(rounds)
        noise = np.exp(generator.normal(0, 0.15, rounds))
        return 1.0 + 0 * noise, noise

    found = until_decided(measure, seed=1)
    assert asked == [200, 200, 400, 800][: len(asked)]
    assert len(asked) > 1
    assert found.ratio.of == sum(asked)
    assert found.verdict == "same" or sum(asked) == 1600


def test_it_ends_when_decided():
    """A clear difference takes the least rounds only."""
    generator, asked = np.random.default_rng(2), []

    def measure(rounds):
        asked.append(rounds)
        return costs(generator, rounds, factor=1.3)

    assert until_decided(measure, seed=1).verdict == "slower"
    assert asked == [200]


def test_it_gives_up_undecided():
    """After the most rounds the verdict is undecided, not the same."""

    def measure(rounds):
        wide = np.tile([1.0, 1.2], rounds // 2)
        return wide, np.ones(rounds)

    found = until_decided(measure, seed=1, least=20, most=80)
    assert (found.verdict, found.ratio.of) == ("undecided", 80)


def test_too_few_calm_rounds_are_tried_again_first():
    """A machine that calms down is judged; one that never does is told."""

    def never(rounds):
        return np.geomspace(1, 1e9, rounds), np.ones(rounds)

    with pytest.raises(TooFewRounds, match="of 80 rounds were calm"):
        until_decided(never, seed=1, least=20, most=80)
    turns = iter([never, lambda rounds: (np.ones(rounds), np.ones(rounds))])
    found = until_decided(lambda rounds: next(turns)(rounds), seed=1, least=20, most=80)
    assert (found.verdict, found.ratio.of) == ("same", 40)
