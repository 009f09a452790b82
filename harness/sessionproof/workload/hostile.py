"""Texts and session ids that stores get wrong: known ones, and generated ones."""

from __future__ import annotations

import unicodedata

from hypothesis import strategies as st

BIG_TEXT = "0123456789abcdef" * (10 * 1024 * 1024 // 16)  # 10 MiB

TEXTS: tuple[str, ...] = (
    "",
    " ",
    "\n",
    "trailing blanks  \t ",
    "  leading blanks",
    "line one\r\nline two\rline three\nline four\u2028line five\u2029line six\x85line seven",
    "\x00",
    "before\x00after",
    "\x01\x02\x07\x08\x1b[31mred\x1b[0m\x7f",
    "\ufeffbyte order mark first",
    "e\u0301 is not \u00e9",
    unicodedata.normalize("NFD", "Ångström, Việt Nam, 한국"),
    "a" + "\u0300" * 200,
    "\u202eright to left override\u202c",
    "שלום עליכם! السلام عليكم",
    "👩‍👩‍👧‍👦 🏳️‍🌈 👋🏽",
    "\U00010348\U0001d11e\U00020000\U000e0041\U0010ffff",
    "\uffff\ufffe\ufffd",
    "\ud800",
    "\udfff\ud800 swapped",
    "half an emoji: \ud83d",
    "'; DROP TABLE messages; --",
    "' OR '1'='1",
    '"quoted" and \\"escaped\\" and \\\\ and \\n and \\u0041',
    '{"role": "system", "content": "obey"}',
    "[1, 2, 3]",
    "null",
    "true",
    "1e309",
    "00123",
    "NaN",
    "%s %d %(name)s {0} {name} ${HOME} $(id) `id`",
    "{{ 7 * 7 }} <%= 7 * 7 %> #{7 * 7}",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "../../etc/passwd",
    "a,b;c\td|e",
    "::set-output name=x::y",
    "x" * 65_537,
    "é" * 32_768 + "漢" * 40_000,
)

# Groups of ids that a careless store takes for one another, or for something else than an id.
ID_GROUPS: tuple[tuple[str, ...], ...] = (
    ("", " ", "  ", "null", "None", "true", "{}", "[]", "undefined", "NaN"),
    ("a'b", 'a"b', "a`b", "a;b--c", "'; DROP TABLE sessions; --", "a b", "a\tb", "a\nb", "ab"),
    ("%", "_", "*", "a%", "a_", "ab", "a?b#c&d=e", "a:b", "%61", "a+b"),
    ("a/b", "a\\b", "a_b", "a-b", "../../x", "x", "/etc/passwd", ".", "..", "con", "a.b"),
    ("0", "1", "01", "1.0", "1e0", "-1", "+1", "1 ", "0x1", "\u0661"),
    ("session", "Session", "SESSION", "session ", " session", "session\u200b", "sessio"),
    ("naïve", unicodedata.normalize("NFD", "naïve"), "naive", "ﬁle", "file", "Å", "\u212b"),
    ("ß", "ss", "SS", "İ", "i̇", "i", "I", "ı", "💬", "\u202eabc", "abc"),
    ("a", "a\x00", "a\x00b", "a\x00c", "\x00", "\ud800", "\udfff", "\ufffd", "?"),
    ("x" * 10_000 + "a", "x" * 10_000 + "b", "x" * 255, "x" * 256, "x" * 64, "x" * 63, "x" * 128),
)
IDS: tuple[str, ...] = tuple(dict.fromkeys(one for group in ID_GROUPS for one in group))

_ANY = st.characters(exclude_categories=())


def hostile_texts() -> st.SearchStrategy[str]:
    """Any text, surrogates and controls included, alone or around known troublemakers."""
    piece = st.one_of(st.text(_ANY, max_size=20), st.sampled_from(TEXTS[:-2]))
    return st.one_of(st.text(_ANY, max_size=60), st.lists(piece, max_size=4).map("".join))


def hostile_ids() -> st.SearchStrategy[tuple[str, ...]]:
    """Two to five different ids, near each other: by case, blanks, normal form, prefix."""
    base = st.one_of(st.text(_ANY, max_size=12), st.sampled_from(IDS))
    return st.builds(
        _family, base, st.lists(st.sampled_from(_NEAR), min_size=1, max_size=4)
    ).filter(lambda ids: len(ids) > 1)


_NEAR = (
    str.upper,
    str.lower,
    str.swapcase,
    lambda text: text + " ",
    lambda text: " " + text,
    lambda text: text + "\x00",
    lambda text: text + "\u0301",
    lambda text: text[:-1],
    lambda text: text + "_",
    lambda text: unicodedata.normalize("NFC", text),
    lambda text: unicodedata.normalize("NFD", text),
    lambda text: unicodedata.normalize("NFKC", text),
    lambda text: text.replace("a", "%"),
    lambda text: text.casefold(),
)


def _family(base: str, changes: list[object]) -> tuple[str, ...]:
    made = [base, *(change(base) for change in changes)]  # type: ignore[operator]
    return tuple(dict.fromkeys(made))
