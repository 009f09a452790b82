"""Times of every form that old files hold, as microseconds since 1970-01-01 UTC."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta, tzinfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_UNITS = ((1e11, 1_000_000, 1), (1e14, 1_000, 1), (1e17, 1, 1), (math.inf, 1, 1_000))
"""Numbers below the first are the second times a million: seconds, milli-, micro-, nanoseconds."""

_NUMBER = re.compile(r"[+-]?\d{1,20}(\.\d*)?")
_NAMED_ZONE = re.compile(r"\s*(UTC|GMT|Z)$")
_BEFORE_OFFSET = re.compile(r"\s+(?=[+-]\d\d:?\d\d$)")

# A fraction of this size is a number of days, as SQLite's julianday() gives: as seconds it would
# be a day of January 1970.
_DAYS = (2_400_000, 2_500_000)
_DAYS_TO_1970 = 2_440_587.5


def to_us(value: object, zone: tzinfo = UTC) -> int | None:
    """The time in microseconds, or None for what is no time that can be read.

    ``zone`` is that of texts without one.
    """
    if isinstance(value, int | float):
        return _of_number(value)
    if not isinstance(value, str):
        return None
    text = value.strip()
    if _NUMBER.fullmatch(text):
        return _of_number(float(text) if "." in text else int(text))
    text = _BEFORE_OFFSET.sub("", _NAMED_ZONE.sub("+00:00", text.upper()))
    try:
        read = datetime.fromisoformat(text)
        return (read if read.tzinfo else read.replace(tzinfo=zone)).astimezone(UTC).__sub__(
            _EPOCH
        ) // _MICROSECOND
    except (ValueError, OverflowError):
        return None


def _of_number(value: int | float) -> int | None:
    if not math.isfinite(value):
        return None
    if isinstance(value, float) and _DAYS[0] < value < _DAYS[1]:
        return round((value - _DAYS_TO_1970) * 86_400_000) * 1_000  # a double is good for 0.04 ms
    times, part = next((times, part) for most, times, part in _UNITS if abs(value) < most)
    whole = value * times // part if isinstance(value, int) else round(value * times / part)
    return whole if -(2**63) <= whole < 2**63 else None
