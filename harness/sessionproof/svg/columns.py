"""Bars from zero with their words: how much each of a few things is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from sessionproof.svg.plane import WIDTH
from sessionproof.svg.scales import linear
from sessionproof.svg.shapes import CHARACTER, box, drawing, text

RIGHT = 8
ROW = 22


@dataclass(frozen=True)
class Bar:
    """A length with words behind it; a ``head`` stands above the first of a group."""

    name: str
    value: float
    words: str
    class_: str = "s0"
    head: str = ""


def columns(bars: Sequence[Bar], *, label: str) -> Markup:
    """Bars from 0 on one scale, one below the other, with their words behind or inside."""
    names = max((len(one.name) for one in bars), default=0) * CHARACTER + 14
    left = min(names, WIDTH * 0.54)
    place = linear(0, max((one.value for one in bars), default=1), 0, WIDTH - left - RIGHT)
    shapes, top = [], 4.0
    for one in bars:
        if one.head:
            shapes.append(text(6, top + 15, one.head, class_="row-name"))
            top += ROW
        length = max(place(one.value), 1)
        room = WIDTH - left - length - 6
        fits = room >= len(one.words) * CHARACTER
        at = left + length + 6 if fits else left + length - 6
        bar = box(left, top + 2, length, 16, class_=f"column {one.class_}", radius=2)
        shapes += [
            text(left - 8, top + 14, one.name, class_="tick", anchor="end"),
            bar,
            text(
                at, top + 14, one.words, class_="value" if fits else "value inside",
                anchor="start" if fits else "end",
            ),
        ]  # fmt: skip
        top += ROW
    return drawing(WIDTH, top + 4, shapes, label=label)
