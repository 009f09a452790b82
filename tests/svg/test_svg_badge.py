"""A badge is a picture that stands by itself, and says what it shows in words."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from sessionproof.svg.badge import COLOURS, badge

SVG = "{http://www.w3.org/2000/svg}"


def luminance(colour):
    """The relative luminance of a colour, as WCAG has it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return sum(share * one for share, one in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("colour", COLOURS)
def test_the_words_can_be_read(colour):
    """White text has a contrast of 4.5 at least on each ground."""
    assert (1.05) / (luminance(COLOURS[colour]) + 0.05) >= 4.5


def test_it_is_a_whole_picture_with_its_words():
    """It is XML of its own, with a title and a label for those who do not see it."""
    root = ET.fromstring(badge("sessionproof", "2 broken", colour="red"))
    assert root.tag == f"{SVG}svg"
    assert root.get("aria-label") == root.find(f"{SVG}title").text == "sessionproof: 2 broken"
    assert [one.text for one in root.iter(f"{SVG}text")] == ["sessionproof", "2 broken"]


def test_texts_fit_into_their_grounds():
    """Each text lies within its half, and a longer one makes a wider picture."""
    short = ET.fromstring(badge("sessionproof", "holds 9", colour="green"))
    long = ET.fromstring(badge("sessionproof", "holds 9, could not tell 14", colour="green"))
    assert float(long.get("width")) > float(short.get("width"))
    for root in (short, long):
        ends = [float(one.get("x")) + float(one.get("textLength")) / 2
                for one in root.iter(f"{SVG}text")]  # fmt: skip
        assert ends[1] < float(root.get("width"))


def test_no_text_is_markup():
    """What a store is called cannot leave its element."""
    root = ET.fromstring(badge("a", "</text><script>1</script>", colour="grey"))
    assert not list(root.iter(f"{SVG}script"))
