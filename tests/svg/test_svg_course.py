"""A course over runs keeps lines apart, marks changes where they are, and stays in its frame."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from sessionproof.svg.course import (
    HEIGHT,
    LEAST_WIDTH,
    MOST_WIDTH,
    Moment,
    Step,
    Stretch,
    course,
)
from sessionproof.svg.plane import Axis

Y = Axis(low=1.0, high=3.0, shown=str, logarithmic=False)
HOSTILE = "</title><script>alert(1)</script>"


def stretch(places, *, value=2.0, **changes):
    moments = [
        Moment(place=at, value=value, low=value - 0.1, high=value + 0.1, words=f"run {at}",
               strip="holds")
        for at in places
    ]  # fmt: skip
    return Stretch(moments=tuple(moments), class_="s0", **changes)


def drawn(stretches, places):
    return ET.fromstring(course(stretches, places, Y, shown=lambda at: f"day {at}", label="L"))


def of(root, class_):
    return [one for one in root.iter() if class_ in (one.get("class") or "").split()]


def numbers(root):
    """Every place that the picture's paths and marks use, across."""
    for one in root.iter():
        for name in ("x", "x1", "x2", "cx"):
            if one.get(name):
                yield float(one.get(name))
        for x in re.findall(r"[ML]([\d.-]+) [\d.-]+", one.get("d") or ""):
            yield float(x)


def test_each_run_has_its_point_its_words_and_its_night():
    """As many marks as runs, each with a title; the strip has as many."""
    root = drawn([stretch(range(40))], 40)
    dots = of(root, "dot")
    assert [one[0].text for one in dots] == [f"run {at}" for at in range(40)]
    assert len(of(root, "night")) == 40
    assert len(of(root, "spread")) == 1


def test_lines_that_may_not_be_compared_are_not_joined():
    """Each stretch has a line of its own, and the second says where and why it begins."""
    root = drawn([stretch(range(20)), stretch(range(20, 40), reason="cpu: a → b")], 40)
    first, second = of(root, "joined")
    ends = [re.findall(r"([\d.]+) [\d.]+", one.get("d")) for one in (first, second)]
    (begins,) = of(root, "begins")
    assert float(ends[0][-1]) < float(begins.get("x1")) < float(ends[1][0])
    assert "cpu: a → b" in [one.text for one in root.iter() if one.tag == "title"]


def test_a_change_stands_between_two_runs():
    """Its line is after the last run before and before the first run after, with its word."""
    step = Step(place=20, start=0, end=39, before=2.0, after=2.4, word="abc", class_="slower")
    root = drawn([stretch(range(40), steps=(step,))], 40)
    places = [float(one.get("cx")) for one in of(root, "dot")]
    (mark,) = of(root, "step-line")
    assert places[19] < float(mark.get("x1")) < places[20]
    assert [one.text for one in of(root, "step-word")] == ["abc"]
    before, after = (float(one.get("y1")) for one in of(root, "level"))
    assert after < before  # slower is higher


def test_words_of_changes_do_not_overlap():
    """Two changes near each other stand in two rows; a third has its line alone."""
    steps = [
        Step(place=at, start=0, end=39, before=2, after=2.4, word="a" * 10, class_="slower")
        for at in (20, 21, 22)
    ]
    root = drawn([stretch(range(40), steps=tuple(steps))], 40)
    assert len({one.get("y") for one in of(root, "step-word")}) == len(of(root, "step-word")) == 2
    assert len(of(root, "step-line")) == 3


@pytest.mark.parametrize("places", [1, 2, 60, 400])
def test_all_stays_within_the_picture(places):
    """One run or many: nothing is drawn beside the picture, and it is no wider than a screen."""
    root = drawn([stretch(range(places), value=99.0)], places)
    width = float(root.get("width"))
    assert LEAST_WIDTH <= width <= MOST_WIDTH
    assert float(root.get("height")) == HEIGHT
    assert all(-1 <= x <= width + 1 for x in numbers(root))


def test_words_from_outside_are_text():
    """A reason, a commit or a run's words make no element."""
    step = Step(place=1, start=0, end=1, before=2, after=2.4, word=HOSTILE, class_="slower")
    moment = Moment(place=0, value=2, low=1.9, high=2.1, words=HOSTILE)
    other = Moment(place=1, value=2, low=1.9, high=2.1, words=HOSTILE)
    one = Stretch(moments=(moment, other), class_="s0", steps=(step,), reason=HOSTILE)
    assert "script" not in {each.tag for each in drawn([one], 2).iter()}
