"""Clocks of managed threads: virtual, never backwards, and real for all others."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from sessionproof.contract.clock import monotonic_ns
from sessionproof.schedule.control import Controller
from sessionproof.schedule.decisions import Usual
from sessionproof.schedule.locks import controlled_threads
from sessionproof.schedule.times import controlled_times

CLOCKS = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")


def alone(action: Callable[[], Any], controller: Controller | None = None) -> Any:
    """What comes of it in a managed thread."""
    controller, out = controller or Controller(), []
    controller.begin(Usual())
    task = controller.add(0, "task")
    thread = threading.Thread(target=controller.work, args=(task, lambda: out.append(action())))
    thread.start()
    controller.run({0})
    thread.join()
    return out[0]


@pytest.mark.parametrize("name", CLOCKS)
def test_only_virtual_time_passes(name: str) -> None:
    """A sleep of an hour passes on every clock, and each look is a microsecond."""
    unit = 1 if name.endswith("_ns") else 1e-9

    def use() -> tuple[float, float, float]:
        clock = getattr(time, name)
        first, second = clock(), clock()
        time.sleep(3_600)
        return second - first, clock() - second, first

    before = getattr(time, name)()
    with controlled_threads(), controlled_times():
        look, hour, first = alone(use)
    assert look == pytest.approx(1_000 * unit, abs=500 * unit)
    assert hour == pytest.approx(3_600e9 * unit, abs=1e6 * unit)
    assert first >= before


def test_two_looks_are_never_the_same_microsecond() -> None:
    """A store that rounds what it sees to microseconds, as ``datetime`` does, sees time pass."""

    def use() -> list[datetime]:
        return [datetime.fromtimestamp(time.time(), UTC) for _ in range(2_000)]

    with controlled_threads(), controlled_times():
        seen = alone(use)
    assert seen == sorted(set(seen))


def test_the_clock_is_the_same_for_all_and_never_steps_back() -> None:
    """Executions follow one another, also on new controllers; looks by other clocks count too."""

    def use() -> list[int]:
        out = [time.monotonic_ns()]
        time.sleep(5)
        time.perf_counter()
        return [*out, time.monotonic_ns()]

    with controlled_threads(), controlled_times():
        first = Controller()
        seen = alone(use, first) + alone(use, first) + alone(use) + alone(use, first)
    assert seen == sorted(set(seen))
    assert seen[-1] - seen[0] >= 4 * 5_000_000_000


def test_other_threads_have_real_clocks() -> None:
    """Outside of managed threads each clock goes on, and all are put back in the end."""
    before = {name: getattr(time, name) for name in CLOCKS}
    with controlled_times():
        assert time.time is not before["time"]
        now = monotonic_ns()
        assert now <= time.monotonic_ns() <= monotonic_ns()
    assert {name: getattr(time, name) for name in CLOCKS} == before


def test_the_harness_keeps_real_time_in_managed_threads() -> None:
    """Budgets of clients are real time: the clock of the harness is not theirs."""

    def use() -> int:
        begun = monotonic_ns()
        time.sleep(3_600)
        return monotonic_ns() - begun

    with controlled_threads(), controlled_times():
        passed_ns = alone(use)
    assert passed_ns < 3_600_000_000_000


def test_deadlines_of_waits_are_virtual() -> None:
    """Queues, events and loops that look at the clock give up when nobody can come."""

    def use() -> list[Any]:
        begun = time.monotonic()
        out: list[Any] = [threading.Event().wait(30)]
        try:
            queue.Queue().get(timeout=30)
        except queue.Empty:
            out.append("empty")
        out.append(threading.Semaphore(0).acquire(timeout=30))
        until = time.time() + 30
        tries = 0
        while time.time() < until:
            time.sleep(1)
            tries += 1
        return [*out, tries, round(time.monotonic() - begun)]

    with controlled_threads(), controlled_times():
        assert alone(use) == [False, "empty", False, 30, 120]


def test_who_only_looks_at_the_clock_comes_to_an_end() -> None:
    """A loop without a sleep ends, as each look takes time."""

    def use() -> int:
        until = time.perf_counter_ns() + 1_000_000
        looks = 0
        while time.perf_counter_ns() < until:
            looks += 1
        return looks

    with controlled_times():
        assert alone(use) == 999
