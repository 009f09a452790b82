"""Texts that do something wherever they are obeyed, and what a reader's machine would obey."""

from hypothesis import strategies as st

PIECES = (
    "\x1b[31m", "\x1b]0;title\x07", "\x1bP", "\x9b2J", "\x00", "\b", "\r", "\n", "\r\n", "\t",
    "\x7f", "\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\u202e", "\u202d", "\u2066", "\u2069",
    "\u200b", "\ufeff", "\U000e0041", "\ud800", "\udfff", "::", "::set-output name=x::y",
    " ::error::no", "##[", "##[error]", "##vso[", "</script>", "<img src=x onerror=alert(1)>",
    "]]>", "<!--", '"', "'", '"""', "\\", "`", "```", "~~~", "|", "[a](javascript:alert(1))",
    "![x](http://127.0.0.1:9/)", "https://127.0.0.1:9/", "@everyone", "#1", "{{ 7 * 7 }}", "%s",
    "{0}", "---\n", "- !!python/x y", "../../etc/x", "/", "a", " ", "漢", "é", "\U0001f469\u200d",
)  # fmt: skip


def hostile_texts():
    """Pieces in any order, with any characters between them."""
    any_character = st.characters(exclude_categories=())
    piece = st.one_of(st.sampled_from(PIECES), st.text(any_character, max_size=3))
    return st.lists(piece, max_size=8).map("".join)


def assert_harmless(text, *, lines=True):
    """No terminal and no CI log does anything when it is shown this text.

    With ``lines`` the text may have more than one.
    """
    assert lines or "\n" not in text, text
    for line in text.split("\n"):
        odd = [one for one in line if not one.isprintable() and one != "\t"]
        assert odd == [], (odd, line)
        assert not line.lstrip().startswith("::"), line
        assert "##[" not in line, line
        assert "##vso[" not in line, line
    text.encode("utf-8")  # raises for half a character
