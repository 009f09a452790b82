"""A run against the runs before it: what is slower is found, and noise is not taken for it."""

import math
from dataclasses import replace
from functools import reduce

import numpy as np
import pytest
from archived_runs import counted, night, speed

from sessionproof.bench.tracking.nights import confirmed, judged

BEFORE = [night(number, 1.3) for number in range(15)]


def row(run, before, *further):
    """The first row of the run, judged with further ones."""
    return reduce(confirmed, further, judged(run, before)).rows[0]


@pytest.mark.parametrize(
    ("first", "further", "verdict", "said"),
    [
        (1.30, (), "same", ""),
        (1.33, (), "same", ""),
        (1.36, (1.36, 1.35), "slower", ""),
        (1.36, (1.36, 1.31), "same", "a further run did not confirm it"),
        (1.36, (1.31,), "same", "a further run did not confirm it"),
        (1.36, (1.36,), "undecided", "one further run alone agrees"),
        (2.60, (2.60, 2.60), "slower", ""),
        (1.25, (), "faster", ""),
        (1.28, (), "same", ""),
        (1.36, (), "undecided", "no further run was made"),
    ],
)
def test_three_runs_have_to_agree(first, further, verdict, said):
    """Above 3 % in a run and in two further ones is slower; in fewer of them it is nothing."""
    found = row(night(20, first), BEFORE, *(night(21, one) for one in further))
    assert found.verdict == verdict
    assert said in found.reason
    assert found.usual == pytest.approx(1.3)
    assert found.limit == pytest.approx(1.03)
    assert found.change == pytest.approx(first / 1.3 - 1)
    assert tuple(one.value for one in found.again) == further


def test_noise_widens_the_limit():
    """Runs half of which lie 4 % from their median allow for four times that spread."""
    before = [night(n, 1.3 * 1.04 ** (n % 5 - 2)) for n in range(15)]
    assert row(night(20, 1.3), before).limit == pytest.approx(1.04 ** (4 * 1.4826))
    assert row(night(20, 1.5), before).verdict == "same"
    assert row(night(20, 2.6), before, night(21, 2.6), night(22, 2.6)).verdict == "slower"


def test_only_the_last_fifteen_count():
    """A store that became slower long ago is as usual."""
    before = [*BEFORE, *(night(number, 1.5) for number in range(30, 45))]
    assert row(night(60, 1.5), before).verdict == "same"
    assert len(judged(night(60, 1.5), before).before) == 15


@pytest.mark.parametrize("known", [0, 4])
def test_a_line_has_to_begin(known):
    """Of fewer than five runs nothing is said, however slow the next one is."""
    found = row(night(20, 9.9), BEFORE[:known])
    assert found.verdict == "undecided"
    assert found.reason == f"{known} runs before, and 5 are needed"
    assert not judged(night(20, 9.9), BEFORE[:known]).above


def test_rows_that_cannot_be_judged_are_shown():
    """Many clients, and rows without a floor: no verdict, and the reason."""
    rows = (speed(2.0, clients="10 threads"), speed(None, operation="open"), speed(1.3))
    before = [
        night(number, speeds=(speed(1.0, clients="10 threads"), speed(1.3))) for number in range(9)
    ]
    found = judged(night(20, speeds=rows), before)
    threads, opened, append = found.rows
    assert (threads.verdict, threads.gated) == ("undecided", False)
    assert threads.change == pytest.approx(1.0)
    assert threads.reason == "only rows of one client are judged"
    assert (opened.verdict, opened.gated) == ("undecided", False)
    assert opened.reason == "it has no floor to be held against"
    assert append.verdict == "same"
    assert not found.above


def test_another_floor_is_another_row():
    """Where what a ratio is measured against changes, its history begins anew."""
    run = night(20, speeds=(speed(5.0, floor="raw SQLite, synchronous=OFF"),))
    assert row(run, BEFORE).reason.startswith("0 runs before")


def test_a_further_run_that_failed_is_no_verdict():
    """Above the limit, and nobody could look again: undecided, with the reason."""
    found = confirmed(judged(night(20, 1.5), BEFORE), None).rows[0]
    assert found.verdict == "undecided"
    assert found.reason == "above the limit, and a further run could not measure it"
    one = confirmed(confirmed(judged(night(20, 1.5), BEFORE), None), night(21, 1.5)).rows[0]
    assert one.verdict == "undecided"


def test_what_is_above_has_its_causes():
    """Beside a slow row stand what its calls did before, and do now; not beside others."""
    before = [*BEFORE[:-1], replace(BEFORE[-1], causes=(counted(1),))]
    slow = night(20, 1.5, causes=(counted(2),))
    assert row(slow, before).causes == (counted(1), counted(2))
    assert row(replace(slow, speeds=(speed(1.3),)), before).causes is None
    assert row(slow, BEFORE).causes is None


def slower(factor, spread, draws, seed):
    """How many rows are slower that cost ``factor`` as much as usual, of so many drawn histories.

    ``spread`` is the least and the most of the standard deviations that are drawn.
    """
    rng, found, rows = np.random.default_rng(seed), 0, 50
    for _ in range(draws // rows):
        logs = rng.normal(0, 1, (18, rows)) * rng.uniform(*spread, rows)
        logs[-3:] += np.log(factor)
        *before, first, second, third = (
            night(0, speeds=tuple(speed(one, operation=str(n)) for n, one in enumerate(ratios)))
            for ratios in (1.3 * np.exp(logs)).tolist()
        )
        found += len(confirmed(confirmed(judged(first, before), second), third).slower)
    return found


def test_noise_is_no_regression():
    """Of 5,000 draws in which ratios vary by 0.5 to 1.5 %, none is called slower."""
    assert slower(1.0, (0.005, 0.015), 5_000, seed=1) == 0


@pytest.mark.parametrize(
    ("factor", "spread"), [(1.05, 0.006), (1.10, 0.012), (1.20, 0.024), (2.0, 0.08)]
)
def test_a_slowdown_beyond_the_noise_is_found(factor, spread):
    """What is eight times the standard deviation is found in 19 of 20, a doubled cost by far."""
    assert slower(factor, (spread, spread), 500, seed=2) >= 475


def test_what_is_measured_no_more_is_told():
    """An operation of the run before that this one lacks is named: no row shows it."""
    both = [night(number, speeds=(speed(), speed(operation="read"))) for number in range(6)]
    assert judged(night(6), both).notes == (
        "read was measured in the run before, and is not in this one",
    )
    assert judged(both[5], both[:5]).notes == ()


def test_a_night_that_was_too_busy_is_none():
    """A run whose ratio is not known, or is nothing, is not among those that say what is usual."""
    busy = night(20, speeds=(replace(speed(1.3), ratio=None, note="too busy"),))
    nothing = night(21, speeds=(replace(speed(1.3), ratio=replace(speed().ratio, value=0.0)),))
    found = row(night(30, 1.3), [*BEFORE[:4], busy, nothing])
    assert found.reason == "4 runs before, and 5 are needed"
    today = row(replace(busy, seed=31), BEFORE)
    assert (today.verdict, today.reason, today.change) == ("undecided", "too busy", None)
    assert found.change is None
    assert replace(row(night(30, 1.3), BEFORE), ratio=None).change is None
    assert row(night(30, 1.3), [*BEFORE[:5], busy, nothing]).verdict == "same"


def test_nonsense_of_a_file_is_no_error():
    """Ratios beyond all measure leave a limit that is a number."""
    row = judged(night(6), [night(n, 1e-300 if n % 2 else 1e300) for n in range(6)]).rows[0]
    assert row.limit is not None
    assert math.isfinite(row.limit)
