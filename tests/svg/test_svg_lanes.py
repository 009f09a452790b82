"""A space-time picture: lanes beside each other, time downwards, nothing outside."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree as ET

from sessionproof.svg.lanes import GUTTER, LANE, WIDEST, Chip, Chips, Event, space_time

HOSTILE = "</text><script>alert(1)</script>"


def picture(*events):
    """The picture, parsed."""
    return ET.fromstring(space_time(events, label="what happened"))


def boxes(root, kind="event"):
    """The boxes of events: x, y, width, height."""
    found = [one for one in root.iter("rect") if (one.get("class") or "").startswith(kind)]
    return [tuple(float(one.get(n)) for n in ("x", "y", "width", "height")) for one in found]


def words(root):
    return [one.text for one in root.iter("text")]


def chips(*labels):
    return Chips(chips=tuple(Chip(label=label) for label in labels))


def test_time_runs_down_and_lanes_lie_beside_each_other():
    """Each event is below the one before it, in the column of its lane."""
    root = picture(
        Event(title="append", lane="s0", lists=(chips("#1", "#2"),)),
        Event(title="append", lane="s1"),
        Event(title="read", lane="s0"),
    )
    found = boxes(root)
    assert all(y + height < below for (_, y, _, height), (_, below, _, _) in pairwise(found))
    assert found[0][0] == found[2][0]
    assert found[1][0] == found[0][0] + LANE
    assert float(root.get("width")) == GUTTER + 2 * LANE
    assert {"s0", "s1", "#1", "#2", "append", "read"} == set(words(root))


def test_two_lanes_fit_a_phone():
    """A picture of one or two lanes is not wider than what a page of 390 pixels has for it."""
    assert GUTTER + 2 * LANE <= 330
    assert GUTTER + WIDEST <= 330


def test_an_event_of_no_lane_spans_all():
    """What concerns every lane has a box over all of them; alone it has a picture, too."""
    root = picture(
        Event(title="append", lane="a"), Event(title="append", lane="b"), Event(title="close")
    )
    one, other, every = boxes(root)
    assert every[0] == one[0]
    assert every[0] + every[2] == other[0] + other[2]
    assert words(picture(Event(title="close")))[-1] == "close"


def test_chips_stay_in_their_box():
    """Chips are put into rows that fit, long labels are cut, and too many are counted."""
    many = tuple(Chip(label=f"#{n}") for n in range(200))
    root = picture(
        Event(title="append", lane="s0", lists=(Chips(chips=many),)),
        Event(title="append", lane="s1", lists=(chips("x" * 500),)),
    )
    (x, y, width, height), (x1, y1, width1, height1) = boxes(root)
    for left, top, wide, high in boxes(root, "chip"):
        inside = x <= left and left + wide <= x + width and y <= top and top + high <= y + height
        other = x1 <= left and left + wide <= x1 + width1 and y1 <= top
        assert inside or (other and top + high <= y1 + height1)
    shown = sum(one.startswith("#") for one in words(root))
    assert f"and {200 - shown} more" in words(root)
    assert any(one.endswith("…") and len(one) < 30 for one in words(root))


def test_an_empty_list_is_told():
    """A list without things says so, under its word."""
    event = Event(
        title="read", lane="s", lists=(Chips(chips=(), word="answered", otherwise="nothing"),)
    )
    assert words(picture(event)) == ["s", "read", "answered", "nothing"]


def test_an_arrow_leads_from_lane_to_lane():
    """An arrow starts at the box that it comes from and ends at the other; within a lane none."""
    events = (
        Event(title="append", lane="a"),
        Event(title="append", lane="b"),
        Event(title="read", lane="a", comes_from=(0, 1)),
    )
    (path,) = picture(*events).iter("path")
    _, other, last = boxes(picture(*events))
    start, end = path.get("d").split(" M")[0].split(" C")
    assert float(start[1:].split()[0]) == other[0]
    assert float(end.split()[-2]) == last[0] + last[2]


def test_numbers_stand_in_the_gutter():
    """The number of an event stands left of every box."""
    root = picture(Event(title="append", number="17", lane="a"))
    (number,) = [one for one in root.iter("text") if one.text == "17"]
    assert float(number.get("x")) < boxes(root)[0][0]


def test_hostile_names_are_text():
    """Lanes, titles, labels and words make no element."""
    root = picture(
        Event(
            title=HOSTILE, number=HOSTILE, lane=HOSTILE, class_=HOSTILE,
            lists=(Chips(chips=(Chip(label=HOSTILE, class_=HOSTILE),), word=HOSTILE),),
        )
    )  # fmt: skip
    assert {one.tag for one in root.iter()} == {"svg", "rect", "text", "line"}
