"""Whether head is slower than base, from pairs of fresh processes that took turns.

Two processes of the same store differ by one or two percent for as long as they live, by where
their memory happens to lie. No number of rounds removes that; other processes do. So a pair of
processes gives one number, the median of its calm rounds, and the interval is one over pairs.
Figures on how often this is wrong: docs/regressions.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sessionproof.bench.statistics import CALM, calm
from sessionproof.bench.tracking.compared import Compared, ComparisonVerdict, PairOfCosts
from sessionproof.contract.measurements import Ratio

MARGIN = 1.02  # what differs by less is not called slower: equal code may, by its memory
WIDEST = 0.04  # of an interval, as the logarithm of its ends' ratio, that still tells something
LEAST_PAIRS = 4
LEAST_CALM = 5  # rounds of a pair; where it has few, more than half
MORE_OFTEN = 0.1  # of the rounds, in which head takes long and base does not

# Student's t at 99.5 % by degrees of freedom, from 1; what is asked beyond takes the last.
_T = (
    63.657, 9.925, 5.841, 4.604, 4.032, 3.707, 3.499, 3.355, 3.250, 3.169,
    3.106, 3.055, 3.012, 2.977, 2.947, 2.921, 2.898, 2.878, 2.861, 2.845,
    2.831, 2.819, 2.807, 2.797, 2.787, 2.779, 2.771, 2.763, 2.756, 2.750, 2.744,
)  # fmt: skip


def judged(operation: str, pairs: Sequence[PairOfCosts], *, note: str = "") -> Compared:
    """The row of an operation from all its pairs.

    Slower, faster: the whole interval lies beyond the margin of 2 %. Same: it is narrow and does
    not. Undecided: it is too wide, or too few pairs had calm rounds.
    """
    costs = [_costs(pair) for pair in pairs]
    kept = [calm(base, head) for base, head in costs]
    good = [at for at, one in enumerate(kept) if one.sum() >= min(LEAST_CALM, len(one) // 2 + 1)]
    told = [(costs[at][0][kept[at]], costs[at][1][kept[at]]) for at in good]
    ratio = None
    if len(told) >= LEAST_PAIRS:
        ratio = ratio_over(
            [float(np.median(np.log(head / base))) for base, head in told],
            rounds=int(sum(kept[at].sum() for at in good)),
            of=sum(len(one) for one in kept),
        )
    verdict = "undecided" if ratio is None else verdict_of(ratio)
    at_times = "" if verdict == "slower" else _at_times([costs[at] for at in good])
    return Compared(
        operation=operation,
        verdict="undecided" if at_times else verdict,
        ratio=ratio,
        base_us=_median_us([base for base, _ in told]),
        head_us=_median_us([head for _, head in told]),
        pairs=tuple(pairs),
        reason=at_times or _reason(ratio, len(good), len(pairs)),
        warning="" if at_times else _warning(ratio),
        note=note,
    )


def ratio_over(logs: Sequence[float], *, rounds: int, of: int) -> Ratio:
    """The mean of logarithms of ratios with its 99 % t-interval, as a ratio; two at least."""
    values = np.asarray(logs, np.float64)
    middle = float(values.mean())
    half = t_of(len(values) - 1) * float(values.std(ddof=1)) / math.sqrt(len(values))
    return Ratio(
        value=math.exp(middle),
        low=math.exp(middle - half),
        high=math.exp(middle + half),
        rounds=rounds,
        of=of,
    )


def verdict_of(found: Ratio) -> ComparisonVerdict:
    """What an interval says. Where head and base change places, slower becomes faster."""
    if found.low > MARGIN:
        return "slower"
    if found.high < 1 / MARGIN:
        return "faster"
    return "same" if width(found) <= WIDEST else "undecided"


def is_open(row: Compared) -> bool:
    """Whether more pairs may change what is said: the margin lies inside the interval."""
    if row.ratio is None or row.verdict == "undecided":
        return True
    return row.ratio.low <= MARGIN < row.ratio.high


def width(found: Ratio) -> float:
    """The logarithm of the upper over the lower end: 0.04 is about 4 %."""
    return math.log(found.high / found.low)


def t_of(freedom: int) -> float:
    """Student's t at 99.5 %, so that two sides leave 1 %."""
    return _T[min(freedom, len(_T)) - 1]


def _costs(pair: PairOfCosts) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.asarray(pair.base, np.float64), np.asarray(pair.head, np.float64)


def _median_us(costs: Sequence[NDArray[np.float64]]) -> float | None:
    return float(np.median(np.concatenate(costs)) / 1_000) if costs else None


def _at_times(pairs: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> str:
    """A sentence where head takes long in many more rounds than base does; empty if not.

    Neighbours disturb both alike, and such rounds are left out. A head that is slow in every
    second call would be left out with them, and be called the same.
    """
    if len(pairs) < LEAST_PAIRS:
        return ""
    shares = np.array([_long(base, head) for base, head in pairs])
    more = shares[:, 1] - shares[:, 0]
    least = more.mean() - t_of(len(more) - 1) * more.std(ddof=1) / math.sqrt(len(more))
    if least <= MORE_OFTEN:
        return ""
    base, head = 100 * shares.mean(axis=0)
    return (
        f"head takes {CALM:g} times its usual time or more in {head:.0f} % of the rounds, and base "
        f"in {base:.0f} %: these rounds are in no figure here"
    )


def _long(base: NDArray[np.float64], head: NDArray[np.float64]) -> tuple[float, float]:
    """In which parts of the rounds base and head take long, by the usual time of the slower one."""
    most = CALM * max(np.percentile(base, 10), np.percentile(head, 10))
    return float(np.mean(base > most)), float(np.mean(head > most))


def _reason(ratio: Ratio | None, good: int, of: int) -> str:
    if ratio is None:
        return (
            f"{good} of {of} pairs of processes had calm rounds, and {LEAST_PAIRS} are needed: "
            "the machine was too busy"
        )
    if verdict_of(ratio) != "undecided":
        return ""
    return (
        f"the interval is {100 * (math.exp(width(ratio)) - 1):.0f} % wide: the machine was too "
        "busy, or the operation takes very different times"
    )


def _warning(ratio: Ratio | None) -> str:
    if ratio is None or not 1 < ratio.low <= MARGIN:
        return ""
    return (
        f"slower by {100 * (ratio.value - 1):.1f} %, which may be where its memory lies: "
        "more than 2 % fails"
    )
