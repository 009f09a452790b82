"""Bars show how much there is against how much there must be."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from sessionproof.svg.bars import against, axis, share, top


def shapes(picture):
    """The picture's elements by class."""
    root = ET.fromstring(picture)
    return {child.get("class"): child for child in root}


def width(picture, class_):
    return float(shapes(picture)[class_].get("width"))


def test_a_bar_grows_with_the_evidence():
    """More is longer, each tenfold by the same length, and the line of the least stays."""
    lengths = [width(against(r, highest=1000, width=160, label=""), "bar") for r in (1, 10, 100)]
    assert lengths == [40, 80, 120]
    least = shapes(against(5, highest=1000, width=160, label=""))["least"]
    assert float(least.get("x1")) == 40


def test_too_little_looks_like_too_little():
    """Below the least the bar is of another kind and ends before the line."""
    seen = shapes(against(0.5, highest=1000, width=160, label=""))
    assert "bar" not in seen
    assert 0 < float(seen["bar short"].get("width")) < float(seen["least"].get("x1"))


def test_nothing_has_no_bar():
    """What was not examined shows the track and the line alone: no green from nothing."""
    assert set(shapes(against(0, highest=1000, width=160, label=""))) == {"track", "least"}


def test_a_trace_of_evidence_is_visible():
    """Little evidence is not drawn as none."""
    assert width(against(0.001, highest=1000, width=160, label=""), "bar short") >= 2


@pytest.mark.parametrize("ratio", [0, 0.1, 1, 99, 100, 1e9])
def test_a_bar_stays_in_its_track(ratio):
    """No bar is longer than its track, whatever was examined."""
    seen = shapes(against(ratio, highest=top([ratio]), width=160, label=""))
    track = float(seen["track"].get("width"))
    bars = [one for name, one in seen.items() if name.startswith("bar")]
    assert all(float(one.get("width")) <= track for one in bars)


def test_scales_end_at_a_power_of_ten():
    """The end holds the largest of all, and is at least a hundredfold."""
    assert top([]) == top([0, 3]) == 100
    assert top([3, 101]) == pytest.approx(1000)


def test_the_axis_has_the_powers():
    """Each power of ten from the least on has its tick, in short."""
    root = ET.fromstring(axis(highest=1e6, width=160))
    assert [one.text for one in root] == ["×1", "×10", "×100", "×1k", "×10k", "×100k", "×1M"]


def test_time_has_a_bar_too():
    """Half the longest time is half as long, and no time at all is not left out."""
    assert width(share(5, highest=10, width=60, label=""), "time") == 30
    assert width(share(0, highest=0, width=60, label=""), "time") == 1
