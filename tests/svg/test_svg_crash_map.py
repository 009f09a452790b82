"""A map of crash points: bars as high as the share of wrong states, letters that name them."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree as ET

import pytest

from sessionproof.svg.crash_map import BAR, HEAD, Column, Row, crash_map, sample

HOSTILE = "</text></svg><script>alert(1)</script>\" onload='x"
GOOD, UNJUDGED = Column(share=0.0), Column(share=None)


def bad(share=1.0, letter="A", class_="s0"):
    return Column(share=share, letter=letter, class_=class_)


def row(*columns, name="kill", claimed=True):
    return Row(name=name, below="none wrong", columns=columns, claimed=claimed)


def parsed(*rows, ticks=()):
    drawn = crash_map(rows, ticks=ticks, title="answered", label="crash points")
    return ET.fromstring(drawn.names), ET.fromstring(drawn.rows)


def rects(root, class_):
    """Left, top, width and height of the boxes of a class."""
    return [
        tuple(float(one.get(name)) for name in ("x", "y", "width", "height"))
        for one in root.iter("rect")
        if class_ in one.get("class").split()
    ]


@pytest.mark.parametrize(
    ("share", "quarters"), [(0.01, 1), (0.25, 1), (0.26, 2), (0.5, 2), (0.75, 3), (1.0, 4)]
)
def test_a_bar_is_as_high_as_its_share(share, quarters):
    """The share is shown in quarters, and a single wrong state is never nothing."""
    _, root = parsed(row(GOOD, bad(share)))
    (bar,) = rects(root, "wrong-states")
    (first, *_) = rects(root, "judged")
    assert bar[3] == BAR * quarters / 4
    assert bar[1] + bar[3] == first[1] + first[3]  # it stands on the ground


def test_neighbours_that_look_alike_are_one_shape():
    """A thousand points without a difference are one box, and one more starts another."""
    _, root = parsed(row(*[GOOD] * 900, bad(), bad(), GOOD))
    assert len(rects(root, "judged")) == 3
    (bar,) = rects(root, "wrong-states")
    ground = rects(root, "judged")
    assert bar[0] == ground[1][0] == ground[0][0] + ground[0][2]
    assert bar[2] == pytest.approx(2 * ground[2][2])


def test_rows_are_named_and_lie_below_each_other():
    """Each model has its name, its quieter line, and its bars, at one height."""
    names, root = parsed(row(bad()), row(bad(), name="power", claimed=False))
    assert [one.text for one in names.iter("text")] == ["kill", "none wrong", "power", "none wrong"]
    one, other = rects(root, "wrong-states")
    assert other[1] > one[1] > HEAD
    assert len(rects(root, "shown-only")) == 1


def letters(root):
    return [one.text for one in root.iter("text") if one.get("class") == "letter"]


def test_letters_name_each_stretch_once():
    """A stretch of one kind has one letter, whatever its heights; next to it stands the other."""
    _, root = parsed(row(*[bad(0.3), bad(1.0)] * 20, GOOD, *[bad(letter="B", class_="s1")] * 20))
    assert letters(root) == ["A", "B"]


def test_letters_do_not_cover_each_other():
    """Where stretches are narrower than letters some of them have none; the table has all."""
    _, root = parsed(row(*[bad(), bad(letter="B", class_="s1")] * 200))
    places = [float(one.get("x")) for one in root.iter("text") if one.get("class") == "letter"]
    assert len(places) > 50
    assert all(after - before >= 6.65 for before, after in itertools.pairwise(places))


def test_what_was_not_judged_is_no_ground():
    """A point without a judged state has a dotted line, not the colour of what is right."""
    _, root = parsed(row(GOOD, UNJUDGED, GOOD))
    assert len(rects(root, "judged")) == 2
    assert [one.get("class") for one in root.iter("line")].count("not-judged") == 1


def test_marks_stay_apart_and_inside():
    """Of marks that would cover each other the first is drawn, and none leaves the picture."""
    ticks = [(0, "0"), (1, "1,000"), (100, "5,000"), (199, "10,000,000")]
    _, root = parsed(row(*[GOOD] * 200), ticks=ticks)
    shown = [one for one in root.iter("text") if one.get("text-anchor") == "middle"]
    assert [one.text for one in shown] == ["0", "5,000"]
    for one in shown:
        assert float(one.get("x")) + len(one.text) * 3.4 <= float(root.get("width"))


def test_a_legend_looks_like_the_map():
    """The sample of a kind has its class, that of what is right has none."""
    assert len(rects(ET.fromstring(sample("s1")), "s1")) == 1
    assert rects(ET.fromstring(sample("")), "wrong-states") == []
    assert len(rects(ET.fromstring(sample("s1", claimed=False)), "shown-only")) == 1
    (dotted,) = ET.fromstring(sample("", judged=False))
    assert dotted.get("class") == "not-judged"


def test_an_empty_map_is_a_picture():
    """Without rows or without points there is an empty drawing, and no error."""
    for rows in ((), (row(),)):
        assert {one.tag for one in parsed(*rows)} == {"svg"}


def test_hostile_names_are_text():
    """Names, letters and classes make no element."""
    every = parsed(
        Row(name=HOSTILE, below=HOSTILE, columns=(bad(letter=HOSTILE, class_=HOSTILE),)),
        ticks=[(0, HOSTILE)],
    )
    for root in every:
        assert {one.tag for one in root.iter()} <= {"svg", "rect", "line", "text"}
