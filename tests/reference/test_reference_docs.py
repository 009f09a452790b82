"""The store's page says what is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sessionproof.contract.claims import COSTS
from sessionproof.reference import PRESETS, AsyncReferenceStore, ReferenceStore

PAGE = Path(__file__).parents[2] / "docs" / "reference.md"
TEXT = PAGE.read_text("utf-8")


@pytest.mark.parametrize("name", PRESETS)
def test_the_presets_are_as_documented(name: str):
    """The table of presets has the real numbers."""
    preset = PRESETS[name]
    row = next(line for line in TEXT.splitlines() if line.startswith(f'| `"{name}"`'))
    numbers = [int(text) for text in re.findall(r"\d+", row)]
    assert numbers == [preset.readers, preset.extra_readers, preset.recycle_s]


def test_the_costs_are_as_documented():
    """The table of costs has the claims of the store, and the asynchronous one claims none."""
    lines = TEXT.splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("| operation |"))
    names, most = (
        [cell.strip() for cell in lines[number].split("|")[2:-1]] for number in (head, head + 2)
    )
    assert dict(zip(names, map(int, most), strict=True)) == ReferenceStore.claims.costs
    assert set(names) <= set(COSTS)
    assert AsyncReferenceStore.claims.costs == {}
