"""Strips: for each row a line from its lowest to its highest value, with marks, on one axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from sessionproof.svg.plane import WIDTH, Axis
from sessionproof.svg.scales import logarithmic, powers
from sessionproof.svg.shapes import dot, drawing, line, text, way

LEFT, RIGHT, TOP = 12, 22, 20
ROW = 36
INNER = 15  # between strips of one row
MIDDLE = 26  # of the first strip, below its row's label


@dataclass(frozen=True)
class Mark:
    """One value; ``shape`` is one of ``shapes.SHAPES`` or ``bar``, ``title`` its words."""

    value: float
    shape: str
    title: str
    class_: str = ""


@dataclass(frozen=True)
class Strip:
    """Marks of one thing, joined by a line; the first and the last are its ends."""

    marks: tuple[Mark, ...]
    class_: str = "s0"
    beside: tuple[Mark, ...] = ()  # not joined


@dataclass(frozen=True)
class Row:
    """A label with the strips below it."""

    label: str
    strips: tuple[Strip, ...] = ()


def strips(rows: Sequence[Row], axis: Axis, *, label: str) -> Markup:
    """The strips of all rows on one axis by powers of ten."""
    place = logarithmic(axis.low, axis.high, LEFT, WIDTH - RIGHT)
    heights = [ROW + INNER * (max(len(row.strips), 1) - 1) for row in rows]
    bottom = TOP + sum(heights)
    shapes = []
    for value in powers(axis.low, axis.high):
        shapes.append(line(place(value), TOP - 4, place(value), bottom, class_="grid"))
        shapes.append(text(place(value), 11, axis.shown(value), class_="tick", anchor="middle"))
    top = float(TOP)
    for row, height in zip(rows, heights, strict=True):
        shapes.append(text(LEFT, top + 13, row.label, class_="row-name"))
        for number, strip in enumerate(row.strips):
            y = top + MIDDLE + INNER * number
            ends = [(place(one.value), y) for one in (strip.marks[0], strip.marks[-1])]
            shapes.append(way(ends, class_=f"joined {strip.class_}"))
            shapes += [
                dot(place(one.value), y, shape=one.shape, title=one.title,
                    class_=f"dot {strip.class_} {one.class_}".rstrip())
                for one in (*strip.beside, *strip.marks)
            ]  # fmt: skip
        top += height
    return drawing(WIDTH, bottom + 4, shapes, label=label)
