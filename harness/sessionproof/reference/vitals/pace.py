"""How long calls take: the last ones of all, and the slow ones.

What a call pays for it is two readings of the clock and an entry in a ring, which takes no lock.
"""

from __future__ import annotations

import sqlite3
import sys
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import FrameType

from sessionproof.contract.clock import Clock
from sessionproof.reference.vitals.report import Number, Vital
from sessionproof.reference.vitals.thresholds import Thresholds

CALLS = 1_000
"""Over so many calls the average is."""

_JUDGED_FROM = 20
"""An average of fewer calls is told, and is no reason to warn."""

SLOW_CALLS = 100
"""So many slow calls are remembered."""

SLOW_NS = 100_000_000
"""From here on a call is slow: 0.1 s."""

_WHOLE = frozenset({"backup", "export_sessions"})
"""Calls that read everything, and say nothing about the others."""


@dataclass(frozen=True, slots=True)
class Slow:
    """A slow call: when it ended, which method it was, how long it took. No text of a user's."""

    at_us: int
    operation: str
    took_us: int


class Pace:
    """The last calls of one handle: those that were quick go into ``took_ns`` at once."""

    def __init__(self, clock: Clock) -> None:
        self.took_ns: deque[int] = deque(maxlen=CALLS)
        self.slow: deque[Slow] = deque(maxlen=SLOW_CALLS)
        self._clock = clock

    def slowly(self, took_ns: int) -> None:
        """A slow call has ended; asked by what carried it out for a method."""
        name = _method(sys._getframe(2))
        self.slow.append(Slow(self._clock.now_us(), name, took_ns // 1_000))
        if name not in _WHOLE:
            self.took_ns.append(took_ns)


def _method(frame: FrameType | None) -> str:
    """The name of the public method that called: only slow calls pay for this."""
    while frame is not None and frame.f_code.co_name.startswith(("_", "<")):
        frame = frame.f_back
    return frame.f_code.co_name if frame else "a call"


def average(pace: Pace, thresholds: Thresholds) -> Vital:
    """The average of the last calls."""
    took = list(pace.took_ns)
    if not took:
        return Vital("average time", "unknown", "nothing was called yet")
    mean_ms = sum(took) / len(took) / 1e6
    return Vital(
        "average time",
        thresholds.average_ms.of(mean_ms) if len(took) >= _JUDGED_FROM else "ok",
        f"{mean_ms:.3g} ms over the last {len(took)} calls of this handle",
        (Number("call_seconds_average", mean_ms / 1e3), Number("calls_averaged", len(took))),
    )


def slow(pace: Pace) -> Vital:
    """The slow calls of this handle that are remembered."""
    return _told([(one.operation, one.took_us) for one in list(pace.slow)])


def slow_kept(db: sqlite3.Connection) -> Vital:
    """The slow calls that upkeep has written down, of all processes that do it."""
    return _told(db.execute("SELECT operation, took_us FROM health_slow ORDER BY id").fetchall())


def keep_slow(db: sqlite3.Connection, slow: Iterable[Slow]) -> None:
    """Write down what was slow, each call once; within a transaction of the caller's."""
    db.executemany(
        "INSERT INTO health_slow (at_us, operation, took_us) SELECT ?1, ?2, ?3 WHERE NOT EXISTS "
        "(SELECT 1 FROM health_slow WHERE at_us = ?1 AND operation = ?2 AND took_us = ?3)",
        [(one.at_us, one.operation, one.took_us) for one in slow],
    )
    db.execute(
        "DELETE FROM health_slow WHERE id <= "
        "(SELECT id FROM health_slow ORDER BY id DESC LIMIT 1 OFFSET ?)",
        (SLOW_CALLS,),
    )


def _told(calls: Sequence[tuple[str, int]]) -> Vital:
    newest = ", ".join(f"{name} {took_us / 1e3:.0f} ms" for name, took_us in calls[-5:][::-1])
    text = f"{len(calls)} remembered; the newest: {newest}" if calls else "none"
    return Vital("slow calls", "ok", text, (Number("slow_calls", len(calls)),))
