"""Text for people is harmless, visible, and says when it is cut."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from report_samples import HOSTILE

from sessionproof.report.plain import cut, for_terminal, short_program, shown


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("\x1b[31m", "\\x1b[31m"),
        ("\x9b2J", "\\x9b2J"),
        ("a\u202eb", "a\\u202eb"),
        ("a\u200bb", "a\\u200bb"),
        ("a\u00a0b", "a\\xa0b"),
        ("\ud800", "\\ud800"),
        ("\ufffe", "\\ufffe"),
        ("\U000e0041", "\\U000e0041"),
        ("\x00\r\n\t", "\\x00\\r\\n\\t"),
        ("naïve 漢字 ✓", "naïve 漢字 ✓"),
    ],
)
def test_unprintable_characters_become_visible(text, visible):
    """What cannot be seen is shown as its escape, and what can be seen stays."""
    assert shown(text) == visible


def test_no_character_of_unicode_gets_through_unseen():
    """No control, format, surrogate, or separator but the space survives, and UTF-8 takes all."""
    text = shown("".join(map(chr, range(sys.maxunicode + 1))))
    kinds = {unicodedata.category(one) for one in set(text) - {" "}}
    assert not kinds & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"}
    assert text.encode("utf-8")


def test_lines_keep_newlines_and_tabs_alone():
    """A text of several lines keeps its newlines and tabs, and nothing else that is unprintable."""
    assert shown("a\n\tb\r\x0b\u2028c", lines=True) == "a\n\tb\\r\\x0b\\u2028c"


def test_cut_says_the_full_length():
    """A text that is too long keeps its start and its end, and says how long it is."""
    text = "start " + "x" * 10_000 + " end"
    short = cut(text, 300)
    assert short.startswith("start ")
    assert short.endswith(" end")
    assert "10,010 characters in all" in short
    assert len(short) < 350
    assert cut("x" * 300, 300) == "x" * 300


@pytest.mark.parametrize("most", [3, 4, 12])
def test_a_short_program_keeps_the_guilty_line(most):
    """Of a long program the first and the last lines stay, and a comment counts the rest."""
    program = tuple(f"line {n}" for n in range(1_000))
    short = short_program(program, most)
    assert len(short) == most
    assert short[0] == "line 0"
    assert short[-1] == "line 999"
    comment = [line for line in short if line.startswith("#")]
    assert len(comment) == 1
    assert f"{1_000 - (most - 1)} of 1,000" in comment[0]
    assert short_program(program[:most], most) == program[:most]


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1", "cp437"])
def test_a_terminal_gets_what_its_encoding_has(encoding):
    """Text for a terminal can be encoded, and holds no escape sequence and no ``##[``."""
    text = for_terminal(HOSTILE + "… – ’ 漢", encoding)
    text.encode(encoding)
    assert text.isprintable()
    assert "##[" not in text
    assert "##vso[" not in text


def test_ascii_reads_well():
    """The typography of our own sentences has an ASCII form instead of escapes."""
    assert for_terminal("a … b – “c’d”", "ascii") == 'a ... b - "c\'d"'
