"""The text around the words that were found."""

from __future__ import annotations

from collections.abc import Sequence

from sessionproof.reference.finding.queries import Term

_BEFORE, _AFTER = 40, 120
_LOOKED_AT = 100_000  # characters of a text


def snippet(text: str, terms: Sequence[Term]) -> str:
    """A part of the text, on one line, that begins shortly before the first of the words.

    Where a word is written otherwise than it was asked for (in its accents, say), the part may be
    another one.
    """
    plain = text[:_LOOKED_AT].lower()
    places = [plain.find(one.words.partition(" ")[0]) for one in terms]
    first = min((place for place in places if place >= 0), default=0)
    begin = max(0, first - _BEFORE)
    if begin:
        begin = text.find(" ", begin, first) + 1 or begin  # not within a word
    end = min(len(text), first + _AFTER)
    part = " ".join(text[begin:end].split())
    return f"{'…' if begin else ''}{part}{'…' if end < len(text) else ''}"
