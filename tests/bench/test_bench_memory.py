"""What readings of memory say: leaks rise for ever, caches fill up, sqlite3 goes up and down."""

import logging
import os
import subprocess
import sys
import tracemalloc
from dataclasses import replace

import pytest

from sessionproof.bench.memory import (
    READINGS,
    Gauge,
    Pace,
    Series,
    family,
    gauges_of,
    noise_of,
    own_gauges,
    peak_resident,
    peak_traced,
    per_call,
    resident,
    told,
    tracing,
    trend,
)

PACE = Pace(group=240, horizon=1_500, seconds=1.0)
BYTES = Gauge("Python's memory", lambda: 0)
DESCRIPTORS = Gauge("descriptors", lambda: 0, "open descriptors", 1)


def outcome(kept, gauge=BYTES, pace=PACE, groups=20):
    """The trend, and the calls after which it is known, of what is kept after so many calls."""
    series = Series(gauge)
    for group in range(groups):
        for reading in range(1, READINGS + 1):
            series.calls.append(group * pace.group + reading * pace.between)
            series.values.append(kept(series.calls[-1]))
        series.lows.append(min(series.values[-READINGS:]))
        if trend(series, pace) != "undecided":
            break
    return trend(series, pace), series


def test_what_never_changes_is_level():
    """Two groups are enough where nothing rises."""
    said, series = outcome(lambda calls: 5_000)
    assert said == "level"
    assert series.calls[-1] == 2 * PACE.group
    assert per_call(series, PACE) == 0


@pytest.mark.parametrize("each", [40, 300, 10_000])
def test_what_rises_with_each_call_grows(each):
    """Some bytes a call are a leak, however few, once they have risen beyond any cache."""
    said, series = outcome(lambda calls: 70_000 + each * calls)
    assert said == "grows"
    assert series.calls[-1] >= PACE.horizon
    assert per_call(series, PACE) == pytest.approx(each)


def test_a_list_that_doubles_its_room_grows():
    """Room that is taken in steps rises, too."""
    said, _ = outcome(lambda calls: 64 * calls + 8 * int(1.125 ** (len(bin(calls)) * 6)))
    assert said == "grows"


@pytest.mark.parametrize("entries", [10, 128, 500, 1_000, PACE.horizon])
@pytest.mark.parametrize("group", [12, 60, 192, 240, 480])
def test_a_cache_fills_up_and_is_level(entries, group):
    """Up to its bound a cache looks like a leak, at any pace."""
    pace = replace(PACE, group=group)
    said, series = outcome(lambda calls: 3_000 * min(calls, entries), pace=pace, groups=200)
    assert said == "level"
    assert abs(per_call(series, pace)) <= noise_of(BYTES, pace) / pace.group


@pytest.mark.parametrize("group", [12, 30, 60, 120, 198, 240, 480])
@pytest.mark.parametrize("statements", [1, 2, 3, 7])
def test_references_that_are_dropped_every_200_statements_never_grow(group, statements):
    """The references of sqlite3 to its cursors go up and down for ever, at any pace."""
    pace = Pace(group=group, horizon=300, seconds=1.0)
    said, _ = outcome(lambda calls: 88 * (calls * statements % 200), pace=pace, groups=60)
    assert said != "grows"


def test_what_rises_once_more_is_no_leak():
    """One more group that stays where it was ends the doubt."""
    said, _ = outcome(lambda calls: 1_000_000 * min(3, calls // 480))
    assert said == "level"


def test_descriptors_are_counted_exactly():
    """One for each call is a leak at once; a pool of ten is none."""
    assert outcome(lambda calls: 9 + calls, DESCRIPTORS)[0] == "grows"
    assert outcome(lambda calls: 9 + min(10, calls // 50), DESCRIPTORS)[0] == "level"


def test_a_slow_call_makes_small_groups():
    """As many calls as there is time for, in whole readings, and two of them at least."""
    assert PACE.at(1e-9).group == PACE.group
    assert PACE.at(0.01).group == 96
    assert PACE.at(10.0).group == 2 * READINGS


def test_a_leak_is_told_from_the_first_reading_to_the_last():
    """Once so many descriptors are open, groups say no more: what a call adds is known at once."""
    said, series = outcome(lambda calls: 9 + 3 * calls, DESCRIPTORS)
    assert said == "grows"
    assert len(series.lows) == 1
    assert per_call(series, PACE) == pytest.approx(3)


def test_of_one_group_nothing_is_told():
    """A first group has none before it, however high it lies."""
    _, series = outcome(lambda calls: 50 * calls, groups=1)
    assert per_call(series, PACE) == 0


def test_what_would_not_be_seen_is_told():
    """The report has the readings beyond the first one, and the least that would show."""
    _, series = outcome(lambda calls: 1_000 + 50 * calls)
    shown = told(series, "count", PACE, note="a note")
    assert shown.kept_bytes[0] == 0
    assert shown.calls[0] == PACE.between
    assert shown.least == pytest.approx(noise_of(BYTES, PACE) / PACE.group, abs=0.001)
    assert shown.per_call == 50


def test_nothing_kept_is_nothing_read():
    """Reading and collecting leave nothing in Python's memory that they read."""
    traced = own_gauges()[0]
    others = own_gauges()[1:]
    with tracing():
        for gauge in (traced, *others):
            gauge.read()
        values = [0] * 40
        before = traced.read()
        for place in range(len(values)):
            for gauge in others:
                gauge.read()
            values[place] = traced.read() - before
        assert max(values[5:]) - min(values[5:]) < 1_000


def test_a_peak_is_seen_after_it_is_gone():
    """What an action had in memory for a moment, and no more than that."""
    with tracing():
        assert peak_traced(lambda: None) < 10_000
        assert peak_traced(lambda: bytes(3_000_000)) == pytest.approx(3_000_000, rel=0.01)
        assert peak_traced(lambda: None) < 10_000


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs /proc")  # noqa: PTH110
def test_another_process_is_read_with_its_children():
    """The memory of a process that is looked at from outside counts that of its children."""
    child = "import sys; kept = b'x' * 30_000_000; print(flush=True); sys.stdin.read()"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        alone = resident([process.pid])
        whole = gauges_of(process.pid)[0].read()
        assert len(family(process.pid)) == 2
        assert whole - alone > 30_000_000
        process.stdin.close()
    assert resident([process.pid]) == 0
    assert gauges_of(process.pid) == ()


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs /proc")  # noqa: PTH110
def test_a_process_that_ends_meanwhile_has_no_peak():
    """As long as nobody has asked how it ended it is there, and has no memory."""
    with subprocess.Popen(["sleep", "20"]) as process:

        def end():
            process.kill()
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

        assert peak_resident(process.pid, end) is None


def test_a_tracer_that_runs_already_goes_on():
    """Whoever began to trace memory finds it traced afterwards, and nobody else does."""
    with tracing():
        with tracing():
            assert tracemalloc.is_tracing()
        assert tracemalloc.is_tracing()
    assert not tracemalloc.is_tracing()


def test_what_a_store_logs_is_not_kept(caplog):
    """A warning at each call would fill pytest's list of records, which is no leak of the store."""
    with tracing():
        logging.getLogger("a store").warning("while it is measured")
    assert caplog.records == []
    logging.getLogger("a store").warning("afterwards")
    assert len(caplog.records) == 1
