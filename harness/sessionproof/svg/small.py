"""Small pictures that stand within a line: a spark of values, a mark of a legend."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from sessionproof.svg.scales import linear
from sessionproof.svg.shapes import dot, drawing, element, line, way


def spark(points: Sequence[tuple[float, float]], *, label: str) -> Markup:
    """A small line without axes, its values from 0 to the largest."""
    width, height = 96, 24
    across = linear(points[0][0], points[-1][0], 3, width - 3)
    up = linear(0, max(1, *(y for _, y in points)), height - 3, 3)
    places = [(across(x), up(y)) for x, y in points]
    ground = line(0, height - 2, width, height - 2, class_="grid")
    return drawing(width, height, [ground, way(places, class_="joined s0")], label=label)


def swatch(class_: str, shape: str) -> Markup:
    """A mark with its line, for a legend; its name stands beside it."""
    shapes = [way([(1, 7), (23, 7)], class_=f"joined {class_}")]
    shapes.append(dot(12, 7, class_=f"dot {class_}", shape=shape))
    return element("svg", *shapes, viewBox="0 0 24 14", width=24, height=14, aria_hidden="true")
