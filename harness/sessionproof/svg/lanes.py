"""A space-time picture: a column for each lane, time from top to bottom, a box for each event.

Time runs down because that is how a page is read and scrolled, and because the boxes carry words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from markupsafe import Markup

from sessionproof.svg.shapes import CHARACTER, arrow, box, cut, drawing, line, text

GUTTER = 30  # numbers of the events
LANE = 148  # two lanes and the gutter fit a phone
WIDEST = 300  # a lane that is alone
GAP = 16
PAD = 7
HEAD = 26
TITLE = 20
ROW = 21
CHIP = 17
ROWS_MOST = 3  # rows of chips in one list
NOTHING = "none"  # words in the place of chips


@dataclass(frozen=True, kw_only=True)
class Chip:
    """A thing in an event: its label, and a class for how it looks."""

    label: str
    class_: str = "chip"


@dataclass(frozen=True, kw_only=True)
class Chips:
    """A list of things with a word before it; ``otherwise`` is said when it is empty."""

    chips: tuple[Chip, ...]
    word: str = ""
    otherwise: str = ""


@dataclass(frozen=True, kw_only=True)
class Event:
    """What happened at one time in one lane; in all of them where ``lane`` is None.

    ``number`` stands in the gutter. ``comes_from`` are the places, in the same picture, of events
    in other lanes from which an arrow leads here.
    """

    title: str
    number: str = ""
    lane: str | None = None
    lists: tuple[Chips, ...] = ()
    class_: str = "event"
    comes_from: tuple[int, ...] = ()


def space_time(events: Sequence[Event], *, label: str) -> Markup:
    """The picture of these events, in their order; lanes are in the order of their first event."""
    lanes = list(dict.fromkeys(event.lane for event in events if event.lane is not None)) or [""]
    lane_width = WIDEST if len(lanes) == 1 else LANE
    width = GUTTER + len(lanes) * lane_width
    lefts: dict[str | None, float] = {
        lane: GUTTER + place * lane_width for place, lane in enumerate(lanes)
    }
    heights = [_height(event, _inner(event, lane_width, width)) for event in events]
    tops = list(accumulate((height + GAP for height in heights), initial=float(HEAD)))
    shapes = [_head(lane, lefts[lane], lane_width, tops[-1]) for lane in lanes]
    for event, y, height in zip(events, tops, heights, strict=False):
        left = GUTTER if event.lane is None else lefts[event.lane]
        room = _inner(event, lane_width, width)
        shapes += _event(event, left + GAP / 2, y, room, height)
    for event, y in zip(events, tops, strict=False):
        for place in event.comes_from:
            other = events[place]
            if None not in (event.lane, other.lane) and event.lane != other.lane:
                ys = (tops[place], y)
                shapes.append(_arrow(other, event, lefts=lefts, lane_width=lane_width, tops=ys))
    return drawing(width, tops[-1], shapes, label=label)


def _inner(event: Event, lane_width: float, width: float) -> float:
    """The width of an event's box."""
    return (width - GUTTER if event.lane is None else lane_width) - GAP


def _head(lane: str, left: float, width: float, bottom: float) -> Markup:
    middle = left + width / 2
    return Markup().join(
        [
            line(middle, HEAD - 6, middle, bottom, class_="lane"),
            text(middle, 14, _fitting(lane, width - GAP), class_="lane-name", anchor="middle"),
        ]
    )


def _height(event: Event, width: float) -> float:
    rows = sum(len(_rows(one, width)) + bool(one.word) for one in event.lists)
    return TITLE + 4 + rows * ROW + (2 if rows else 0)


def _event(event: Event, x: float, y: float, width: float, height: float) -> list[Markup]:
    shapes = [
        box(x, y, width, height, class_=event.class_),
        text(x + PAD, y + 15, _fitting(event.title, width - 2 * PAD), class_="title"),
    ]
    if event.number:
        shapes.append(text(GUTTER - 6, y + 15, event.number, class_="step", anchor="end"))
    at = y + TITLE + 3
    for one in event.lists:
        if one.word:
            shapes.append(text(x + PAD, at + 13, one.word, class_="word"))
            at += ROW
        for row in _rows(one, width):
            shapes += _row(row, x + PAD, at, width - 2 * PAD)
            at += ROW
    return shapes


def _rows(one: Chips, width: float) -> list[list[Chip]]:
    """The chips in rows that fit; what is too much for the picture is counted."""
    if not one.chips:
        return [[Chip(label=one.otherwise, class_=NOTHING)]] if one.otherwise else []
    room = width - 2 * PAD
    rows: list[list[Chip]] = [[]]
    used = 0.0
    for chip in one.chips:
        size = _chip_width(chip, room)
        if rows[-1] and used + size > room:
            rows.append([])
            used = 0.0
        rows[-1].append(chip)
        used += size + 4
    if len(rows) <= ROWS_MOST:
        return rows
    left_out = sum(map(len, rows[ROWS_MOST - 1 :]))
    return [*rows[: ROWS_MOST - 1], [Chip(label=f"and {left_out} more", class_=NOTHING)]]


def _row(row: Sequence[Chip], x: float, y: float, room: float) -> list[Markup]:
    shapes = []
    for chip in row:
        if chip.class_ == NOTHING:
            shapes.append(text(x, y + 12.5, _fitting(chip.label, room), class_=NOTHING))
            continue
        size = _chip_width(chip, room)
        label = _fitting(chip.label, size - 8)
        shapes.append(box(x, y, size, CHIP, class_=chip.class_, radius=CHIP / 2))
        shapes.append(text(x + size / 2, y + 12.5, label, class_=chip.class_, anchor="middle"))
        x += size + 4
    return shapes


def _chip_width(chip: Chip, room: float) -> float:
    return min(len(chip.label) * CHARACTER + 12, room)


def _fitting(label: str, room: float) -> str:
    return cut(label, max(int(room / CHARACTER), 1))


def _arrow(
    here: Event,
    there: Event,
    *,
    lefts: Mapping[str | None, float],
    lane_width: float,
    tops: tuple[float, float],
) -> Markup:
    """From the side of the one box that faces the other's lane, to the side of the other."""
    start, end = lefts[here.lane], lefts[there.lane]
    y1, y2 = (top + TITLE / 2 + 2 for top in tops)
    near, far = GAP / 2, lane_width - GAP / 2
    if start < end:
        return arrow(start + far, y1, end + near, y2, class_="arrow")
    return arrow(start + near, y1, end + far, y2, class_="arrow")
