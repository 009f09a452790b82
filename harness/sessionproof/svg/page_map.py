"""The pages of a file from left to right and downwards: what came of damage to each of them.

A cell tells its outcome three times: by a letter, by how much of it is filled, and by its colour.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from sessionproof.svg.shapes import CHARACTER, box, drawing, element, number, text

ACROSS = 20  # cells in a row: as many as a narrow screen has room for
SIZE, GAP, PAD = 15, 1, 6
STRIP = 3  # pixels that are filled of a cell that is filled in part


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A page, or some neighbours. ``class_`` is empty where nothing was tried.

    ``letter`` and ``class_`` name the outcome; ``strip`` fills a part of the cell; ``title`` is
    shown when it is pointed at.
    """

    class_: str = ""
    letter: str = ""
    strip: bool = False
    title: str = ""


def page_map(cells: Sequence[Cell], *, first: Sequence[str], label: str) -> Markup:
    """The map of these cells; ``first`` names the first page of each row."""
    margin = max(map(len, first), default=0) * CHARACTER + 2 * PAD
    shapes = [
        text(margin - PAD, PAD + (row + 1) * SIZE - 4, name, class_="tick", anchor="end")
        for row, name in enumerate(first)
    ]
    placed = [
        (cell, margin + at % ACROSS * SIZE, PAD + at // ACROSS * SIZE)
        for at, cell in enumerate(cells)
    ]
    shapes.append(_untried([(x, y) for cell, x, y in placed if not cell.class_]))
    shapes += [_drawn(cell, x, y) for cell, x, y in placed if cell.class_]
    width = margin + min(len(cells), ACROSS) * SIZE + PAD
    return drawing(width, PAD * 2 + len(first) * SIZE, shapes, label=label)


def sample(class_: str, letter: str, *, strip: bool = False) -> Markup:
    """A cell for a legend."""
    cell = (
        _drawn(Cell(class_=class_, letter=letter, strip=strip), 0, 0)
        if class_
        else _untried([(0, 0)])
    )
    return element(
        "svg", cell, viewBox=f"0 0 {SIZE} {SIZE}", width=SIZE, height=SIZE, aria_hidden="true"
    )


def rows_of(cells: int) -> int:
    """How many rows so many cells take."""
    return -(-cells // ACROSS)


def _untried(places: Iterable[tuple[float, float]]) -> Markup:
    """All cells where nothing was tried, as one shape: there may be hundreds."""
    side = SIZE - GAP
    d = "".join(f"M{number(x)} {number(y)}h{side}v{side}h-{side}z" for x, y in places)
    return element("path", d=d, class_="page untried")


def _drawn(cell: Cell, x: float, y: float) -> Markup:
    side = SIZE - GAP
    parts = [element("title", cell.title)] if cell.title else []
    parts.append(box(x, y, side, side, class_="ground", radius=1))
    if cell.strip:
        parts.append(box(x, y + side - STRIP, side, STRIP, class_="strip", radius=0))
    parts.append(text(x + side / 2, y + side - STRIP - 0.5, cell.letter, anchor="middle"))
    return element("g", *parts, class_=f"page {cell.class_}")
