"""A plane: series of points over two axes, each linear or by powers of ten."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

from markupsafe import Markup

from sessionproof.svg.scales import Scale, ceiling, floor, linear, logarithmic, powers, rounds
from sessionproof.svg.shapes import CHARACTER, box, cut, dot, drawing, line, text, way

WIDTH, HEIGHT = 316, 200  # fits a phone; three fit beside each other on a screen
LEFT, RIGHT, TOP, BOTTOM = 50, 14, 12, 34
WORTH = 3  # characters that must fit into a band for it to be named

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Axis:
    """From ``low`` to ``high``; ``shown`` writes a value, ``title`` says what it is."""

    low: float
    high: float
    shown: Callable[[float], str]
    title: str = ""
    logarithmic: bool = True


@dataclass(frozen=True, kw_only=True)
class Series:
    """Points of one thing: with marks, a line through them, or both.

    ``titles`` say the points in words when they are pointed at. ``fit`` is a straight line that
    was laid through them, from its one end to the other.
    """

    points: tuple[Point, ...]
    class_: str
    shape: str | None = "circle"
    joined: bool = True
    titles: tuple[str, ...] = ()
    fit: tuple[Point, Point] | None = None


@dataclass(frozen=True, kw_only=True)
class Upright:
    """A line from top to bottom at ``x`` with a word beside it."""

    x: float
    word: str
    class_: str = "upright"


@dataclass(frozen=True, kw_only=True)
class Band:
    """A shaded stretch of the lower axis from ``low`` to ``high``, with what fits of a word."""

    low: float
    high: float
    word: str = ""


def plane(
    series: Sequence[Series],
    x: Axis,
    y: Axis,
    *,
    label: str,
    uprights: Sequence[Upright] = (),
    bands: Sequence[Band] = (),
) -> Markup:
    """The picture. What lies outside an axis is drawn at its nearer end."""
    across = _scale(x, LEFT, WIDTH - RIGHT)
    up = _scale(y, HEIGHT - BOTTOM, TOP)
    shapes = [*_shaded(bands, across), *_across(x, across), *_up(y, up)]
    for place, mark in enumerate(uprights):
        at = across(mark.x)
        before = at > WIDTH - RIGHT - len(mark.word) * CHARACTER - 6
        side, anchor = (at - 4, "end") if before else (at + 4, "start")
        shapes.append(line(at, TOP, at, HEIGHT - BOTTOM, class_=mark.class_))
        shapes.append(text(side, TOP + 10 + 12 * place, mark.word, class_="note", anchor=anchor))
    for one in series:
        shapes += _drawn(one, across, up)
    return drawing(WIDTH, HEIGHT, shapes, label=label)


def spanning(values: Sequence[float], shown: Callable[[float], str], *, title: str = "") -> Axis:
    """An axis by powers of ten around these values, at least one power wide."""
    positive = [value for value in values if value > 0] or [1.0]
    low, high = floor(min(positive)), ceiling(max(positive))
    return Axis(low=low, high=max(high, 10 * low), shown=shown, title=title)


def _scale(axis: Axis, start: float, end: float) -> Scale:
    kind = logarithmic if axis.logarithmic else linear
    return kind(axis.low, axis.high, start, end)


def _ticks(axis: Axis) -> list[float]:
    return powers(axis.low, axis.high) if axis.logarithmic else rounds(axis.low, axis.high)


def _across(axis: Axis, place: Scale) -> list[Markup]:
    bottom = HEIGHT - BOTTOM
    marks = [
        (
            line(place(value), TOP, place(value), bottom, class_="grid"),
            text(place(value), bottom + 13, axis.shown(value), class_="tick", anchor="middle"),
        )
        for value in _ticks(axis)
    ]
    title = text(WIDTH - RIGHT, HEIGHT - 6, axis.title, class_="tick", anchor="end")
    return [*chain.from_iterable(marks), title]


def _up(axis: Axis, place: Scale) -> list[Markup]:
    marks = [
        (
            line(LEFT, place(value), WIDTH - RIGHT, place(value), class_="grid"),
            text(LEFT - 5, place(value) + 4, axis.shown(value), class_="tick", anchor="end"),
        )
        for value in _ticks(axis)
    ]
    return [*chain.from_iterable(marks)]


def _shaded(bands: Sequence[Band], place: Scale) -> list[Markup]:
    """The bands, every other one of another shade, below all else."""
    shapes = []
    for number, one in enumerate(bands):
        left, right = place(one.low), place(one.high)
        class_ = f"band b{number % 2}"
        shapes.append(box(left, TOP, right - left, HEIGHT - BOTTOM - TOP, class_=class_, radius=0))
        room = int((right - left - 6) / CHARACTER)
        if one.word and room >= WORTH:
            shapes.append(text(left + 4, TOP + 11, cut(one.word, room), class_="note"))
    return shapes


def _drawn(one: Series, across: Scale, up: Scale) -> list[Markup]:
    places = [(across(x), up(y)) for x, y in one.points]
    shapes = []
    if one.fit is not None:
        ends = [(across(x), up(y)) for x, y in one.fit]
        shapes.append(way(ends, class_=f"fit {one.class_}"))
    if one.joined and len(places) > 1:
        shapes.append(way(places, class_=f"joined {one.class_}"))
    if one.shape is not None:
        titles = one.titles or ("",) * len(places)
        shapes += [
            dot(*at, class_=f"dot {one.class_}", shape=one.shape, title=title)
            for at, title in zip(places, titles, strict=True)
        ]
    return shapes
