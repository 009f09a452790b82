"""What measurements say about a claimed cost: it holds, is about that, is above, or stays open."""

from dataclasses import replace

import pytest

from sessionproof.bench.claimed import bounds_of, standing
from sessionproof.contract.measurements import Latency, Ratio, Speed


def row(low, high, *, calm=True, samples=True):
    """A measurement between these ratios; too busy for an interval unless ``calm``.

    Then its fastest round took ``low`` times what slow ones of the floor did.
    """
    middle = (low + high) / 2
    floor = (600, *[1_000] * 6)
    return Speed(
        operation="append",
        clients="one client",
        latency=Latency(p50_us=1, p95_us=1, p99_us=1, p999_us=1, max_us=1, calls=9),
        per_second=1.0,
        floor="raw SQLite",
        floor_us=1.0,
        ratio=Ratio(value=middle, low=low, high=high, rounds=20, of=24) if calm else None,
        samples={"store": (high * 1_000, low * 1_000), "floor": floor} if samples else {},
    )


def busy(low):
    """A measurement of which the fastest round alone is known."""
    return row(low, 9 * low, calm=False)


def test_an_interval_is_its_own_bounds():
    """The words have its value and how many rounds were calm."""
    bounds = bounds_of(row(1.9, 2.1))
    assert (bounds.low, bounds.high) == (1.9, 2.1)
    assert bounds.words == "2 × [1.9, 2.1] in 20 calm rounds of 24"


def test_a_busy_machine_leaves_a_lower_bound():
    """No round was faster than the store: its fastest against a slow one of the floor."""
    bounds = bounds_of(busy(40))
    assert (bounds.low, bounds.high) == (pytest.approx(40), None)
    assert bounds.words == "at least 40 × even in its fastest round"


def test_without_samples_nothing_is_bounded():
    """A row that was read back without its rounds may cost anything."""
    assert bounds_of(row(40, 50, calm=False, samples=False)).low == 0.0
    assert standing([row(40, 50, calm=False, samples=False)], 4) == "unknown"


def test_a_floor_of_no_time_is_no_bound_without_end():
    """Rounds below the clock's resolution are taken for a nanosecond."""
    made = row(3, 5, calm=False)
    timeless = replace(made, samples={**made.samples, "floor": (0, 0, 0)})
    assert bounds_of(timeless).low == 3_000


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([row(1, 2)], "holds"),
        ([row(3, 4)], "holds"),
        ([row(3, 4.1)], "about"),
        ([row(4, 4)], "holds"),
        ([row(4.1, 5)], "unknown"),
        ([row(4.1, 5), row(4.1, 5)], "above"),
        ([row(4.1, 5), row(1, 2)], "holds"),
        ([row(1, 2), row(4.1, 5)], "unknown"),
        ([row(1, 2), row(4.1, 5), row(4.1, 5)], "above"),
        ([busy(3)], "unknown"),
        ([row(4.1, 5), busy(3)], "unknown"),
        ([busy(40)], "unknown"),
        ([busy(40), busy(40)], "above"),
        ([busy(40), row(3, 4)], "holds"),
    ],
)
def test_the_newest_measurement_decides_and_two_break_a_claim(rows, said):
    """One above the claim may be a disturbance; an interval around it breaks nothing."""
    assert standing(rows, 4) == said
