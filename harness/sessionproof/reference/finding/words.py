"""A text as words: the one rule by which texts and queries are folded and split.

Case, accents and compatibility forms do not count. Letters and digits in a row are a word; in
scripts that are written without blanks each letter is one, so that what is looked for may stand
anywhere in a row of them. A symbol is a word of its own (``C++`` is three, ``foo_bar``, too), but
for what surrounds words: quotes, brackets, full stops at the ends of what stands between blanks.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

FOLDING = 1
"""Raised with every change of the rule: what an older one has folded is looked at again."""

_PIECE = 200  # letters of a word; a longer one is several in a row
_SYMBOLS = {code: 0xE000 + code for code in range(33, 127) if not chr(code).isalnum()}
"""ASCII symbols as letters of the private use area: to SQLite's ``ascii`` they are of a word."""

_CONTROLS = dict.fromkeys((*range(32), 127), " ")
_SAME = {
    **dict.fromkeys(map(ord, "\u2018\u2019\u201b\u02bc"), "'"),
    **dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2212"), "-"),
}
_ACCENTS = re.compile("[\u0300-\u036f]+")
_KEPT_AT_ENDS = "+#@$%&"  # of C++, C#, @name, 50%
_SURROUNDING = (
    "".join(one for one in map(chr, _SYMBOLS) if one not in _KEPT_AT_ENDS)
    + "\u00ab\u00bb\u201a\u201c\u201d\u201e\u2026\u3001\u3002\u300a\u300b\u300c\u300d\u300e\u300f"
    + "\u3010\u3011\u2022\u00b7"
)
_PLAIN = re.compile(rf"[a-z0-9]{{1,{_PIECE}}}|[^a-z0-9\s]")
_WITHOUT_BLANKS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u312f\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
)


def folded(text: str) -> str:
    """The text with all that does not count made equal, and every control a blank."""
    if text.isascii():
        return text.lower().translate(_CONTROLS)
    text = unicodedata.normalize("NFKC", _without(text)).casefold()
    text = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    return unicodedata.normalize("NFKC", text).translate(_CONTROLS | _SAME)


def split(text: str) -> str:
    """The words of a folded text with a blank between each two."""
    out: list[str] = []
    for chunk in text.split():
        part = chunk.strip(_SURROUNDING)
        if not part.isascii():
            out += _letters().findall(part)
        elif part.isalnum() and len(part) <= _PIECE:  # by far the most frequent
            out.append(part)
        else:
            out += _PLAIN.findall(part)
    return " ".join(out).translate(_SYMBOLS)


def words(text: str) -> str:
    """The words of a text, as the index has them."""
    return split(folded(text))


def is_word(text: str) -> bool:
    """Whether there is a letter or a digit in it."""
    return any(map(str.isalnum, text))


def _without(text: str) -> str:
    """The text without what is not seen: joiners, soft hyphens, marks of direction, surrogates."""
    return _unseen().sub("", text)


@cache
def _unseen() -> re.Pattern[str]:
    return re.compile(f"[{_ranges('Cf', 'Cs')}]+")


@cache
def _letters() -> re.Pattern[str]:
    marks = _ranges("Mn", "Mc", "Me")
    letter = rf"(?:(?![{_WITHOUT_BLANKS}])[^\W_]|[{marks}])"
    return re.compile(rf"[{_WITHOUT_BLANKS}][{marks}]*|{letter}{{1,{_PIECE}}}|[^\w\s]|_")


def _ranges(*categories: str) -> str:
    """The characters of these categories, for a class of a regular expression."""
    found: list[list[int]] = []
    for code in (*range(0x80, 0x20000), *range(0xE0000, 0xE01F0)):
        if unicodedata.category(chr(code)) in categories:
            if found and found[-1][1] == code - 1:
                found[-1][1] = code
            else:
                found.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in found)
