"""The page about the search says what is true."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from sessionproof.reference import ReferenceStore, searching
from sessionproof.reference.finding import index, queries, words

TEXT = (Path(__file__).parents[2] / "docs" / "search.md").read_text("utf-8")


def test_each_option_is_documented():
    """The table has the options that there are, and no others."""
    options = {*inspect.signature(searching.search).parameters} - {"store", "query", "limit"}
    rows = " ".join(line for line in TEXT.splitlines() if line.startswith("| `"))
    assert options <= set(re.findall(r"\w+", rows))
    assert hasattr(ReferenceStore, "search_sessions")


@pytest.mark.parametrize(
    "number",
    [f"newest {searching.RANKED:,}", f"of {index.MOST} messages", f"more than {queries._ROW_MOST}"],
)
def test_the_numbers_are_those_of_the_code(number: str):
    """Bounds that are told are those that are kept."""
    assert number in " ".join(TEXT.split())


def test_what_counts_at_the_ends_is_told():
    """The symbols that stay at the ends of words."""
    assert f"`{' '.join(words._KEPT_AT_ENDS)}`" in TEXT
