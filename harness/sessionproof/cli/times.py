"""Times of a store as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def shown_time(us: int, form: str = "%Y-%m-%d %H:%M:%S", zone: tzinfo = UTC) -> str:
    """Microseconds since 1970 in this form; the number itself where no calendar has the time."""
    try:
        return f"{(_EPOCH + timedelta(microseconds=us)).astimezone(zone):{form}}"
    except OverflowError:
        return str(us)
