"""A plane puts points where their values are, on axes that say what they mean."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from sessionproof.svg.plane import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Axis,
    Band,
    Series,
    Upright,
    plane,
    spanning,
)
from sessionproof.svg.shapes import DOT, SHAPES

X = spanning([1_000, 100_000], "{:g}".format, title="messages")
Y = spanning([10, 900], "{:g}".format)


def drawn(*series, x=X, y=Y, uprights=()):
    """The elements of a picture."""
    return ET.fromstring(plane(series, x, y, label="a picture", uprights=uprights))


def dots(root):
    """The middle of each round mark."""
    found = [one.get("d") for one in root.iter("path") if "dot" in one.get("class").split()]
    places = [d.removeprefix("M").partition(" a")[0].split() for d in found]
    return [(float(x) + DOT, float(y)) for x, y in places]


def series(*points, **changes):
    """A series of the first colour."""
    return Series(points=points, class_="s0", **changes)


def test_points_lie_where_their_values_are():
    """Each tenfold is the same way, across and up; the ends of the axes are corners."""
    found = dots(drawn(series((1_000, 10), (10_000, 100), (100_000, 1_000))))
    left, right, top, bottom = LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM
    expected = [(left, bottom), ((left + right) / 2, (top + bottom) / 2), (right, top)]
    for place, wanted in zip(found, expected, strict=True):
        assert place == pytest.approx(wanted, abs=0.06)


def test_what_lies_outside_is_at_the_edge():
    """No point leaves the picture, and a zero does not stop it."""
    for x, y in dots(drawn(series((1, 0), (10**9, 10**9)))):
        assert LEFT <= x <= WIDTH
        assert 0 <= y <= HEIGHT - BOTTOM


def test_axes_are_marked_with_their_words():
    """Each power of ten has a mark, and the axis across has its title."""
    texts = [one.text for one in drawn(series((1_000, 10))).iter("text")]
    assert texts[:4] == ["1000", "10000", "100000", "messages"]
    assert texts[4:] == ["10", "100", "1000"]


def test_a_linear_axis_has_round_marks():
    """From 0 on, at most a few, each of them 1, 2 or 5 by a power of ten."""
    x = Axis(low=0, high=11_500, shown="{:g}".format, logarithmic=False)
    texts = [one.text for one in drawn(series((0, 10)), x=x).iter("text")]
    assert texts[:3] == ["0", "5000", "10000"]


def test_each_shape_can_be_told_from_the_others():
    """Series differ in more than their colours, and say their points when they are pointed at."""
    ways = {
        drawn(series((1_000, 10), shape=shape, titles=("ten",)))
        .find("path[@class='dot s0']")
        .get("d")
        for shape in (*SHAPES, "bar")
    }
    assert len(ways) == len(SHAPES) + 1
    titles = [one.text for one in drawn(series((1_000, 10), titles=("ten",))).iter("title")]
    assert titles == ["ten"]


def test_lines_and_fits_are_told_apart():
    """A line joins the points, a fit is straight from end to end, and neither needs marks."""
    root = drawn(series((1_000, 10), (10_000, 100), shape=None, fit=((1_000, 10), (100_000, 10))))
    classes = [one.get("class") for one in root.iter("path")]
    assert classes == ["fit s0", "joined s0"]


@pytest.mark.parametrize(("x", "anchor"), [(1_000, "start"), (100_000, "end")])
def test_a_word_beside_an_upright_stays_inside(x, anchor):
    """The word stands on the side where there is room."""
    root = drawn(series((1_000, 10)), uprights=[Upright(x=x, word="knee")])
    (word,) = [one for one in root.iter("text") if one.text == "knee"]
    assert word.get("text-anchor") == anchor


def test_an_axis_is_at_least_a_power_wide():
    """One value, or none, has an axis, too."""
    for values in ([], [0.0], [5.0], [10.0]):
        axis = spanning(values, str)
        assert axis.high >= 10 * axis.low > 0


def test_bands_lie_below_and_say_what_fits():
    """Bands begin and end on the lower axis, below all else, with as much of a word as fits."""
    x = Axis(low=0, high=100, shown=str, logarithmic=False)
    bands = [Band(low=0, high=50, word="ramp"), Band(low=50, high=52, word="load"),
             Band(low=52, high=100, word="n" * 90)]  # fmt: skip
    root = ET.fromstring(plane([], x, x, label="bands", bands=bands))
    found = list(root.iter("rect"))
    assert [one.get("class") for one in found] == ["band b0", "band b1", "band b0"]
    ends = [float(one.get("x")) + float(one.get("width")) for one in found]
    assert all(
        abs(end - float(one.get("x"))) < 0.2 for end, one in zip(ends, found[1:], strict=False)
    )
    notes = [one.text for one in root.iter("text") if one.get("class") == "note"]
    assert notes[0] == "ramp"
    assert len(notes) == 2
    assert notes[1].endswith("…")
    assert len(notes[1]) < 30
