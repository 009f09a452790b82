"""Whether one version is slower than another, from rounds in which both took turns.

The gate for a change: head and base run side by side in one fresh process. Figures on how often
it is wrong: docs/performance.md, "How speed is measured"; ``benchmarks/null_comparisons.py``
measures them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sessionproof.bench.statistics import TooFewRounds, ratio
from sessionproof.contract.measurements import Ratio

MARGIN = 1.02  # two equal arms differ by up to 1 %, by where their memory happens to lie
ALIKE = 1.04
LEAST_ROUNDS, MOST_ROUNDS = 200, 1600

ComparisonVerdict: TypeAlias = Literal["slower", "faster", "same", "undecided"]

Costs: TypeAlias = NDArray[np.float64]
"""What an arm cost in each round, in any unit; shape (rounds,)."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The cost of head as a multiple of base's, and what follows from its interval."""

    ratio: Ratio
    verdict: ComparisonVerdict


def compared(head: Costs, base: Costs, *, seed: int) -> Comparison:
    """Judge the costs of head and base in the same rounds.

    Slower, faster: the whole interval lies beyond the margin of 2 %. Same: all of it lies within
    4 %. Undecided: neither; more rounds may tell. Raises TooFewRounds as ``ratio`` does.
    """
    found = ratio(head, base, seed=seed)
    return Comparison(ratio=found, verdict=verdict_of(found))


def verdict_of(found: Ratio) -> ComparisonVerdict:
    """What an interval says. Where head and base change places, slower becomes faster."""
    if found.low > MARGIN:
        return "slower"
    if found.high < 1 / MARGIN:
        return "faster"
    return "same" if found.low > 1 / ALIKE and found.high < ALIKE else "undecided"


def until_decided(
    measure: Callable[[int], tuple[Costs, Costs]],
    *,
    seed: int,
    least: int = LEAST_ROUNDS,
    most: int = MOST_ROUNDS,
) -> Comparison:
    """Compare after ``least`` rounds, and while undecided after twice as many, up to ``most``.

    ``measure(rounds)`` makes so many further rounds and answers the costs of head and base.
    Raises TooFewRounds when even all rounds had too few calm ones.
    """
    head, base = measure(least)
    while True:
        last = 2 * len(head) > most
        try:
            comparison = compared(head, base, seed=seed)
        except TooFewRounds:
            if last:
                raise
        else:
            if last or comparison.verdict != "undecided":
                return comparison
        more_of_head, more_of_base = measure(len(head))
        head, base = np.append(head, more_of_head), np.append(base, more_of_base)
