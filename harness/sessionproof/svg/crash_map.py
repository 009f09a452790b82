"""Crash points from left to right, a row for each crash model: how much of it went wrong, and how.

The height of a bar is the share of states that were wrong. A letter above it names its kind, as its
colour does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby
from typing import TypeVar

from markupsafe import Markup

from sessionproof.svg.shapes import CHARACTER, box, cut, drawing, element, line, text

HEAD = 30  # the axis with its title
ROW = 44
LETTERS = 15  # room above a row for letters
BAR = 22
PAD = 8
LEVELS = 4  # heights that can be told apart
NARROWEST, WIDEST, ROOM = (
    4.0,
    14.0,
    720.0,
)  # pixels of a column, and of all where they have a choice
NAME_CHARACTERS = 22

Key = TypeVar("Key")


@dataclass(frozen=True, kw_only=True)
class Column:
    """One crash point, or some neighbours: the share of its states that were wrong.

    ``share`` is None where none was judged. ``letter`` and ``class_`` tell the kind, both empty
    where nothing was wrong.
    """

    share: float | None
    letter: str = ""
    class_: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A crash model; ``below`` is a quieter line. What is not ``claimed`` is pale."""

    name: str
    below: str
    columns: tuple[Column, ...]
    claimed: bool = True


@dataclass(frozen=True)
class Map:
    """The names of the rows, and the rows beside them."""

    names: Markup
    rows: Markup


def crash_map(
    rows: Sequence[Row], *, ticks: Sequence[tuple[int, str]], title: str, label: str
) -> Map:
    """The map of these rows, all of one length.

    ``ticks`` are numbers of columns, rising, with their words; ``title`` says what they count.
    """
    count = max((len(row.columns) for row in rows), default=0)
    size = min(max(ROOM / max(count, 1), NARROWEST), WIDEST)
    width = max(count * size, len(title) * CHARACTER) + 2 * PAD
    height = HEAD + ROW * len(rows) + 2
    shapes = [*_axis(ticks, title, size, width, height)]
    for place, row in enumerate(rows):
        shapes += _row(row, HEAD + ROW * place, size)
    return Map(_names(rows, height), drawing(width, height, shapes, label=label))


def sample(class_: str, *, claimed: bool = True, judged: bool = True) -> Markup:
    """A small bar for a legend: of a kind, or of what was not wrong (``class_`` empty)."""
    shapes = [_ground(0, 0, 14, 14) if judged else line(0, 13, 14, 13, class_="not-judged")]
    if class_:
        shapes.append(box(0, 0, 14, 14, class_=_class(class_, claimed), radius=0))
    return element("svg", *shapes, viewBox="0 0 14 14", width=14, height=14, aria_hidden="true")


def _axis(
    ticks: Sequence[tuple[int, str]], title: str, size: float, width: float, height: float
) -> Iterable[Markup]:
    yield text(PAD, 11, title, class_="tick")
    free = 0.0
    for column, words in ticks:
        x, half = PAD + column * size, len(words) * CHARACTER / 2
        if x - half < free or x + half > width:
            continue
        free = x + half + CHARACTER
        yield line(x, HEAD - 4, x, height, class_="grid")
        yield text(x, HEAD - 7, words, class_="tick", anchor="middle")


def _row(row: Row, top: float, size: float) -> Iterable[Markup]:
    """Neighbours that look alike are one shape, so that a map of very many points stays small."""
    bottom = top + LETTERS + BAR
    coarse = [replace(one, share=_level(one.share)) for one in row.columns]
    for (share, class_), start, count in _runs(coarse, lambda one: (one.share, one.class_)):
        x, width = PAD + start * size, count * size
        if share is None:
            yield line(x, bottom - 1, x + width, bottom - 1, class_="not-judged")
            continue
        yield _ground(x, bottom - BAR, width, BAR)
        if share and class_:
            high = BAR * share
            shape = _class(class_, row.claimed)
            yield box(x, bottom - high, width, high, class_=shape, radius=0)
    free = 0.0
    for letter, start, count in _runs(row.columns, lambda one: one.letter):
        x = PAD + (start + count / 2) * size
        if letter and x - CHARACTER / 2 >= free:
            yield text(x, bottom - BAR - 3, letter, class_="letter", anchor="middle")
            free = x + CHARACTER / 2 + 2


def _runs(columns: Sequence[Column], key: Callable[[Column], Key]) -> list[tuple[Key, int, int]]:
    """Each stretch of neighbours with one key: the key, its first column, how many there are."""
    groups = [(one, sum(1 for _ in group)) for one, group in groupby(columns, key=key)]
    starts = accumulate((count for _, count in groups), initial=0)
    return [(one, start, count) for (one, count), start in zip(groups, starts, strict=False)]


def _names(rows: Sequence[Row], height: float) -> Markup:
    words = [cut(part, NAME_CHARACTERS) for row in rows for part in (row.name, row.below)]
    width = max(map(len, words), default=0) * CHARACTER + 2 * PAD
    shapes = []
    for place, row in enumerate(rows):
        y = HEAD + ROW * place + LETTERS
        lines = ((y + 8, row.name, "lane-name"), (y + 21, row.below, "tick"))
        shapes += [
            text(width - PAD, at, cut(part, NAME_CHARACTERS), class_=class_, anchor="end")
            for at, part, class_ in lines
        ]
    return drawing(width, height, shapes, label=f"Names of {len(rows)} crash models")


def _ground(x: float, y: float, width: float, height: float) -> Markup:
    return box(x, y, width, height, class_="judged", radius=0)


def _class(class_: str, claimed: bool) -> str:
    return f"wrong-states {class_}{'' if claimed else ' shown-only'}"


def _level(share: float | None) -> float | None:
    return None if share is None else math.ceil(share * LEVELS - 1e-9) / LEVELS
