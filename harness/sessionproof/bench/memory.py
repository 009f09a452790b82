"""Memory while calls are repeated: what is read, and what the readings say.

A reading is taken every few calls, and what counts is the lowest of a group of them: sqlite3, for
one, lets references to cursors pile up and drops them every 200 statements, so single readings rise
and fall by some kilobytes for ever. A cache that fills up rises like a leak until it is full;
therefore nothing is said to grow before the horizon, a number of calls beyond the usual caches. A
larger cache looks like a leak at the horizon, so what is said names it.
"""

from __future__ import annotations

import gc
import itertools
import logging
import os
import threading
import tracemalloc
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from sessionproof.contract.measurements import Memory

Trend = Literal["level", "grows", "undecided"]

READINGS = 6  # of a group
GROUPS = 6  # that must rise in a row
_STEADY = 0.4  # of the average rise: each of them is at least so high
LEAKED = 200  # descriptors or threads that no pool of a single client needs
_KIB = 1024
_OWN_NOISE, _OTHER_NOISE = 512 * _KIB, 2_048 * _KIB
_PERIOD = 200  # statements after which sqlite3 drops its references
_REFERENCE = 100  # bytes of one of them, generously


@dataclass(frozen=True)
class Gauge:
    """Something that is read between calls. ``unit`` is "bytes", or what is counted.

    ``noise`` is a rise from group to group that says nothing; for bytes that are counted exactly
    it depends on the pace, see ``noise_of``.
    """

    name: str
    read: Callable[[], int]
    unit: str = "bytes"
    noise: int | None = None


@dataclass
class Series:
    """The readings of one gauge while one thing is repeated, as far as they have come.

    ``calls`` and ``values`` are all readings, ``lows`` the lowest of each whole group. Arrays, as
    they are kept in the memory that is read.
    """

    gauge: Gauge
    calls: array[int] = field(default_factory=lambda: array("q"))
    values: array[int] = field(default_factory=lambda: array("q"))
    lows: array[int] = field(default_factory=lambda: array("q"))


@dataclass(frozen=True, kw_only=True)
class Pace:
    """``group`` calls make a group, or as many as take ``seconds``, with six readings.

    What rises still after ``horizon`` calls, group by group, grows: a cache of so many entries is
    never taken for a leak, and a larger one cannot be told from it.
    """

    group: int
    horizon: int
    seconds: float

    @property
    def between(self) -> int:
        """The calls from reading to reading."""
        return self.group // READINGS

    def at(self, call_s: float) -> Pace:
        """The pace for calls that take so long."""
        group = min(self.group, int(self.seconds / max(call_s, 1e-9)))
        return replace(self, group=max(2, group // READINGS) * READINGS)


def noise_of(gauge: Gauge, pace: Pace) -> int:
    """The rise from group to group that says nothing at this pace."""
    if gauge.noise is not None:
        return gauge.noise
    missed = min(pace.group, max(0, _PERIOD - pace.group))  # calls from the lowest point on
    return (missed + pace.between) * _REFERENCE + 2 * _KIB


def trend(series: Series, pace: Pace) -> Trend:
    """What the groups say so far: one that is no higher than the one before ends the doubt."""
    lows, noise = series.lows, noise_of(series.gauge, pace)
    # The lowest of a rising group is its first: two whole groups must lie beyond.
    past_horizon = bool(series.calls) and series.calls[-1] - 2 * pace.group >= pace.horizon
    if leaked(series):
        return "grows"
    if len(lows) >= 2 and lows[-1] - lows[-2] <= noise:
        return "level"
    if not past_horizon or len(lows) < GROUPS:
        return "undecided"
    return "grows" if steady(lows[-GROUPS:], noise) else "undecided"


def leaked(series: Series) -> bool:
    """Whether so many descriptors or threads were added that going on would use them up."""
    counted = series.gauge.unit != "bytes" and len(series.values) > 1
    return counted and series.values[-1] - series.values[0] > LEAKED


def steady(lows: Sequence[int], noise: int) -> bool:
    """Whether they rise from each to the next by about the same, and by more than noise."""
    rises = [later - earlier for earlier, later in itertools.pairwise(lows)]
    return min(rises) > max(noise, _STEADY * sum(rises) / len(rises))


def per_call(series: Series, pace: Pace) -> float:
    """How much a call adds: over the last two groups once it is level, else over the last six."""
    if leaked(series):
        return (series.values[-1] - series.values[0]) / (series.calls[-1] - series.calls[0])
    if len(series.lows) < 2:
        return 0.0
    recent = series.lows[-2:] if trend(series, pace) == "level" else series.lows[-GROUPS:]
    return (recent[-1] - recent[0]) / ((len(recent) - 1) * pace.group)


def told(series: Series, what: str, pace: Pace, *, note: str = "") -> Memory:
    """The measurement as it is shown: what is kept beyond the first reading.

    What a call adds is 0 where it is no more than what says nothing.
    """
    each, least = per_call(series, pace), noise_of(series.gauge, pace) / pace.group
    return Memory(
        what=what,
        calls=tuple(series.calls),
        kept_bytes=tuple(value - series.values[0] for value in series.values),
        per_call=round(each, 3) if each > least else 0.0,
        least=round(least, 3),
        note=note,
    )


def own_gauges() -> tuple[Gauge, ...]:
    """What can be read of this process; the first is exact while ``tracing``.

    The resident memory sees what C code keeps and what child processes do, coarsely.
    """
    traced = Gauge("Python's memory", lambda: tracemalloc.get_traced_memory()[0])
    seen = gauges_of(os.getpid())
    return (traced, *(seen or (Gauge("threads", threading.active_count, "threads", 1),)))


def gauges_of(pid: int) -> tuple[Gauge, ...]:
    """What can be read of a process and its children; empty where the system has no /proc."""
    if not Path(f"/proc/{pid}/statm").exists():
        return ()

    def total(what: str) -> Callable[[], int]:
        return lambda: sum(_listed(f"/proc/{one}/{what}") for one in family(pid))

    return (
        _resident(pid),
        Gauge("descriptors", total("fd"), "open descriptors", 1),
        Gauge("threads", total("task"), "threads", 1),
    )


def _resident(pid: int) -> Gauge:
    """Coarse: SQLite keeps 2 MB of pages, and a collector elsewhere runs when it likes.

    That of V8 lets some megabytes pile up, group by group, before it looks for what is left.
    """
    noise = _OWN_NOISE if pid == os.getpid() else _OTHER_NOISE
    return Gauge("resident memory", lambda: resident(family(pid)), noise=noise)


@contextmanager
def tracing() -> Iterator[None]:
    """Python's allocations are counted within the block, and collections are quick.

    What is there before is left out of collections. A tracer that runs already goes on. What a
    store logs meanwhile is dropped: pytest keeps the records of a test as long as it runs.
    """
    mine, disabled = not tracemalloc.is_tracing(), logging.root.manager.disable
    logging.disable()
    gc.collect()
    gc.freeze()
    if mine:
        tracemalloc.start()
    try:
        yield
    finally:
        if mine:
            tracemalloc.stop()
        gc.unfreeze()
        logging.disable(disabled)


# Paths are plain texts from here on: pathlib keeps every name that it has seen, and would be
# measured, too.


def resident(pids: Sequence[int]) -> int:
    """Bytes of these processes that are in memory; one that has ended has none."""
    page, total = os.sysconf("SC_PAGE_SIZE"), 0
    for pid in pids:
        with suppress(OSError):
            total += int(_content(f"/proc/{pid}/statm").split()[1]) * page
    return total


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    for parent in found:
        with suppress(OSError), os.scandir(f"/proc/{parent}/task") as tasks:
            for task in tasks:
                found += map(int, _content(f"{task.path}/children").split())
    return found


def peak_resident(pid: int, action: Callable[[], object]) -> int | None:
    """The bytes by which the peak of a process lies above its memory before the action.

    None where the system does not tell, and for a process that has ended.
    """
    try:
        Path(f"/proc/{pid}/clear_refs").write_text("5", "ascii")  # the peak begins anew
        before = resident([pid])
        action()
        status = _content(f"/proc/{pid}/status")
    except OSError:
        return None
    peak = next((line for line in status.splitlines() if line.startswith(b"VmHWM:")), None)
    return None if peak is None else int(peak.split()[1]) * _KIB - before


def peak_traced(action: Callable[[], object]) -> int:
    """The bytes by which the peak of Python's memory lies above that before the action."""
    gc.collect()
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    action()
    return tracemalloc.get_traced_memory()[1] - before


def _content(path: str) -> bytes:
    file = os.open(path, os.O_RDONLY)
    try:
        return os.read(file, 65_536)
    finally:
        os.close(file)


def _listed(directory: str) -> int:
    try:
        with os.scandir(directory) as entries:
            return sum(1 for _ in entries)
    except OSError:
        return 0
