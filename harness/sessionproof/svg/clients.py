"""What clients did at the same time: a lane for each, time to the right, a bar an operation.

A bar is a link with words of its own, in the order of time, so that a keyboard goes through them
and a reader of screens hears them. Shapes say what colours say: writes are filled and reads are
hollow, what was refused ends in a cross, and what never answered has no right end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from markupsafe import Markup

from sessionproof.svg.shapes import CHARACTER, arrow, box, cut, drawing, element, line, number, text
from sessionproof.svg.timeline import Timeline, timeline

HEAD = 24  # the axis
LANE = 42
ABOVE = 15  # room over a bar for the name of a guilty one
BAR = 18
PAD = 5
SLIM = 5  # the least width of a bar
OPEN = 34  # behind the last time, for what never answered
NAME_CHARACTERS = 14
TITLE_CHARACTERS = 26
CROSS = 4  # half the size of the mark of what was refused

Kind = Literal["write", "read"]
Outcome = Literal["ok", "fail", "info"]


@dataclass(frozen=True, kw_only=True)
class Act:
    """One operation. ``ended`` is None where nobody knows when it took effect, if ever.

    The first of ``titles`` for which there is room is written into the bar; they go from long to
    short. ``words`` say all of it. ``id`` is the bar's own, ``href`` where it leads; ``class_`` is
    one more class, to tell it from the others.
    """

    lane: str
    began: float
    ended: float | None
    titles: tuple[str, ...]
    words: str
    id: str
    href: str
    kind: Kind = "write"
    outcome: Outcome = "ok"
    guilty: bool = False
    class_: str = ""


@dataclass(frozen=True)
class Picture:
    """The names of the lanes, the bars beside them, and the line of time that they lie on."""

    names: Markup
    bars: Markup
    time: Timeline


def clients(
    acts: Sequence[Act],
    lanes: Sequence[str],
    *,
    label: str,
    shown: Callable[[Sequence[float]], Sequence[str]],
) -> Picture:
    """The picture of these acts, which are in the order of their beginnings.

    ``lanes`` are from top to bottom. ``shown`` writes the marks of time.
    """
    ends = [one.ended for one in acts if one.ended is not None]
    time = timeline([*(one.began for one in acts), *ends], start=PAD)
    opened = len(ends) < len(acts)
    right = time.places[-1] + (OPEN if opened else 0)
    width, height = right + PAD, HEAD + LANE * len(lanes)
    tops = {lane: HEAD + LANE * place for place, lane in enumerate(lanes)}
    shapes = [*_ground(time, shown, width, height), *_lines(lanes, tops, width)]
    told: dict[str, float] = {}  # how far the names above the bars of a lane reach
    shapes += [_bar(one, time, tops[one.lane] + ABOVE, right, told) for one in acts]
    guilty = [one for one in acts if one.guilty]
    shapes += [_joined(*pair, time=time, tops=tops) for pair in pairwise(guilty)]
    return Picture(
        _names(lanes, height), drawing(width, height, shapes, label=label, role="group"), time
    )


def sample(kind: Kind, outcome: Outcome, *, guilty: bool = False) -> Markup:
    """A small bar for a legend."""
    end = None if outcome == "info" else 25
    shapes = _shape(outcome, 1, end, 29, 1, 12)
    inside = element("g", *shapes, class_=_class(kind, outcome, guilty))
    return element("svg", inside, viewBox="0 0 30 14", width=30, height=14, aria_hidden="true")


def _names(lanes: Sequence[str], height: float) -> Markup:
    longest = max((min(len(lane), NAME_CHARACTERS) for lane in lanes), default=0)
    width = longest * CHARACTER + 2 * PAD
    shapes = [
        text(width - PAD, HEAD + LANE * place + ABOVE + 13, cut(lane, NAME_CHARACTERS),
             class_="lane-name", anchor="end")
        for place, lane in enumerate(lanes)
    ]  # fmt: skip
    return drawing(width, height, shapes, label=f"Lanes of {len(lanes)} clients")


def _lines(lanes: Sequence[str], tops: Mapping[str, float], width: float) -> Iterable[Markup]:
    for lane in lanes:
        middle = tops[lane] + ABOVE + BAR / 2
        yield line(0, middle, width, middle, class_="lane")


def _ground(
    time: Timeline,
    shown: Callable[[Sequence[float]], Sequence[str]],
    width: float,
    height: float,
) -> Iterable[Markup]:
    """Marks of time, and bands where it is cut."""
    for began, ended in time.cuts:
        left, right = time.place(began), time.place(ended)
        middle = (left + right) / 2
        yield box(left, HEAD - 4, right - left, height - HEAD + 4, class_="cut", radius=0)
        slants = f"M{number(middle - 4)} {HEAD} l4 -8 M{number(middle)} {HEAD} l4 -8"
        yield element("path", d=slants, class_="slants")
    ticks = time.ticks()
    for value, words in zip(ticks, shown(ticks), strict=True):
        x = time.place(value)
        over = x + len(words) * CHARACTER > width
        yield line(x, HEAD - 6, x, height, class_="grid")
        yield text(width if over else x - 2, 12, words, class_="tick",
                   anchor="end" if over else "start")  # fmt: skip


def _bar(one: Act, time: Timeline, top: float, right: float, told: dict[str, float]) -> Markup:
    start = time.place(one.began)
    known = one.ended is not None and one.outcome != "info"
    end = max(time.place(one.ended or 0), start + SLIM) if known else None
    room = (right if end is None else end) - start
    shapes = [box(start, top - ABOVE + 2, room, LANE - 4, class_="hit", radius=4)]
    shapes += _shape(one.outcome, start, end, right, top, BAR)
    fitting = (room - 8 - (CROSS if one.outcome == "fail" else 0)) / CHARACTER
    title = next((title for title in one.titles if len(title) <= fitting), "")
    if title and (not one.guilty or title == one.titles[0]):
        shapes.append(text(start + 4, top + 13, title, class_="call"))
    elif one.guilty:
        title = cut(one.titles[0], TITLE_CHARACTERS)
        size = len(title) * CHARACTER
        at = max(min(start, right - size), 0)
        if at >= told.get(one.lane, 0):
            shapes.append(text(at, top - 4, title, class_="call above"))
            told[one.lane] = at + size + CHARACTER
    return element(
        "a", *shapes, id=one.id, href=one.href, aria_label=one.words,
        class_=f"{_class(one.kind, one.outcome, one.guilty)} {one.class_}".rstrip(),
    )  # fmt: skip


def _shape(
    outcome: Outcome, start: float, end: float | None, right: float, top: float, height: float
) -> list[Markup]:
    if end is None:
        bottom = top + height
        way = f"M{number(right)} {number(top)} H{number(start + 3)} q-3 0 -3 3 "
        way += f"V{number(bottom - 3)} q0 3 3 3 H{number(right)}"
        return [element("path", d=way, class_="span")]
    shapes = [box(start, top, end - start, height, class_="span", radius=min(3, (end - start) / 3))]
    if outcome == "fail":
        left, high, size = number(end - CROSS), number(top + height / 2 - CROSS), 2 * CROSS
        cross = f"M{left} {high} l{size} {size} m{-size} 0 l{size} {-size}"
        shapes.append(element("path", d=cross, class_="cross"))
    return shapes


def _class(kind: Kind, outcome: Outcome, guilty: bool) -> str:
    return f"op {kind} {outcome}{' guilty' if guilty else ''}"


def _joined(one: Act, other: Act, *, time: Timeline, tops: Mapping[str, float]) -> Markup:
    """What joins two guilty ones: an arrow where the first had ended, else a line at one time."""
    y1, y2 = (tops[act.lane] + ABOVE + BAR / 2 for act in (one, other))
    x = time.place(other.began)
    if one.ended is not None and one.ended <= other.began:
        return arrow(time.place(one.ended), y1, x, y2, class_="joins")
    side = BAR / 2 if y1 < y2 else -BAR / 2
    return line(x + 2, y1 + side, x + 2, y2 - side, class_="joins")
