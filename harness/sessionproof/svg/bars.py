"""Bars: how much, against how much there must be."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from sessionproof.svg.scales import ceiling, linear, logarithmic, powers
from sessionproof.svg.shapes import box, drawing, line, number, text

HEIGHT = 14
LOWEST = 0.1  # of what there must be; less looks the same


def top(ratios: Sequence[float]) -> float:
    """Where the scale of all these ratios ends: a power of ten, at least 100."""
    return max(100.0, *map(ceiling, ratios), 100.0)


def against(ratio: float, *, highest: float, width: float, label: str) -> Markup:
    """A bar on a logarithmic scale, from a tenth to ``highest``, with a line at 1.

    ``ratio`` is what there is, in units of what there must be. Below 1 the bar is of another kind
    (class ``short``); 0 has none.
    """
    place = logarithmic(LOWEST, highest, 0, width)
    shapes = [box(0, 3, width, HEIGHT - 6, class_="track", radius=2)]
    if ratio > 0:
        kind = "bar" if ratio >= 1 else "bar short"
        shapes.append(box(0, 3, max(place(ratio), 2), HEIGHT - 6, class_=kind, radius=2))
    shapes.append(line(place(1), 0, place(1), HEIGHT, class_="least"))
    return drawing(width, HEIGHT, shapes, label=label)


def axis(*, highest: float, width: float) -> Markup:
    """The scale of ``against``, to stand above its bars."""
    place = logarithmic(LOWEST, highest, 0, width)
    shapes = []
    for power in powers(1, highest):
        anchor = "end" if power == highest else "middle"
        x = place(power)
        shapes.append(text(x, HEIGHT - 4, f"×{_short(power)}", class_="tick", anchor=anchor))
    return drawing(
        width, HEIGHT, shapes, label=f"scale from a tenth to {number(highest)} times the least"
    )


def share(value: float, *, highest: float, width: float, label: str) -> Markup:
    """A bar on a linear scale from 0 to ``highest``."""
    place = linear(0, highest, 0, width)
    shapes = [box(0, 4, max(place(value), 1), HEIGHT - 8, class_="time", radius=1)]
    return drawing(width, HEIGHT, shapes, label=label)


def _short(power: float) -> str:
    """``1``, ``10``, ``100``, ``1k``, ``1M``."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if power >= size:
            return f"{power / size:.0f}{letter}"
    return f"{power:.0f}"
