"""The only places where time is read: ``time.time`` is banned elsewhere."""

from __future__ import annotations

import time
from typing import Protocol

MICROSECONDS = 1_000_000


class Clock(Protocol):
    """Wall-clock time that can be injected into a store."""

    def now_us(self) -> int:
        """Integer microseconds since 1970-01-01 UTC."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_us(self) -> int:
        """Integer microseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1_000


class SettableClock:
    """The machine's own clock until it is set; then it stands."""

    def __init__(self) -> None:
        self._set_us: int | None = None

    def now_us(self) -> int:
        """Integer microseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1_000 if self._set_us is None else self._set_us

    def set_clock(self, now_us: int | None) -> None:
        """Stand at this time; None: go with the machine again."""
        self._set_us = now_us


class VirtualClock:
    """A clock that stands still until it is told to move, forwards or backwards."""

    def __init__(self, start_us: int = 1_767_225_600 * MICROSECONDS) -> None:
        self._now_us = start_us

    def now_us(self) -> int:
        """Integer microseconds since 1970-01-01 UTC."""
        return self._now_us

    def move(self, by_us: int) -> None:
        """Step by so many microseconds; negative steps back."""
        self._now_us += by_us


def monotonic_s() -> float:
    """Seconds on a clock that never steps: for budgets and durations."""
    return time.monotonic()


monotonic_ns = time.monotonic_ns
"""The same in integer nanoseconds, comparable across the processes of one boot.

The function itself: a call in between would be measured too.
"""
