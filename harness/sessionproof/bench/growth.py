"""How cost grows with size: an exponent over the largest sizes, with its interval.

Source of the method and its figures: docs/performance.md, "How growth is measured".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sessionproof.bench.statistics import LEAST_CALM, calm
from sessionproof.contract.measurements import Growth, GrowthVerdict

FLAT = 0.2  # log n reads as 0.11: it cannot be told from no growth, and need not be
LINEAR = 0.7
SUPERLINEAR = 1.3
PLAIN = 0.5  # more than threefold over a decade: no disturbance of random rounds looks like it
TOP = 3  # at smaller sizes what a call costs anyway hides how it grows
MILLION = 1_000_000
_RESAMPLES = 500
_INTERVAL = (0.5, 99.5)
_LEAST_SHARE = 0.01
_PLAIN_LEAST = 20  # rounds, calm or not


@dataclass(frozen=True)
class Exponent:
    """The exponent of a cost over the largest three sizes, with its 99 % interval.

    ``rounds`` were calm, and are what it was made of. Where they were too few, all rounds, which
    are ``of``, make up value and interval; the verdict then is "undecided", or "grows" where that
    is plain to see: a busy machine slows rounds down, but not the largest size alone.
    """

    value: float
    low: float
    high: float
    rounds: int
    of: int

    @property
    def verdict(self) -> GrowthVerdict:
        """What the interval says of it."""
        if self.rounds < LEAST_CALM:
            return "grows" if self.of >= _PLAIN_LEAST and self.low > PLAIN else "undecided"
        if self.high < FLAT:
            return "flat"
        if self.low > SUPERLINEAR:
            return "superlinear"
        if self.low > LINEAR:
            return "linear"
        return "grows" if self.low > FLAT else "undecided"


def exponent(sizes: Sequence[int], costs: NDArray[np.float64], *, seed: int) -> Exponent:
    """The median of the calm rounds' exponents. ``costs`` has the shape (rounds, sizes).

    Each round has an exponent of its own, by least squares of log cost on log size, so that what
    slows a whole round down changes nothing. ValueError for fewer than three sizes.
    """
    if len(sizes) < TOP or costs.shape[1] != len(sizes):
        raise ValueError(f"{len(sizes)} sizes of costs {costs.shape}: at least three are needed")
    top = np.maximum(costs[:, -TOP:], 1.0)
    undisturbed = calm(*costs[:, -TOP:].T)
    enough = undisturbed.sum() >= LEAST_CALM
    slopes = np.log(top[undisturbed] if enough else top) @ _weights(sizes)
    draws = np.random.default_rng(seed).integers(0, len(slopes), (_RESAMPLES, len(slopes)))
    low, high = np.percentile(np.median(slopes[draws], axis=1), _INTERVAL)
    return Exponent(
        value=float(np.median(slopes)),
        low=float(low),
        high=float(high),
        rounds=int(undisturbed.sum()),
        of=len(costs),
    )


def _weights(sizes: Sequence[int]) -> NDArray[np.float64]:
    """What each log cost of the top sizes counts for in the slope; shape (3,)."""
    away = np.log(np.array(sizes[-TOP:], np.float64))
    away -= away.mean()
    weights: NDArray[np.float64] = away / (away @ away)
    return weights


def growth(
    operation: str,
    along: str,
    sizes: Sequence[int],
    costs: NDArray[np.float64],
    *,
    seed: int,
    floor: NDArray[np.float64] | None = None,
) -> Growth:
    """What rounds say of the growth of one operation.

    ``costs`` and ``floor``, where there is one, are nanoseconds a call in each round and at each
    size, shape (rounds, sizes). ValueError for fewer than three sizes.
    """
    found = exponent(sizes, costs, seed=seed)
    cost_us = _typical_us(costs)
    return Growth(
        operation=operation,
        along=along,
        sizes=tuple(sizes),
        cost_us=cost_us,
        floor_us=None if floor is None else _typical_us(floor),
        slope=found.value,
        low=found.low,
        high=found.high,
        verdict=found.verdict,
        rounds=found.rounds,
        factor=cost_us[-1] / cost_us[0],
        at_million_us=cost_us[-1] * (MILLION / sizes[-1]) ** max(found.value, 0.0),
        limit=limit(sizes, found) if found.verdict == "flat" else "",
    )


def _typical_us(costs: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(cost) / 1_000 for cost in np.median(costs, axis=0))


def limit(sizes: Sequence[int], found: Exponent) -> str:
    """What growth a flat exponent leaves room for, in a sentence."""
    largest, shows = sizes[-1], linear_share(sizes, FLAT)
    share = linear_share(sizes, found.high)
    beyond = _rounded(largest * (1 - share) / share * shows / (1 - shows))
    return (
        f"a part that grows linearly shows when it is about {100 * shows:.0f} % of the cost; "
        f"it is at most {100 * share:.0f} % at {largest:,}, so it would become visible beyond "
        f"{beyond:,}"
    )


def linear_share(sizes: Sequence[int], slope: float) -> float:
    """Which part of the cost at the largest size may grow linearly, for such an exponent.

    The rest is constant. At least 0.01, as less is never known; at most 1.
    """
    shares = np.linspace(_LEAST_SHARE, 1.0, 100)
    part = np.array(sizes[-TOP:], np.float64) / sizes[-1]
    slopes = np.log(1 - shares[:, None] + shares[:, None] * part) @ _weights(sizes)
    return float(shares[np.searchsorted(slopes, slope).clip(0, len(shares) - 1)])


def _rounded(number: float) -> int:
    """The number with two digits, the others zero."""
    digits = max(0, int(np.floor(np.log10(max(number, 1)))) - 1)
    return round(int(number), -digits)
