"""A badge: two short texts on a ground of two colours, in a picture that stands by itself.

It brings its own colours, as it is shown on pages that are not ours; each text has a contrast of
at least 4.5 to its ground.
"""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from sessionproof.svg.shapes import element, number

COLOURS: Mapping[str, str] = {
    "red": "#a3211b",
    "orange": "#8a4b00",
    "yellow": "#6b5200",
    "green": "#17653a",
    "grey": "#545d68",
}
_GROUND, _INK = "#2f353b", "#ffffff"
_HEIGHT, _BASE, _PAD = 20, 14, 7
_FONT = "Verdana, 'DejaVu Sans', Geneva, sans-serif"
# Widths of characters in that font at 11 pixels: narrow ones, wide ones, all others.
_NARROW, _WIDE = frozenset("fijlrtI.,:;|!()' -"), frozenset("mwMW%@")
_WIDTHS = (4.6, 10.6, 7.1)


def badge(label: str, message: str, *, colour: str) -> Markup:
    """The picture; ``colour`` is one of ``COLOURS``, by its name."""
    left, right = _width(label) + 2 * _PAD, _width(message) + 2 * _PAD
    said = f"{label}: {message}"
    return element(
        "svg",
        element("title", said),
        element("rect", width=left + right, height=_HEIGHT, rx=3, fill=COLOURS[colour]),
        element("path", d=_left(left), fill=_GROUND),
        _words(left / 2, label),
        _words(left + right / 2, message),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {number(left + right)} {_HEIGHT}",
        width=left + right,
        height=_HEIGHT,
        role="img",
        aria_label=said,
        font_family=_FONT,
        font_size=11,
        text_anchor="middle",
        fill=_INK,
    )


def _words(x: float, text: str) -> Markup:
    """A text around its middle, as wide as it was reckoned, whatever font is there."""
    return element(
        "text", text, x=x, y=_BASE, textLength=_width(text), lengthAdjust="spacingAndGlyphs"
    )


def _left(width: float) -> str:
    """The outline of the label's ground: round at the left alone."""
    return f"M3 0 H{number(width)} V{_HEIGHT} H3 A3 3 0 0 1 0 {_HEIGHT - 3} V3 A3 3 0 0 1 3 0 Z"


def _width(text: str) -> float:
    narrow, wide, other = _WIDTHS
    return sum(narrow if one in _NARROW else wide if one in _WIDE else other for one in text)
