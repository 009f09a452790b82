"""A strip of nights: a small column for each, the worse the higher, the newest on the right."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from sessionproof.svg.shapes import drawing, element, line, number

COLUMN, GAP, HEIGHT = 4, 1, 16
HEIGHTS = {"broken": 16, "not-claimed": 11, "could-not-tell": 8, "holds": 4}
"""How high the column of each class is: the picture can be read without its colours."""
NIGHTS_MOST = 56
"""So many fit beside a name on a phone."""


def night_strip(nights: Sequence[str], *, label: str) -> Markup:
    """The newest of the nights, each by its class; an empty class leaves its place free.

    One path a class: a page has many strips, and is to stay small.
    """
    shown = nights[-NIGHTS_MOST:]
    width = max(1, len(shown)) * (COLUMN + GAP)
    parts = [line(0, HEIGHT - 0.5, width, HEIGHT - 0.5, class_="grid")]
    for class_, height in HEIGHTS.items():
        at = [place * (COLUMN + GAP) for place, one in enumerate(shown) if one == class_]
        columns = (f"M{number(x)} {HEIGHT - height}h{COLUMN}v{height}h-{COLUMN}z" for x in at)
        if at:
            parts.append(element("path", d="".join(columns), class_=f"night {class_}"))
    return drawing(width, HEIGHT, parts, label=label)
