"""Strips, bars and small pictures say as much as their values."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from sessionproof.svg.columns import Bar, columns
from sessionproof.svg.plane import WIDTH, spanning
from sessionproof.svg.shapes import CHARACTER
from sessionproof.svg.small import spark, swatch
from sessionproof.svg.strips import Mark, Row, Strip, strips

AXIS = spanning([1, 1_000], "{:g}".format)


def strip(*values, class_="s0", beside=()):
    """A strip with bars at these values."""
    return Strip(tuple(Mark(value, "bar", f"at {value}") for value in values), class_, beside)


def test_marks_stand_on_one_axis_for_all_rows():
    """Equal values of two rows stand below each other; each row has its label."""
    root = ET.fromstring(
        strips([Row("append", (strip(10, 100),)), Row("get", (strip(10, 50),))], AXIS, label="x")
    )
    marks = [one.get("d") for one in root.iter("path") if one.get("class") == "dot s0"]
    across = [mark.split()[0] for mark in marks]
    assert across[0] == across[2]
    assert across[1] != across[3]
    labels = [one.text for one in root.iter("text") if one.get("class") == "row-name"]
    assert labels == ["append", "get"]
    assert [one.text for one in root.iter("title")] == ["at 10", "at 100", "at 10", "at 50"]


def test_strips_of_one_row_lie_below_each_other():
    """Several stores in a row make it higher, and none covers another."""
    few = ET.fromstring(strips([Row("a", (strip(1, 2),))], AXIS, label="x"))
    many = ET.fromstring(
        strips([Row("a", (strip(1, 2), strip(1, 2, class_="s1")))], AXIS, label="x")
    )
    assert float(many.get("height")) > float(few.get("height"))
    ways = [one.get("d").split()[1] for one in many.iter("path") if "joined" in one.get("class")]
    assert len({*ways}) == 2


def test_a_floor_is_beside_and_not_joined():
    """What stands beside a strip does not make its line longer."""
    floor = (Mark(1, "bar", "floor", "floor"),)
    plain, beside = (
        ET.fromstring(strips([Row("a", (one,))], AXIS, label="x"))
        for one in (strip(10, 100), strip(10, 100, beside=floor))
    )
    line = "path[@class='joined s0']"
    assert plain.find(line).get("d") == beside.find(line).get("d")
    assert beside.find("path[@class='dot s0 floor']") is not None


def test_bars_are_as_long_as_their_values():
    """Twice as much is twice as long, nothing is still seen, and a head stands above its group."""
    root = ET.fromstring(
        columns(
            [Bar("1 thread", 200, "200/s", head="append"), Bar("2 threads", 100, "100/s"),
             Bar("3 threads", 0, "0/s")],
            label="x",
        )
    )  # fmt: skip
    widths = [float(one.get("width")) for one in root.iter("rect")]
    assert widths[0] == pytest.approx(2 * widths[1], abs=0.2)
    assert widths[2] == 1
    assert next(one.text for one in root.iter("text")) == "append"


def test_words_of_a_bar_stay_inside_the_picture():
    """They stand behind a short bar and inside a long one."""
    root = ET.fromstring(columns([Bar("a", 100, "100/s"), Bar("b", 1, "1/s")], label="x"))
    words = [one for one in root.iter("text") if "value" in one.get("class")]
    assert [one.get("class") for one in words] == ["value inside", "value"]
    for one in words:
        start = float(one.get("x"))
        assert (
            start + (len(one.text) * CHARACTER if one.get("text-anchor") == "start" else 0) < WIDTH
        )


def test_a_spark_is_flat_where_nothing_grows():
    """Equal values make a level line, growing ones a rising one."""

    def heights(*values):
        root = ET.fromstring(spark(list(enumerate(values)), label="x"))
        (way,) = [one.get("d") for one in root.iter("path")]
        return [float(point.split()[1]) for point in way.removeprefix("M").split(" L")]

    assert len({*heights(7, 7, 7)}) == 1
    rising = heights(1, 2, 4)
    assert rising == sorted(rising, reverse=True)
    assert heights(0, 0) == [21, 21]


def test_a_swatch_is_not_read_aloud():
    """The name beside it says what it is."""
    root = ET.fromstring(swatch("s1", "square"))
    assert root.get("aria-hidden") == "true"
    assert {one.get("class") for one in root.iter("path")} == {"joined s1", "dot s1"}
