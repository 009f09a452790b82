"""Repeating a call until its memory has levelled off, or has not within the horizon."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from sessionproof.bench.loading import Steps, driven
from sessionproof.bench.memory import (
    LEAKED,
    READINGS,
    Gauge,
    Pace,
    Series,
    gauges_of,
    leaked,
    own_gauges,
    per_call,
    told,
    tracing,
    trend,
)
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.verdicts import Finding, Reproducer
from sessionproof.host.client import HostedStore
from sessionproof.scripts.blocks import indented
from sessionproof.trials.single import Broken, CouldNotTell, Trial

Run: TypeAlias = Callable[[int], None]
"""Does so many calls more; raises Broken when one fails."""

_TRIED = 5  # calls that show how long one takes; what they make once is no growth


@dataclass(frozen=True)
class Repeated:
    """Something to do again and again that leaves the sessions as they were.

    ``name`` is said of it in reports. ``steps`` makes the calls of the time numbered ``n`` to the
    raw store. ``lines`` are the same in Python, with ``n``; they follow ``first``.
    """

    name: str
    steps: Callable[[Any, int], Steps[None]]
    lines: tuple[str, ...] = ()
    first: tuple[str, ...] = ()


@dataclass(frozen=True)
class Watch:
    """What is read between the calls. ``pid`` is that of the store, None for our own process."""

    gauges: tuple[Gauge, ...]
    pid: int | None

    @property
    def tracing(self) -> AbstractContextManager[None]:
        """Where the gauges can be read."""
        return tracing() if self.pid is None else nullcontext()


def watch_of(trial: Trial) -> Watch:
    """The gauges of the process in which the store runs; raises CouldNotTell without any."""

    def asked(store: Any, _wait: object) -> int | None:
        return store.pid if isinstance(store, HostedStore) else None

    outcome = trial.handle().lend("the process of the store", asked)
    trial.require_ok(outcome, "asked for the process of the store")
    pid = outcome.value
    gauges = own_gauges() if pid is None else gauges_of(pid)
    if not gauges:
        raise CouldNotTell("this system does not show the memory of the store's process")
    return Watch(gauges, pid)


def lent(trial: Trial, repeated: Repeated) -> Run:
    """Runs the calls in the handle's own thread, numbered on."""
    done = 0

    def run(number: int) -> None:
        nonlocal done
        first, done = done, done + number

        def action(store: Any, wait: Any) -> None:
            def steps() -> Steps[None]:
                for n in range(first, first + number):
                    yield from repeated.steps(store, n)

            driven(steps(), wait)

        outcome = trial.handle().lend(f"{repeated.name}, {number} times", action)
        script = (*repeated.first, f"for n in range({done}):", *indented(repeated.lines))
        trial.require_ok(
            outcome,
            f"repeated {repeated.name}, after {first:,} times",
            script if repeated.lines else (),
        )

    return run


def stays_level(trial: Trial, repeated: Repeated, run: Run, watch: Watch, pace: Pace) -> str | None:
    """Repeat until every gauge has levelled off; answers what is left in doubt, or None.

    Raises Broken when one grows beyond the horizon. Adds what it measured to the trial, and the
    calls to its evidence.
    """
    pace = pace.at(_call_s(run))
    series = [Series(gauge) for gauge in watch.gauges]
    for one in series:
        one.gauge.read()  # what the first reading makes is none of the store's
    left, grown = list(series), list[Series]()
    while left:
        if not _one_group(series, run, pace, trial.time_is_up):
            break
        trends = [trend(one, pace) for one in left]
        grown = [one for one, said in zip(left, trends, strict=True) if said == "grows"]
        left = [one for one, said in zip(left, trends, strict=True) if said == "undecided"]
        if grown:
            break
    trial.count("calls", series[0].calls[-1])
    shown = [series[0], *(one for one in grown if one is not series[0] and _bytes(one))]
    trial.measured += [
        told(one, repeated.name, pace, note=_note(one, pace, grown)) for one in shown
    ]
    if grown:
        raise _broken(trial, repeated, grown[0], pace, watch)
    if not left:
        return None
    return (
        f"{left[0].gauge.name} rose over {series[0].calls[-1]:,} times of {repeated.name}, "
        "which may be a cache that is not full yet"
    )


def _bytes(series: Series) -> bool:
    return series.gauge.unit == "bytes"


def _note(series: Series, pace: Pace, grown: Sequence[Series]) -> str:
    """What was read; of what grows, for how long it was seen to."""
    grows = any(one is series for one in grown)
    return series.gauge.name + (f": not level within {pace.horizon:,} calls" if grows else "")


def _call_s(run: Run) -> float:
    """The seconds that a call takes when nothing disturbs it."""
    costs_s = []
    for _ in range(_TRIED):
        began = monotonic_s()
        run(1)
        costs_s.append(monotonic_s() - began)
    return min(costs_s)


def _one_group(
    series: Sequence[Series], run: Run, pace: Pace, time_is_up: Callable[[], bool]
) -> bool:
    """Take the readings of a group; whether time sufficed. It ends early when one has leaked."""
    first = len(series[0].values)
    for _ in range(READINGS):
        if len(series[0].lows) > 1 and time_is_up():
            return False
        run(pace.between)
        gc.collect()
        for one in series:
            one.values.append(one.gauge.read())
            one.calls.append((one.calls[-1] if one.calls else 0) + pace.between)
        if any(map(leaked, series)):
            break
    for one in series:
        one.lows.append(min(one.values[first:]))
    return True


def _broken(trial: Trial, repeated: Repeated, series: Series, pace: Pace, watch: Watch) -> Broken:
    gauge, calls = series.gauge, series.calls[-1]
    each = per_call(series, pace)
    rise = f"{each:,.0f} bytes" if gauge.unit == "bytes" else f"{each:.2f} {gauge.unit}"
    lows = ", ".join(f"{low - series.lows[0]:,}" for low in series.lows[-8:])
    seen = f"{gauge.name}: after {calls:,} calls still {rise} more with each, and no end in sight"
    if leaked(series):  # it may be long before the horizon
        expected = f"{gauge.name}: at most {LEAKED} more, as a pool of a single client needs"
    else:
        # Never more than was seen: a cache that is larger than the horizon looks the same.
        expected = f"{gauge.name}: levels off within {pace.horizon:,} calls"
        seen += f"; lowest of each {pace.group} calls, beyond the first: {lows}"
    finding = Finding(
        anomaly=Anomaly.MEMORY,
        did=f"repeated {repeated.name} {calls:,} times",
        expected=expected,
        seen=seen,
        program=repeated.lines,
    )
    trial.store.close()
    if watch.pid is not None or not repeated.lines:
        said = "no script: the memory of another process is read from outside"
        return Broken(replace(finding, reproducer=Reproducer(file="", said=said)))
    try:
        trial.require(
            False,
            finding.anomaly,
            did=finding.did,
            expected=finding.expected,
            seen=finding.seen,
            program=finding.program,
            script=_script(repeated, series, calls, each),
        )
    except Broken as broken:
        return broken
    raise AssertionError("require lets nothing pass")


_READ = {
    "Python's memory": "tracemalloc.get_traced_memory()[0]",
    "resident memory": "int(Path('/proc/self/statm').read_text().split()[1])"
    " * os.sysconf('SC_PAGE_SIZE')",
    "descriptors": "len(os.listdir('/proc/self/fd'))",
    "threads": "threading.active_count()",
}


def _script(repeated: Repeated, series: Series, calls: int, each: float) -> list[str]:
    """The calls, and the memory in between: half of what was seen fails."""
    tracing = ["tracemalloc.start()"] if series.gauge.name == "Python's memory" else []
    half = max(1, calls // 2)
    return [
        *repeated.first,
        *tracing,
        "kept = []",
        f"for n in range({2 * half}):",
        *indented(repeated.lines),
        f"    if n % {half} == {half - 1}:",
        "        gc.collect()",
        f"        kept.append({_READ[series.gauge.name]})",
        f"assert kept[1] - kept[0] < {max(1, int(half * each / 2))}, kept",
    ]
