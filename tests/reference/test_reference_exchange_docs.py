"""The page on listings, files and pages says what is true."""

from __future__ import annotations

import re
from pathlib import Path

from sessionproof.reference import ReferenceStore
from sessionproof.reference.exchange.exporting import FORMS
from sessionproof.reference.exchange.foreign import LIBRARIES

PAGE = Path(__file__).parents[2] / "docs" / "exchange.md"
TEXT = PAGE.read_text("utf-8")


def test_forms_and_libraries_are_on_the_page():
    """The tables have every form and every library, and every listing is a method of the store."""
    for name in (*FORMS, *LIBRARIES):
        assert re.search(rf"^\| `{name}`", TEXT, re.MULTILINE), name
    for name in re.findall(r"^\| `(\w+)` \|.*\| \d+", TEXT, re.MULTILINE):
        assert callable(getattr(ReferenceStore, name))
