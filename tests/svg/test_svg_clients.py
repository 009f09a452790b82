"""A picture of clients: each operation a bar in its lane, in its time, with its words."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from sessionproof.svg.clients import HEAD, LANE, SLIM, Act, clients, sample

HOSTILE = "</text></a><script>alert(1)</script>\" onload='x"
WRITE = Act(
    lane="a", began=0, ended=40, titles=("append(#0)", "#0"), words="a: append", id="b0", href="#r0"
)
READ = replace(WRITE, lane="b", began=60, ended=90, titles=("read()",), kind="read", id="b1")


def picture(*acts, lanes=("a", "b")):
    """The bars, parsed."""
    return clients(acts, lanes, label="two clients", shown=lambda times: [str(t) for t in times])


def parsed(*acts, lanes=("a", "b")):
    return ET.fromstring(picture(*acts, lanes=lanes).bars)


def bars(root):
    return list(root.iter("a"))


def span(bar):
    """The bar's rectangle: x, y, width; of an open one where it begins and ends."""
    for one in bar.iter("rect"):
        if one.get("class") == "span":
            return tuple(float(one.get(name)) for name in ("x", "y", "width"))
    raise AssertionError("no span")


def test_a_bar_lies_in_its_lane_and_its_time():
    """Bars begin and end where the line of time says, each at the height of its lane's name."""
    drawn = picture(WRITE, READ)
    first, second = bars(ET.fromstring(drawn.bars))
    x, y, width = span(first)
    assert x == pytest.approx(drawn.time.place(0), abs=0.1)
    assert x + width == pytest.approx(drawn.time.place(40), abs=0.1)
    assert span(second)[1] - y == LANE
    names = list(ET.fromstring(drawn.names).iter("text"))
    assert [one.text for one in names] == ["a", "b"]
    assert float(names[0].get("y")) > HEAD
    assert float(names[1].get("y")) - float(names[0].get("y")) == LANE


def test_bars_are_links_with_words_in_order():
    """Each bar takes the focus, has a name for those who do not see it, and leads somewhere."""
    root = parsed(WRITE, READ)
    assert [(one.get("id"), one.get("href"), one.get("aria-label")) for one in bars(root)] == [
        ("b0", "#r0", "a: append"), ("b1", "#r0", "a: append"),
    ]  # fmt: skip
    assert root.get("role") == "group"  # an img would hide what is in it


def test_shapes_tell_what_colours_tell():
    """A refused one has a cross, one that never answered has no right end and reaches the edge."""
    refused = replace(WRITE, outcome="fail")
    unknown = replace(READ, ended=None, outcome="info")
    root = parsed(refused, unknown)
    first, second = bars(root)
    assert [one.get("class") for one in first.iter("path")] == ["cross"]
    (path,) = second.iter("path")
    assert "Z" not in path.get("d")
    right = float(path.get("d").split("H")[-1])
    assert right > sum(span(first)[::2])
    assert right + 5 == float(root.get("width"))
    assert {"write", "fail"} <= {*first.get("class").split()}
    assert {"read", "info"} <= {*second.get("class").split()}


def test_a_short_bar_can_be_seen():
    """A microsecond beside a second is still a bar, and begins where it began."""
    short = replace(READ, began=60, ended=60)
    drawn = picture(replace(WRITE, ended=1e6), short)
    x, _, width = span(bars(ET.fromstring(drawn.bars))[1])
    assert width >= SLIM
    assert x == pytest.approx(drawn.time.place(60), abs=0.1)


def joins(root):
    return [one for one in root.iter() if one.get("class") == "joins"]


def test_guilty_ones_are_joined():
    """An arrow leads from a guilty one that had ended to the next; a line joins what overlapped."""
    guilty = (replace(WRITE, guilty=True), replace(READ, guilty=True))
    assert [one.tag for one in joins(parsed(*guilty))] == ["path"]
    together = (guilty[0], replace(guilty[1], began=20))
    (line,) = joins(parsed(*together))
    assert line.tag == "line"
    assert line.get("x1") == line.get("x2")
    assert not joins(parsed(guilty[0], READ))
    third = replace(guilty[1], began=200, ended=220)
    assert len(joins(parsed(*guilty, third))) == 2


def test_a_guilty_one_is_named_wherever_it_is_narrow():
    """The name of a guilty bar stands above it where it does not fit, within the picture."""
    narrow = replace(READ, began=999, ended=1_000, titles=("read_last(100)",), guilty=True)
    root = parsed(replace(WRITE, ended=990), narrow)
    (name,) = bars(root)[1].iter("text")
    assert name.get("class") == "call above"
    assert name.text == "read_last(100)"
    assert float(name.get("x")) + 14 * 6.65 <= float(root.get("width")) + 0.1
    plain = replace(narrow, guilty=False)
    assert not list(bars(parsed(replace(WRITE, ended=990), plain))[1].iter("text"))


def test_the_longest_title_that_fits_is_written():
    """A bar has the whole call, or what is left of it, or nothing; never a part of a word."""
    wide = bars(parsed(WRITE, READ))[0]
    assert [one.text for one in wide.iter("text")] == ["append(#0)"]
    others = [replace(READ, began=10 * n, ended=10 * n + 6) for n in range(5, 16)]
    narrow = bars(parsed(*others, replace(WRITE, began=200, ended=206)))[-1]
    assert [one.text for one in narrow.iter("text")] == ["#0"]


def test_times_far_apart_are_cut_and_shown():
    """Where time is not to scale, the longest stretches have a band."""
    root = parsed(WRITE, replace(READ, began=5e6, ended=5e6 + 1))
    assert [one.get("class") for one in root.iter("rect")].count("cut") == 1
    assert not [one for one in parsed(WRITE, READ).iter("rect") if one.get("class") == "cut"]


def test_marks_of_time_stay_in_the_picture():
    """The words of the last mark end within the picture."""
    long = clients(
        [WRITE, READ], ["a", "b"], label="x", shown=lambda times: ["1.000004 s"] * len(times)
    )
    root = ET.fromstring(long.bars)
    for one in root.iter("text"):
        if one.get("class") == "tick":
            length = 0 if one.get("text-anchor") == "end" else len(one.text) * 6.65
            assert float(one.get("x")) + length <= float(root.get("width")) + 2


def test_samples_look_like_bars():
    """A legend's bar has the classes and the shape of the bar that it stands for."""
    (group,) = ET.fromstring(sample("write", "fail", guilty=True))
    assert group.get("class") == "op write fail guilty"
    assert [one.get("class") for one in group] == ["span", "cross"]


def test_hostile_names_are_text():
    """Lanes, titles, words and ids make no element and no attribute."""
    act = replace(
        WRITE, lane=HOSTILE, titles=(HOSTILE,), words=HOSTILE, id=HOSTILE, href=HOSTILE,
        guilty=True, class_=HOSTILE,
    )  # fmt: skip
    drawn = picture(act, lanes=(HOSTILE,))
    for markup in (drawn.names, drawn.bars):
        tags = {one.tag for one in ET.fromstring(markup).iter()}
        assert tags <= {"svg", "a", "rect", "line", "text"}
