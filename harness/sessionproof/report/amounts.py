"""Amounts for people: times, bytes and rates in three digits, ratios with their intervals."""

from __future__ import annotations

from sessionproof.contract.measurements import Growth, Ratio

_TIMES = ((1e6, "s"), (1e3, "ms"), (1.0, "µs"), (1e-3, "ns"))
_BYTES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "bytes"))


def duration(us: float) -> str:
    """``42.0 µs``, ``1.80 ms``; 0 is ``0 µs``."""
    return _scaled(us, _TIMES, "µs")


def amount_of(value: float, unit: str) -> str:
    """A value in its unit; bytes and microseconds in what is at hand."""
    if unit == "µs":
        return duration(value)
    return _scaled(value, _BYTES, "bytes") if unit == "bytes" else f"{digits(value)} {unit}"


def count(value: float) -> str:
    """A number for a tick or a name: ``230``, ``1.5k``, ``10M``."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.4g}{letter}"
    return f"{value:.4g}"


def tick(us: float) -> str:
    """A duration without needless digits: ``1µs``, ``2.1ms``."""
    size, unit = next(pair for pair in (*_TIMES, (0.0, "")) if us >= pair[0] * 0.9995)
    return f"{us / size:g}{unit}" if size else "0"


def interval(ratio: Ratio) -> str:
    """``×1.27 [1.25, 1.30]``."""
    return f"×{digits(ratio.value)} [{digits(ratio.low)}, {digits(ratio.high)}]"


def slope(growth: Growth) -> str:
    """``0.01 [-0.01, 0.03]``, without a sign before zero."""
    return f"{_signed(growth.slope)} [{_signed(growth.low)}, {_signed(growth.high)}]"


def digits(value: float) -> str:
    """Three digits that matter, whole numbers with commas."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 100:
        rounded = float(f"{value:.3g}") if size >= 1_000 else value
        return f"{rounded:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 0.1 else f"{value:.2g}"


def _signed(value: float) -> str:
    text = f"{value:.2f}"
    return text.removeprefix("-") if float(text) == 0 else text


def _scaled(value: float, units: tuple[tuple[float, str], ...], zero: str) -> str:
    if value == 0:
        return f"0 {zero}"
    for at, (size, unit) in enumerate(units):
        if abs(value) >= size * 0.9995 or at == len(units) - 1:
            return f"{digits(value / size)} {unit}".rstrip()
    raise AssertionError("unreachable")
