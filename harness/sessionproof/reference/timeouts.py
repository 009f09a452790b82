"""The limits that new sessions get."""

from __future__ import annotations

from dataclasses import dataclass

HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Limits of sessions that are created from now on, in microseconds; None is no limit.

    ``idle_us`` counts from the last activity, ``hard_us`` from the creation. A sweep warns
    ``warn_us`` before the earlier of both; None never warns.
    """

    idle_us: int | None = HOUR_US
    hard_us: int | None = 24 * HOUR_US
    warn_us: int | None = 300_000_000
