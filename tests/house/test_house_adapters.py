"""The guide for adapters names all that an adapter can have."""

from dataclasses import fields
from pathlib import Path

from sessionproof.contract.claims import Claims, Limits
from sessionproof.contract.store import CAPABILITIES, SqliteTables

PAGE = (Path(__file__).parents[2] / "docs" / "adapters.md").read_text("utf-8")


def test_every_capability_is_in_the_guide():
    """Each optional method stands there with its call, each name that tables() may give, too."""
    for name in CAPABILITIES:
        assert f"`{name}(" in PAGE, name
    for item in fields(SqliteTables):
        assert f"`{item.name}`" in PAGE, item.name


def test_every_claim_is_in_the_guide():
    """Each claim and each limit stands there."""
    for item in (*fields(Claims), *fields(Limits)):
        assert f"`{item.name}`" in PAGE, item.name
