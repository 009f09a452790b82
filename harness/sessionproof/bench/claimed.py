"""What measurements of one operation say about the cost that is claimed for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sessionproof.contract.measurements import Speed

Standing = Literal["holds", "about", "above", "unknown"]

_FLOOR_HIGH = 75  # percentile of the floor's rounds: what it costs even when it is disturbed


@dataclass(frozen=True)
class Bounds:
    """Between what a ratio lies; ``high`` is None where that cannot be told."""

    low: float
    high: float | None
    words: str


def bounds_of(speed: Speed) -> Bounds:
    """The interval of a row. Where too few rounds were calm, the least that it can be.

    What disturbs a round makes it longer, so no round was faster than the store: its fastest round
    against a slow one of the floor is a bound on any machine.
    """
    ratio = speed.ratio
    if ratio is not None:
        interval = f"{ratio.value:.3g} × [{ratio.low:.3g}, {ratio.high:.3g}]"
        words = f"{interval} in {ratio.rounds} calm rounds of {ratio.of}"
        return Bounds(ratio.low, ratio.high, words)
    low = 0.0
    if speed.samples:
        slow_floor = float(np.percentile(speed.samples["floor"], _FLOOR_HIGH))
        low = min(speed.samples["store"]) / max(slow_floor, 1.0)
    return Bounds(low, None, f"at least {low:.3g} × even in its fastest round")


def standing(speeds: Sequence[Speed], most: float) -> Standing:
    """Where the measurements put the operation, in the order in which they were made.

    The newest one lets the claim hold; to be above it takes two. An interval that contains the
    claim is "about".
    """
    bounds = [bounds_of(speed) for speed in speeds]
    newest = bounds[-1]
    if newest.low > most:
        return "above" if sum(one.low > most for one in bounds) > 1 else "unknown"
    if newest.high is None:
        return "unknown"
    return "holds" if newest.high <= most else "about"
