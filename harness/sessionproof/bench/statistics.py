"""What rounds say: ratios with their intervals, and percentiles.

Source of the method and its figures: docs/performance.md, "How speed is measured".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sessionproof.contract.measurements import Latency, Ratio

CALM = 1.5  # times an arm's own tenth percentile; a longer round was disturbed
LEAST_CALM = 12  # of so few the interval holds the truth in 97.5 %, of 200 in 99 %
_RESAMPLES = 500
_INTERVAL = (0.5, 99.5)


class TooFewRounds(Exception):
    """Fewer calm rounds than an interval can be made of; the text is a reason in one line."""

    def __init__(self, calm_rounds: int, of: int) -> None:
        super().__init__(
            f"{calm_rounds} of {of} rounds were calm, and {LEAST_CALM} are needed: "
            "the machine was too busy, or there were too few rounds"
        )


def calm(*arms: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The rounds in which no arm was disturbed; shape (rounds,).

    A time of zero lies below the clock's resolution and says nothing: such a round is not calm.
    """
    kept = np.ones(len(arms[0]), np.bool_)
    for costs in arms:
        measured = costs > 0
        most = CALM * np.percentile(costs[measured], 10) if measured.any() else 0.0
        kept &= measured & (costs <= most)
    return kept


def ratio(costs: NDArray[np.float64], floor: NDArray[np.float64], *, seed: int) -> Ratio:
    """Cost over floor, as the median of the calm rounds' ratios, with its 99 % interval.

    Raises TooFewRounds when fewer than ``LEAST_CALM`` rounds were calm.
    """
    kept = calm(costs, floor)
    if kept.sum() < LEAST_CALM:
        raise TooFewRounds(int(kept.sum()), len(costs))
    logs = np.log(costs[kept] / floor[kept])
    draws = np.random.default_rng(seed).integers(0, len(logs), (_RESAMPLES, len(logs)))
    low, high = np.percentile(np.median(logs[draws], axis=1), _INTERVAL)
    return Ratio(
        value=float(np.exp(np.median(logs))),
        low=float(np.exp(low)),
        high=float(np.exp(high)),
        rounds=int(kept.sum()),
        of=len(costs),
    )


def latency(calls: NDArray[np.int64]) -> Latency:
    """Percentiles of single calls, given in nanoseconds; ValueError for no calls."""
    if not len(calls):
        raise ValueError("percentiles of no calls")
    p50, p95, p99, p999 = np.percentile(calls, (50, 95, 99, 99.9)) / 1_000
    return Latency(
        p50_us=float(p50),
        p95_us=float(p95),
        p99_us=float(p99),
        p999_us=float(p999),
        max_us=float(calls.max() / 1_000),
        calls=len(calls),
    )
