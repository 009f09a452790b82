"""Where a run's time went: parts by name, in seconds, that add up to all of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sessionproof.contract.clock import monotonic_s

DESCRIBING = "describing the store"
REPRODUCERS = "reproducers"
REPORT = "writing the report"
REST = "the rest"


@dataclass
class Pass:
    """One pass of pytest, by the monotonic clock, as seen from outside.

    ``first_s`` is when its first test began, ``last_s`` when the last one was told; both None
    before. ``tests_s`` are the seconds of all tests, which ``workers`` share.
    """

    name: str
    workers: int
    began_s: float = field(default_factory=monotonic_s)
    first_s: float | None = None
    last_s: float | None = None
    ended_s: float | None = None
    tests_s: float = 0.0

    def note(self, value: Mapping[str, Any]) -> None:
        """Take notice of one line of a worker's file."""
        now = monotonic_s()
        if value.get("event") == "begun" and self.first_s is None:
            self.first_s = now
        if "verdict" in value:
            self.last_s = now
            self.tests_s += value["duration_s"]

    def end(self) -> None:
        """The pass is over."""
        self.ended_s = monotonic_s()

    def parts(self) -> dict[str, float]:
        """Its time: until the first test, tests, workers without a test, after the last one.

        The tests of several workers run at the same time: a worker's share of them counts.
        """
        ended = monotonic_s() if self.ended_s is None else self.ended_s
        first = ended if self.first_s is None else self.first_s
        last = max(first, first if self.last_s is None else self.last_s)
        tests = min(self.tests_s / self.workers, last - first)
        return {
            f"{self.name}: collecting": first - self.began_s,
            f"{self.name}: tests": tests,
            f"{self.name}: waiting": last - first - tests,
            f"{self.name}: ending": ended - last,
        }


def adding_up(parts: Mapping[str, float], whole_s: float) -> tuple[dict[str, float], float]:
    """The parts in hundredths of a second with what is left of the whole, and their sum."""
    out = {name: round(max(seconds, 0.0), 2) for name, seconds in parts.items()}
    left = round(whole_s - sum(out.values()), 2)
    if left > 0:
        out[REST] = left
    return out, round(sum(out.values()), 2)
