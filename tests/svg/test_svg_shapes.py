"""Shapes are well-formed, and whatever is written into them stays text."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from markupsafe import Markup

from sessionproof.svg.shapes import arrow, box, drawing, element, line, number, text

HOSTILE = (
    "</text></svg><script>alert(1)</script><img src=x onerror=\"alert(2)\" alt='3'>&lt;{}{0}%s"
)


def test_a_picture_is_well_formed():
    """A drawing parses as XML, with its size, its role and its words."""
    shapes = [
        box(0, 0, 10, 5, class_="event"), line(0, 0, 9.25, 4, class_="lane"), text(1, 2, "hi"),
        arrow(0, 0, 20, 20, class_="arrow"),
    ]  # fmt: skip
    root = ET.fromstring(drawing(30, 20.5, shapes, label="two things"))
    assert root.attrib == {
        "viewBox": "0 0 30 20.5", "width": "30", "height": "20.5", "role": "img",
        "aria-label": "two things",
    }  # fmt: skip
    assert [child.tag for child in root] == ["rect", "line", "text", "path"]
    assert root[1].get("x2") == "9.2"
    assert root[2].text == "hi"


def test_hostile_texts_are_text():
    """Markup, quotes and format fields in texts, labels and classes make nothing but text."""
    shapes = [text(0, 0, HOSTILE, class_=HOSTILE), box(0, 0, 1, 1, class_=HOSTILE)]
    root = ET.fromstring(drawing(1, 1, shapes, label=HOSTILE))
    assert [child.tag for child in root.iter()] == ["svg", "text", "rect"]
    assert root[0].text == root[0].get("class") == root[1].get("class") == HOSTILE
    assert root.get("aria-label") == HOSTILE


def test_markup_goes_in_as_it_is_and_text_does_not():
    """Only what is marked as markup is taken for it."""
    assert element("g", Markup("<b/>"), "<b/>") == "<g><b/>&lt;b/&gt;</g>"
    assert element("g", stroke_width=1.0, class_="a") == '<g stroke-width="1" class="a"/>'


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1, "1"), (1.0, "1"), (1.26, "1.3"), (10.0, "10"), (100, "100"), (-0.5, "-0.5")],
)
def test_numbers_are_short(value, shown):
    """At most one digit after the point, and no zero that says nothing."""
    assert number(value) == shown


@pytest.mark.parametrize(("start", "end"), [(0, 100), (100, 0), (50, 60)])
def test_an_arrow_points_where_it_arrives(start, end):
    """The head's point is the arrow's end, and its barbs lie on the side that it comes from."""
    path = ET.fromstring(arrow(start, 0, end, 40, class_="arrow")).get("d")
    way, head = path.split(" M")
    assert way.startswith(f"M{start} 0 C")
    assert way.endswith(f" {end} 40")
    assert f"L{end} 40" in head
    barb = float(head.split()[0])
    assert (barb < end) is (start < end)
