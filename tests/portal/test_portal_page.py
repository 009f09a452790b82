"""The page on the portal says what is true."""

from __future__ import annotations

import re
from pathlib import Path

from sessionproof.portal import Portal
from sessionproof.portal.models import ENDS, ROLES, STATUSES, Base

PAGE = Path(__file__).parents[2] / "docs" / "portal.md"
TEXT = PAGE.read_text("utf-8")


def test_tables_and_columns_are_on_the_page():
    """Every table is there with all its columns, in their own words."""
    for name, table in Base.metadata.tables.items():
        row = re.search(rf"^\| `{name}` \|(.*?)\|", TEXT, re.MULTILINE)
        assert row, name
        assert {*re.findall(r"`(\w+)`", row[1])} == {column.name for column in table.columns}
    for word in (*ROLES, *STATUSES, *ENDS):
        assert f"`{word}`" in TEXT, word


def test_every_call_is_on_the_page(tmp_path: Path):
    """The table of calls has each public method of each part, and no other."""
    with Portal(f"sqlite:///{tmp_path / 'portal.db'}") as portal:
        parts = {
            name: part
            for name, part in vars(portal).items()
            if not name.startswith("_") and name not in ("clock", "database")
        }
        for name, part in {**parts, "the portal itself": portal}.items():
            shown = name if part is portal else f"`{name}`"
            row = re.search(rf"^\| {shown} \| ([^|]*) \|$", TEXT, re.MULTILINE)
            assert row, name
            methods = {
                one for one in vars(type(part))
                if not one.startswith("_") and callable(getattr(part, one))
            }  # fmt: skip
            assert {*re.findall(r"`(\w+)`", row[1])} == methods, name
