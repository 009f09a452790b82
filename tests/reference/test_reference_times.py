"""Times of every form that old programs wrote."""

from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from sessionproof.reference.legacy.times import to_us

NEW_YEAR = 1767225600_000000  # 2026-01-01, 00:00 UTC


@pytest.mark.parametrize(
    "value",
    [
        1767225600, 1767225600.0, 1767225600_000, 1767225600_000000, 1767225600_000000000,
        "1767225600", "1767225600.0", " 1767225600000 ",
        "2026-01-01", "2026-01-01 00:00:00", "2026-01-01T00:00:00", "2026-01-01 00:00:00.000",
        "2026-01-01T00:00:00Z", "2026-01-01t00:00:00z", "2026-01-01 00:00:00 UTC",
        "2026-01-01T01:00:00+01:00", "2025-12-31 16:00:00 -0800", "2026-01-01 00:00:00.000000+00",
        2461041.5,
    ],
)  # fmt: skip
def test_one_instant_in_many_forms(value):
    """All of them are the same microsecond."""
    assert to_us(value) == NEW_YEAR


@pytest.mark.parametrize("value", [None, "", "yesterday", b"2026-01-01", "2026-13-01", float("nan"),
                                   float("inf"), "9" * 400, "2026-01-01 25:00:00"])  # fmt: skip
def test_what_is_no_time_is_none(value):
    """Nothing is guessed."""
    assert to_us(value) is None


def test_a_text_without_a_zone_is_of_the_one_that_was_told():
    """UTC, unless somebody knows better: in Tokyo it is nine hours earlier."""
    assert to_us("2026-01-01 09:00:00", ZoneInfo("Asia/Tokyo")) == NEW_YEAR
    assert to_us("2026-01-01 00:00:00+00:00", ZoneInfo("Asia/Tokyo")) == NEW_YEAR
    assert to_us("2026-01-01 00:00:00.000001", UTC) == NEW_YEAR + 1


def test_fractions_and_times_before_1970():
    """Microseconds are whole, and what came before is negative."""
    assert to_us(1767225600.5) == NEW_YEAR + 500_000
    assert to_us("1969-12-31 23:59:59") == -1_000_000
    assert to_us(-1) == -1_000_000
