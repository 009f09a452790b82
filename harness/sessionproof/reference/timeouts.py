"""The limits that new sessions get, and how limits become columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

HOUR_US = 3_600_000_000

LONGEST_US = 2**61
"""Longer limits count as this one, which is 73,000 years: times must not leave 64 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Limits of sessions that are created from now on, in microseconds; None is no limit.

    ``idle_us`` counts from the last activity, ``hard_us`` from the creation. A sweep warns
    ``warn_us`` before the earlier of both, but never in the first half of a limit; None never
    warns. Limits below 1 and a negative warning are a ``ValueError``.
    """

    idle_us: int | None = HOUR_US
    hard_us: int | None = 24 * HOUR_US
    warn_us: int | None = 300_000_000

    def __post_init__(self) -> None:
        for name, least in (("idle_us", 1), ("hard_us", 1), ("warn_us", 0)):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < least):
                raise ValueError(
                    f"{name} must be None or an integer of at least {least}; got {value!r}"
                )

    def columns(self, now_us: int) -> Mapping[str, int | None]:
        """The columns of a session that gets these limits now."""
        limits = [limit for limit in (self.idle_us, self.hard_us) if limit is not None]
        warn_us = None
        if limits and self.warn_us is not None:
            warn_us = min(self.warn_us, (min(limits) + 1) // 2)  # of a limit of 1, too
        return {
            "idle_timeout_us": None if self.idle_us is None else min(self.idle_us, LONGEST_US),
            "hard_deadline_us": (
                None if self.hard_us is None else now_us + min(self.hard_us, LONGEST_US)
            ),
            "warn_us": None if warn_us is None else min(warn_us, LONGEST_US),
        }
