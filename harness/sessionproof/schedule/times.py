"""Clocks of managed threads: no real time passes for them, so that deadlines do not race us.

Their time is the virtual time of their controller, and each look at a clock takes a microsecond:
who looks until something has passed comes to an end. It never steps back, whoever looks.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sessionproof.schedule.control import Controller
from sessionproof.schedule.managed import active

_LOOK_NS = 1_000
_SECOND_NS = 1_000_000_000
_CLOCKS = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")
_HELD_BY_NAME = {
    "threading": ("_time", "monotonic"),
    "queue": ("time", "monotonic"),
    "sqlalchemy.util.queue": ("_time", "time"),
}
"""What modules took by name, before anybody could put something else there."""


class _Passed:
    """Nanoseconds of virtual time, over all controllers one after the other."""

    def __init__(self) -> None:
        self._last_ns = 0
        self._of: Controller | None = None
        self._from_ns = 0

    def ns(self, controller: Controller) -> int:
        """What has passed, for who looks now."""
        virtual_ns = int(controller.now * 1e9)
        if controller is not self._of:  # it counts from its own beginning
            self._of, self._from_ns = controller, self._last_ns - virtual_ns
        self._from_ns += _LOOK_NS
        self._last_ns = self._from_ns + virtual_ns
        return self._last_ns


def _clock(theirs: Callable[[], Any], base_ns: int, passed: _Passed, *, whole: bool) -> Any:
    """A clock for managed threads, which is theirs for all others."""

    def clock() -> int | float:
        controller = active()
        if controller is None:
            return theirs()  # type: ignore[no-any-return]
        now_ns = base_ns + passed.ns(controller)
        return now_ns if whole else now_ns / 1e9

    return clock


@contextmanager
def controlled_times() -> Iterator[None]:
    """Within it, clocks of ``time`` can be controlled; those of ``datetime`` can not."""
    passed = _Passed()
    clocks = {
        "time": time.time_ns,
        "monotonic": time.monotonic_ns,
        "perf_counter": time.perf_counter_ns,
    }
    # From the next whole second on: two looks are never the same microsecond, however a store
    # rounds them, and which of them are the same millisecond does not change from run to run.
    bases = {name: -(-read() // _SECOND_NS) * _SECOND_NS for name, read in clocks.items()}
    ours = {}
    for name in _CLOCKS:
        base_ns = bases[name.removesuffix("_ns")]
        ours[name] = _clock(getattr(time, name), base_ns, passed, whole=name.endswith("_ns"))
    held: list[tuple[Any, str, Any]] = [(time, name, getattr(time, name)) for name in _CLOCKS]
    names: list[Any] = list(ours.values())
    for module, (name, clock) in _HELD_BY_NAME.items():
        if module in sys.modules:
            held.append((sys.modules[module], name, getattr(sys.modules[module], name)))
            names.append(ours[clock])
    for (owner, name, _), mine in zip(held, names, strict=True):
        setattr(owner, name, mine)
    try:
        yield
    finally:
        for owner, name, clock in held:
            setattr(owner, name, clock)
