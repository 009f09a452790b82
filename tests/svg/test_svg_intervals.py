"""Intervals beside what is equal: where they lie is what they say."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from sessionproof.svg.intervals import Interval, intervals


def row(label, value, *, half=0.01, **changes):
    low, high = (0.0, 0.0) if value is None else (value - half, value + half)
    return Interval(**{"label": label, "value": value, "low": low, "high": high,
                       "words": "same", "class_": "same", "title": label, **changes})  # fmt: skip


def drawn(*rows):
    picture = intervals(
        rows, low=-0.3, high=0.3, margin=(-0.02, 0.02), shown=lambda value: f"{value:+.0%}",
        label="L",
    )  # fmt: skip
    return ET.fromstring(picture)


def of(root, class_):
    return [one for one in root.iter() if class_ in (one.get("class") or "").split()]


def middle(root):
    """Where the points are, across."""
    return [float(one.get("d")[1:].split(" ")[0]) for one in of(root, "middle")]


def test_slower_lies_right_of_what_is_equal():
    """The line of what is equal is between the two, and the margin around it."""
    root = drawn(row("a", 0.1), row("b", -0.1))
    (equal,), (margin,) = of(root, "least"), of(root, "margin")
    right, left = middle(root)
    assert left < float(equal.get("x1")) < right
    start = float(margin.get("x"))
    assert start < float(equal.get("x1")) < start + float(margin.get("width"))


def test_what_is_not_known_has_a_name_alone():
    """A row that could not be measured is there, with its words and no point."""
    root = drawn(row("a", None, words="could not tell"))
    assert not of(root, "interval")
    assert [one.text for one in of(root, "word")] == ["could not tell"]


def test_what_is_far_off_is_an_arrow():
    """A row of twice the cost has no point where it is not, and all stays in the picture."""
    root = drawn(row("a", 1.0), row("b", 0.0))
    assert len(of(root, "middle")) == 1
    assert len(of(root, "interval")) == 2
    assert "1.00" not in root.get("aria-label")
    width = float(root.get("width"))
    for one in of(root, "between"):
        given = one.get("x1") or one.get("d").rpartition("L")[2].split(" ")[0]
        assert 0 <= float(given) <= width
