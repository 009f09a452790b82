"""Intervals around what is equal: for each row a point with its interval, and a shaded margin.

What lies outside the axis is drawn at its nearer end with an arrow's head, so that one row that is
far off does not press all others together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from sessionproof.svg.plane import WIDTH
from sessionproof.svg.scales import Scale, linear, rounds
from sessionproof.svg.shapes import box, dot, drawing, element, line, text, way

LEFT, RIGHT, TOP = 12, 22, 22
ROW = 36
MIDDLE = 26  # of the interval, below its row's label
END = 4  # half the height of an interval's end


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A row: ``value`` with its interval, None where it is not known. ``words`` stand beside.

    ``title`` says it when it is pointed at. ``class_`` colours it.
    """

    label: str
    value: float | None
    low: float
    high: float
    words: str
    class_: str
    title: str = ""


def intervals(
    rows: Sequence[Interval],
    *,
    low: float,
    high: float,
    margin: tuple[float, float],
    shown: Callable[[float], str],
    label: str,
) -> Markup:
    """The rows from ``low`` to ``high``, with a line at 0 and the margin around it shaded."""
    place = linear(low, high, LEFT, WIDTH - RIGHT)
    bottom = TOP + ROW * len(rows)
    left, right = (place(end) for end in margin)
    shapes = [box(left, TOP - 4, right - left, bottom - TOP + 4, class_="margin", radius=0)]
    for value in rounds(low, high, most=4):
        shapes.append(line(place(value), TOP - 4, place(value), bottom, class_="grid"))
        shapes.append(text(place(value), 11, shown(value), class_="tick", anchor="middle"))
    shapes.append(line(place(0), TOP - 4, place(0), bottom, class_="least"))
    for number, row in enumerate(rows):
        shapes += _row(row, TOP + ROW * number, place, low, high)
    return drawing(WIDTH, bottom + 4, shapes, label=label)


def _row(row: Interval, top: float, place: Scale, low: float, high: float) -> list[Markup]:
    shapes = [
        text(LEFT, top + 13, row.label, class_="row-name"),
        text(WIDTH - RIGHT, top + 13, row.words, class_="word", anchor="end"),
    ]
    if row.value is None:
        return shapes
    y = top + MIDDLE
    start, end = place(row.low), place(row.high)
    drawn = [
        element("title", row.title),
        way([(start, y), (end, y)], class_="between"),
        _end(start, y, outside=row.low < low, side=-1),
        _end(end, y, outside=row.high > high, side=1),
    ]
    if low <= row.value <= high:
        drawn.append(dot(place(row.value), y, shape="square", class_="middle"))
    return [*shapes, element("g", *drawn, class_=f"interval {row.class_}")]


def _end(x: float, y: float, *, outside: bool, side: int) -> Markup:
    """An upright stroke where the interval ends, an arrow where it goes on."""
    if outside:
        head = [(x - END * side, y - END), (x, y), (x - END * side, y + END)]
        return way([(x - 3 * END * side, y), (x, y), *head[:1], (x, y), head[2]], class_="between")
    return line(x, y - END, x, y + END, class_="between")
