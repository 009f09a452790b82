"""Scales: from a value to a place in a picture, and the values that deserve a mark."""

from __future__ import annotations

import math
from collections.abc import Callable

Scale = Callable[[float], float]


def linear(low: float, high: float, start: float, end: float) -> Scale:
    """From ``low … high`` to ``start … end``; what lies outside is put at the nearer end.

    Where low and high are equal there is nothing to measure by: all lies at the start.
    """
    span = high - low

    def place(value: float) -> float:
        share = (value - low) / span if span > 0 else 0.0
        return start + min(max(share, 0.0), 1.0) * (end - start)

    return place


def logarithmic(low: float, high: float, start: float, end: float) -> Scale:
    """As ``linear``, by powers of ten. ``low`` and ``high`` are above 0; 0 lies at the start."""
    if not 0 < low <= high:
        raise ValueError(f"a logarithmic scale needs 0 < low <= high, got {low} and {high}")
    by_power = linear(math.log10(low), math.log10(high), start, end)
    return lambda value: by_power(math.log10(value)) if value > 0 else start


def powers(low: float, high: float) -> list[float]:
    """The powers of ten from ``low`` to ``high``, both included."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    return [10.0**power for power in range(first, last + 1)]


def ceiling(value: float) -> float:
    """The smallest power of ten that is not below ``value``; 1 for what is not above 0."""
    return 10.0 ** math.ceil(math.log10(value) - 1e-9) if value > 0 else 1.0


def floor(value: float) -> float:
    """The largest power of ten that is not above ``value``; 1 for what is not above 0."""
    return 10.0 ** math.floor(math.log10(value) + 1e-9) if value > 0 else 1.0


def rounds(low: float, high: float, *, most: int = 5) -> list[float]:
    """At most so many round values (1, 2 or 5 by powers of ten) from ``low`` to ``high``."""
    if high <= low:
        return [low]
    raw = (high - low) / most
    step = next(one for one in (raw_step * floor(raw) for raw_step in (1, 2, 5, 10)) if one >= raw)
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]
