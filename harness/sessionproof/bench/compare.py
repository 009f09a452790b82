"""Whether one version is slower than another, from rounds in which both took turns.

The gate for a change: head and base run side by side in one fresh process. Figures on how often
it is wrong: docs/performance.md, "How speed is measured"; ``benchmarks/null_comparisons.py``
measures them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sessionproof.bench.statistics import ratio
from sessionproof.contract.measurements import Ratio

MARGIN = 1.02  # two equal arms differ by up to 0.8 %, by where their memory happens to lie
WIDEST = 1.04

ComparisonVerdict: TypeAlias = Literal["slower", "faster", "same", "undecided"]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The cost of head as a multiple of base's, and what follows from its interval."""

    ratio: Ratio
    verdict: ComparisonVerdict


def compared(head: NDArray[np.float64], base: NDArray[np.float64], *, seed: int) -> Comparison:
    """Judge costs of the same rounds (float64, shape (rounds,), any one unit).

    Slower or faster: the whole interval lies beyond the margin. Undecided: it does not, and is
    too wide to be called the same; more rounds may tell. Raises TooFewRounds as ``ratio`` does.
    """
    found = ratio(head, base, seed=seed)
    return Comparison(ratio=found, verdict=verdict_of(found))


def verdict_of(found: Ratio) -> ComparisonVerdict:
    """What an interval says; head and base may change places, and so do slower and faster."""
    if found.low > MARGIN:
        return "slower"
    if found.high < 1 / MARGIN:
        return "faster"
    return "undecided" if found.high / found.low > WIDEST else "same"
