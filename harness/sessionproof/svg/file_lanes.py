"""What was done to files, downwards in time: a lane for each file, a row for each step, a crash.

Lanes are narrow, and the words of a step stand right of them, so that the picture fits a phone.
Shapes say what colours say: each kind of step has a shape of its own; what survived is filled, what
was lost is hollow with a cross, what was torn is half filled, and what came later is faint.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from sessionproof.svg.shapes import CHARACTER, box, cut, drawing, element, line, number, text, way

LANE = 20
ROW = 22
NAME = 17  # the height of a lane's name
PAD = 8
HALF = 5  # half the size of a mark
NAME_CHARACTERS = 34
WORDS_CHARACTERS = 56

Kind = Literal["write", "size", "name", "sync", "answer"]
Left = Literal["yes", "no", "torn", "after"]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step: a mark in its lane, its ``number`` left of all lanes and its words right of them.

    ``left`` is what the crash left of it.
    """

    number: str
    lane: str
    kind: Kind
    words: str
    left: Left = "yes"


@dataclass(frozen=True)
class Gap:
    """Steps that are not drawn, told in words."""

    words: str


@dataclass(frozen=True)
class Crash:
    """The crash: a line through all lanes."""

    words: str


Row = Step | Gap | Crash


def file_lanes(rows: Sequence[Row], lanes: Sequence[str], *, label: str) -> Markup:
    """The picture of these rows from top to bottom, with the lanes from left to right.

    The names of the lanes stand above each other, each with a line down to its lane.
    """
    numbers = max((len(row.number) for row in rows if isinstance(row, Step)), default=0)
    left = PAD + numbers * CHARACTER + 10
    places = {lane: left + LANE * place + LANE / 2 for place, lane in enumerate(lanes)}
    words = left + LANE * len(lanes) + 8
    head = PAD + NAME * len(lanes) + 6
    width = _width(rows, lanes, places, words)
    height = head + ROW * len(rows) + PAD
    crash = next(
        (head + ROW * (at + 0.5) for at, row in enumerate(rows) if isinstance(row, Crash)), height
    )
    shapes = [*_heads(lanes, places, end=crash, bottom=height - PAD)]
    for at, row in enumerate(rows):
        y = head + ROW * (at + 0.5)
        match row:
            case Step():
                shapes += _step(row, places[row.lane], y, words)
            case Gap():
                shapes.append(text(words, y + 4, _cut(row.words), class_="gap-words"))
            case Crash():
                shapes += _crash(row, y, words, width)
    return drawing(width, height, shapes, label=label)


def sample(kind: Kind, left: Left = "yes") -> Markup:
    """A mark for a legend."""
    inside = element("g", *_mark(kind, left, 8, 8), class_=_class(kind, left))
    return element("svg", inside, viewBox="0 0 16 16", width=16, height=16, aria_hidden="true")


def _width(
    rows: Iterable[Row], lanes: Sequence[str], places: Mapping[str, float], words: float
) -> float:
    ends = [words + len(_cut(row.words)) * CHARACTER for row in rows]
    ends += [places[lane] + HALF + 3 + len(_name(lane)) * CHARACTER for lane in lanes]
    return max([*ends, 0.0]) + PAD


def _heads(
    lanes: Sequence[str], places: Mapping[str, float], *, end: float, bottom: float
) -> Iterable[Markup]:
    """Names of lanes, the last one lowest; a lane is dashed below the crash."""
    for place, lane in enumerate(lanes):
        x, y = places[lane], PAD + NAME * (place + 0.5)
        yield line(x, y + 7, x, end, class_="file-lane")
        yield line(x, end, x, bottom, class_="file-lane later")
        yield text(x - 3, y + 4, _name(lane), class_="lane-name")


def _step(one: Step, x: float, y: float, words: float) -> Iterable[Markup]:
    yield text(PAD, y + 4, one.number, class_="step")
    yield element("g", *_mark(one.kind, one.left, x, y), class_=_class(one.kind, one.left))
    yield line(x + HALF + 4, y, words - 4, y, class_="leader")
    yield text(words, y + 4, _cut(one.words), class_=f"step-words {one.left}")


def _crash(one: Crash, y: float, words: float, width: float) -> Iterable[Markup]:
    """A jagged line up to the words, so that it is no line of the grid."""
    teeth = [(x, y + (4 if n % 2 else -4)) for n, x in enumerate(range(2, int(words) - 4, 6))]
    yield way(teeth, class_="crash-line")
    room = len(_cut(one.words)) * CHARACTER
    yield box(words - 3, y - 9, min(room + 6, width - words + 3), 18, class_="crash-ground")
    yield text(words, y + 4, _cut(one.words), class_="crash-words")


def _class(kind: Kind, left: Left) -> str:
    return f"mark {kind} left-{left}"


def _mark(kind: Kind, left: Left, x: float, y: float) -> list[Markup]:
    """The shape of the kind; of what was torn the left half is filled; a cross for what is lost."""
    shapes = [element("path", d=_outline(kind, x, y), class_="shape")]
    if left == "torn":
        shapes.append(box(x - HALF, y - HALF, HALF, 2 * HALF, class_="part", radius=0))
    if left == "no":
        low, high, size = number(x - HALF - 2), number(y - HALF - 2), 2 * HALF + 4
        cross = f"M{low} {high} l{size} {size} m{-size} 0 l{size} {-size}"
        shapes.append(element("path", d=cross, class_="lost"))
    return shapes


def _outline(kind: Kind, x: float, y: float) -> str:
    r, left, top = HALF, number(x - HALF), number(y - HALF)
    match kind:
        case "size":  # what is cut or grown: a wedge
            return f"M{left} {top} h{2 * r} l{-r} {2 * r} Z"
        case "name":
            d = r + 1
            return f"M{number(x)} {number(y - d)} l{d} {d} l{-d} {d} l{-d} {-d} Z"
        case "sync":  # a bar, as what is above it is on the disk
            return f"M{number(x - r - 3)} {number(y - 2)} h{2 * r + 6} v4 h{-2 * r - 6} Z"
        case "answer":
            return f"M{left} {number(y)} a{r} {r} 0 1 0 {2 * r} 0 a{r} {r} 0 1 0 {-2 * r} 0 Z"
        case _:
            return f"M{left} {top} h{2 * r} v{2 * r} h{-2 * r} Z"


def _name(lane: str) -> str:
    """A path with its end, which says most of it."""
    return lane if len(lane) <= NAME_CHARACTERS else f"…{lane[1 - NAME_CHARACTERS :]}"


def _cut(words: str) -> str:
    return cut(words, WORDS_CHARACTERS)
