"""Bars with their words: how much each of a few things is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from sessionproof.svg.plane import WIDTH
from sessionproof.svg.scales import Scale, linear, logarithmic
from sessionproof.svg.shapes import CHARACTER, box, drawing, line, text

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


def columns(
    bars: Sequence[Bar], *, label: str, powers: tuple[float, float] | None = None
) -> Markup:
    """Bars on one scale, one below the other, with their words behind or inside.

    The scale begins at 0; with ``powers`` it goes by powers of ten from the one to the other, and
    a line marks 1.
    """
    names = max((len(one.name) for one in bars), default=0) * CHARACTER + 14
    left = min(names, WIDTH * 0.54)
    place = _scale(bars, powers, WIDTH - left - RIGHT)
    mark = 0.0 if powers is None else place(1)
    shapes, top = [], 4.0
    for one in bars:
        if one.head:
            shapes.append(text(6, top + 15, one.head, class_="row-name"))
            top += ROW
        length = max(place(one.value), 1)
        room = WIDTH - left - max(length, mark) - 6
        fits = room >= len(one.words) * CHARACTER
        at = left + max(length, mark) + 6 if fits else left + length - 6
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
    if powers is not None:
        shapes.append(line(left + mark, 2, left + mark, top, class_="least"))
    return drawing(WIDTH, top + 4, shapes, label=label)


def _scale(bars: Sequence[Bar], powers: tuple[float, float] | None, width: float) -> Scale:
    if powers is not None:
        return logarithmic(*powers, 0, width)
    return linear(0, max((one.value for one in bars), default=1), 0, width)
