"""A value over runs: a line with its interval as a band, steps with their words, a strip below.

Runs lie at equal distances in their order, so several courses of the same runs can be read one
below the other. Lines of runs that may not be compared are drawn apart, each in a class of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

from markupsafe import Markup

from sessionproof.svg.plane import Axis
from sessionproof.svg.scales import Scale, linear, rounds
from sessionproof.svg.shapes import CHARACTER, box, drawing, element, line, number, text, way

LEFT, RIGHT, TOP, BOTTOM = 50, 10, 26, 36
HEIGHT = 190
LEAST_WIDTH, MOST_WIDTH = 316, 552  # fits a phone; two fit beside each other on a screen
STEP_MOST = 12  # between two runs
STRIP = 6
DOT = 1.8
_TICK_ROOM = 120  # of a date below


@dataclass(frozen=True, kw_only=True)
class Moment:
    """What one run measured: ``place`` counts runs from 0, ``words`` say it when pointed at.

    ``strip`` is the class of the run's mark in the strip, empty for none.
    """

    place: int
    value: float
    low: float
    high: float
    words: str
    strip: str = ""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A change just before the run at ``place``: the level of the runs before it and after.

    ``start`` and ``end`` are the places of the first and the last run of the two levels.
    """

    place: int
    start: int
    end: int
    before: float
    after: float
    word: str
    class_: str


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """The moments of one line of runs, in their order; ``reason`` marks where it begins."""

    moments: tuple[Moment, ...]
    class_: str
    steps: tuple[Step, ...] = ()
    reason: str = ""


def course(
    stretches: Sequence[Stretch],
    places: int,
    y: Axis,
    *,
    shown: Callable[[int], str],
    label: str,
) -> Markup:
    """The picture of ``places`` runs in all; ``shown`` writes the date of a run.

    What lies outside the axis is drawn at its nearer end.
    """
    width = min(MOST_WIDTH, max(LEAST_WIDTH, LEFT + RIGHT + STEP_MOST * (places - 1)))
    margin = 4 if places > 1 else (width - LEFT - RIGHT) / 2
    across = linear(0, max(places - 1, 1), LEFT + margin, width - RIGHT - margin)
    up = linear(y.low, y.high, HEIGHT - BOTTOM - STRIP - 4, TOP)
    shapes = [*_dates(places, width, across, shown), *_values(y, width, up)]
    for one in stretches:
        shapes += [_band(one, across, up), *_begins(one, across)]
    for one in stretches:
        shapes += [*_line(one, across, up), *_strip(one, across, places, width)]
    shapes += _steps(stretches, across, up, width)
    return drawing(width, HEIGHT, shapes, label=label)


def _dates(places: int, width: float, across: Scale, shown: Callable[[int], str]) -> chain[Markup]:
    most = max(1, int((width - LEFT - RIGHT) / _TICK_ROOM))
    chosen = sorted({round(one * (places - 1) / most) for one in range(most + 1)})
    bottom = HEIGHT - BOTTOM
    ends = {0: "start", places - 1: "end"}
    return chain.from_iterable(
        (
            line(across(at), TOP, across(at), bottom, class_="grid"),
            text(across(at), bottom + 14, shown(at), class_="tick", anchor=ends.get(at, "middle")),
        )
        for at in chosen
    )


def _values(y: Axis, width: float, up: Scale) -> chain[Markup]:
    return chain.from_iterable(
        (
            line(LEFT, up(value), width - RIGHT, up(value), class_="grid"),
            text(LEFT - 5, up(value) + 4, y.shown(value), class_="tick", anchor="end"),
        )
        for value in rounds(y.low, y.high)
    )


def _band(one: Stretch, across: Scale, up: Scale) -> Markup:
    """From the lower end of each interval, and back along the upper ends."""
    there = [(across(each.place), up(each.low)) for each in one.moments]
    back = [(across(each.place), up(each.high)) for each in reversed(one.moments)]
    return way([*there, *back], class_=f"spread {one.class_}")


def _begins(one: Stretch, across: Scale) -> list[Markup]:
    if not one.reason:
        return []
    at = across(one.moments[0].place - 0.5)
    mark = line(at, TOP, at, HEIGHT - BOTTOM, class_=f"begins {one.class_}")
    return [element("g", element("title", one.reason), mark)]


def _line(one: Stretch, across: Scale, up: Scale) -> list[Markup]:
    places = [(across(each.place), up(each.value)) for each in one.moments]
    return [
        way(places, class_=f"joined {one.class_}"),
        *(
            element(
                "circle", element("title", each.words), cx=number(x), cy=number(y), r=number(DOT),
                class_=f"dot {one.class_}",
            )
            for (x, y), each in zip(places, one.moments, strict=True)
        ),
    ]  # fmt: skip


def _strip(one: Stretch, across: Scale, places: int, width: float) -> list[Markup]:
    each_width = max(2.0, min(8.0, (width - LEFT - RIGHT) / max(places, 1) - 1))
    top = HEIGHT - BOTTOM - STRIP
    return [
        box(across(each.place) - each_width / 2, top, each_width, STRIP,
            class_=f"night {each.strip}", radius=0)
        for each in one.moments
        if each.strip
    ]  # fmt: skip


def _steps(stretches: Sequence[Stretch], across: Scale, up: Scale, width: float) -> list[Markup]:
    """The changes: an upright line with its word above, and the levels on both sides."""
    shapes: list[Markup] = []
    taken = [float("-inf"), float("-inf")]  # where the words of the two rows above end
    every = sorted((step for one in stretches for step in one.steps), key=lambda one: one.place)
    for step in every:
        at = across(step.place - 0.5)
        shapes += [
            line(at, TOP, at, HEIGHT - BOTTOM, class_=f"step-line {step.class_}"),
            line(across(step.start), up(step.before), at, up(step.before), class_="level"),
            line(at, up(step.after), across(step.end), up(step.after),
                 class_=f"level {step.class_}"),
        ]  # fmt: skip
        length = len(step.word) * CHARACTER
        start = min(max(at - length / 2, 2.0), width - length - 2)
        row = 0 if start >= taken[0] else 1
        if start >= taken[row]:
            taken[row] = start + length + 6
            place = TOP - 4 - 12 * row
            shapes.append(text(start, place, step.word, class_=f"step-word {step.class_}"))
    return shapes
