"""What a sweep costs among ever more sessions of which always the same number is due.

Where SQLite's machine can be seen at work its steps are counted: they are the same on any machine.
Times are measured everywhere, in rounds in which the sizes take turns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sessionproof.bench.growth import FLAT, growth
from sessionproof.bench.loading import Steps, driven
from sessionproof.bench.rounds import Arm, Run, in_rounds, undisturbed
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_ns, monotonic_s
from sessionproof.contract.errors import Refused
from sessionproof.contract.measurements import Growth
from sessionproof.contract.seed import derive
from sessionproof.scripts.sweep_costs import step_lines, time_lines
from sessionproof.trials.filled import Place, as_time, at_sizes, messages_of, value_of
from sessionproof.trials.lateness import is_late
from sessionproof.trials.limit_lines import setting_of
from sessionproof.trials.single import CouldNotTell, Trial
from sessionproof.trials.statements import Trace, Traced, traced
from sessionproof.workload import lifetime
from sessionproof.workload.awaiting import waited
from sessionproof.workload.crews import is_hosted
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.guard import CannotOpen, Wait
from sessionproof.workload.sessions import needs_create

_DUE = 3  # sessions that are due at each sweep
_LEAST_US, _YEAR_US = 1, 31_536_000_000_000
_LARGEST = 2_000  # sessions: a walk shows long before
_CHUNK_S = 0.5  # of work in the handle's thread at a time
_ROUNDS, _ROUNDS_MOST = 20, 240
_TURN = 10  # rounds between two looks at what they say
_MOST_S = 4.0  # of rounds, where steps were counted; else as long as the profile has patience
_FILL_MOST_S = 20.0  # for one size: slower stores would come near a test's deadline
_CALLS = 2.5  # that make a session, on average
_TRIES = 3  # of a sweep whose steps are counted
_STATEMENT_MOST = 160


def flat(trial: Trial) -> None:
    """Sweep at rising numbers of sessions; raises Broken, CouldNotTell."""
    found = _measured(trial)
    trial.measured.append(found.growth)
    trial.count("sweeps", found.told)
    if found.growth.verdict in ("flat", "undecided"):
        if found.growth.verdict == "undecided" and found.counted is None:
            raise CouldNotTell(
                f"flat is below sessions^{FLAT:g}, and this is not sure: {_how(found)}"
            )
        return
    if is_late(trial):
        raise CouldNotTell(f"{_how(found)} in one measurement, and no time for another")
    again = _measured(trial)
    if again.growth.verdict in ("flat", "undecided"):
        raise CouldNotTell(f"{_how(found)} in one measurement, and {_how(again)} in another")
    _tell_times(trial, found, again)


@dataclass(frozen=True)
class _Counted:
    """The traces of a sweep at the smallest and at the largest size."""

    sizes: tuple[int, ...]
    traces: tuple[Traced, ...]

    @property
    def steps(self) -> tuple[int, ...]:
        """Steps of SQLite's machine at each size."""
        return tuple(one.steps or 0 for one in self.traces)

    @property
    def grows(self) -> bool:
        """Whether they are more than what an index costs."""
        wider = self.sizes[-1] / self.sizes[0]
        return bool(self.steps[-1] > self.steps[0] * wider**FLAT)


@dataclass(frozen=True)
class _Measured:
    """What was seen; ``told`` is how many timed sweeps expired what was due."""

    growth: Growth
    told: int
    counted: _Counted | None


def _measured(trial: Trial) -> _Measured:
    """Steps, then times; raises Broken where steps grow, CouldNotTell where nothing expires."""
    sizes = _sizes(trial)
    with at_sizes(trial, sizes, _with_limits, []) as places:
        due = [_Due(trial, place) for place in places]
        counted = _counted(trial, due)  # before those that the rounds leave behind make them alike
        if counted is not None and counted.grows:
            _tell_steps(trial, counted)
        with undisturbed():
            grown = _timed(trial, due, known=counted is not None)
        told = sum(one.told for one in due)
        if not told:
            raise CouldNotTell("no sweep expired a session whose limit of a microsecond was over")
        return _Measured(grown, min(told, grown.rounds), counted)


def _sizes(trial: Trial) -> tuple[int, ...]:
    """Three sizes: as many sessions as the profile has elsewhere, or fewer."""
    largest = min(_LARGEST, trial.profile.sessions[-1] // 3)
    return (largest // 25, largest // 5, largest)


def _with_limits(trial: Trial, store: StoreUnderTest, size: int, until_s: float) -> Place:
    """So many sessions: half of them with a distant limit, a quarter ended, a quarter without."""
    claims, message, made = trial.claims, messages_of(trial), 0
    create = needs_create(claims, trial.capabilities)

    def steps(one: Any) -> Steps[None]:
        nonlocal made
        until = monotonic_s() + _CHUNK_S
        while made < size and monotonic_s() < until:
            limit_us = (_YEAR_US, _LEAST_US, _YEAR_US, None)[made % 4]
            yield from _session(one, f"stored-{made}", message(0), limit_us, trial, create=create)
            made += 1

    began = monotonic_s()
    while made < size and monotonic_s() < until_s:
        outcome = store.handle().lend(
            f"sessions up to {size:,}", lambda one, wait: driven(steps(one), wait)
        )
        value_of(trial, outcome, f"made {size:,} sessions with limits")
        if made < size and monotonic_s() - began > _FILL_MOST_S:
            raise CouldNotTell(f"{made:,} of {size:,} sessions were made in {_FILL_MOST_S:g} s")
    value_of(trial, lifetime.sweep(store.handle()), "swept")
    each_s = (monotonic_s() - began) / max(1, made)
    pace = f"{as_time(each_s * 1e6)} a session"
    return Place(made, store, [], 0, each_s, each_s, each_s / _CALLS * 1e6, pace)


def _session(
    store: Any, name: str, message: Any, limit_us: int | None, trial: Trial, *, create: bool
) -> Steps[None]:
    """A session of one message with this limit, or none."""
    session: Any = name
    if create:
        session = yield store.create(None if trial.claims.session_ids == "store" else name)
    yield store.append(session, [message])
    if limit_us is not None:
        with suppress(Refused):
            yield store.set_limits(session, idle_us=limit_us)


@dataclass
class _Due:
    """A filled store, and sweeps of it that find some sessions due; ``told`` counts these."""

    trial: Trial
    place: Place
    made: int = 0
    told: int = 0

    @property
    def run(self) -> Run:
        """Sweeps, each behind the making of what is due; the sweep alone is timed."""

        def run(number: int) -> Sequence[int]:
            did = f"swept at a size of {self.place.size:,}"
            times: Sequence[int] = value_of(
                self.trial,
                self.place.store.handle().lend(
                    did, lambda store, wait: self._times(store, wait, number)
                ),
                did,
            )
            return times

        return run

    def arm(self, store: Any, wait: Wait) -> None:
        """Make the sessions that are due next."""
        driven(self._making(store), wait)

    def _times(self, store: Any, wait: Wait, number: int) -> list[int]:
        times = []
        for _ in range(number):
            self.arm(store, wait)
            began = monotonic_ns()
            swept = waited(store.sweep(), wait)
            times.append(monotonic_ns() - began)
            self.told += bool(swept.expired)
        return times

    def _making(self, store: Any) -> Steps[None]:
        trial, message = self.trial, messages_of(self.trial)
        create = needs_create(trial.claims, trial.capabilities)
        for _ in range(_DUE):
            self.made += 1
            name = f"due-{self.made}"
            yield from _session(store, name, message(0), _LEAST_US, trial, create=create)


def _timed(trial: Trial, due: Sequence[_Due], *, known: bool) -> Growth:
    """The growth of a sweep's time, after so many rounds, or more where it is not sure.

    ``known``: its steps say that it is flat, so doubt needs no further rounds.
    """
    sizes = [one.place.size for one in due]
    arms = [Arm(f"sweep {one.place.size}", one.run) for one in due]
    costs, began = np.empty((0, len(sizes))), monotonic_s()
    most_s = _MOST_S if known else max(_MOST_S, trial.profile.patience_s)
    while True:
        seed = derive(trial.seed, "sweeps", len(costs)) % 2**32
        more = in_rounds(arms, _TURN, seed=seed, lend=_here).costs
        costs = np.concatenate([costs, np.column_stack([more[arm.name] for arm in arms])])
        grown = growth("sweep", "sessions", sizes, costs, seed=seed)
        sure = (known or grown.verdict != "undecided") and grown.rounds >= trial.guarantee.least
        spent_s = monotonic_s() - began
        if (sure and len(costs) >= _ROUNDS) or len(costs) >= _ROUNDS_MOST or spent_s > most_s:
            return grown


def _here(turn: Callable[[], None]) -> None:
    """Each arm goes to the thread of its own handle itself; times are taken there."""
    turn()


def _counted(trial: Trial, due: Sequence[_Due]) -> _Counted | None:
    """Steps of a sweep at each size; None where none can be seen.

    The places are closed and opened again for it, as a trace must see a connection open.
    """
    if is_hosted(trial.store) or not trial.claims.at_least("durability", "process"):
        return None
    traces = []
    for one in due:
        with traced(steps=True) as trace:
            try:
                seen = _traced(trial, one, trace)
            except CannotOpen:  # which other rows judge
                return None
            finally:
                one.place.store.close()  # what was set on its connections goes with them
        if seen is None or not seen.steps:
            return None
        traces.append(seen)
    return _Counted(tuple(one.place.size for one in due), tuple(traces))


def _traced(trial: Trial, due: _Due, trace: Trace) -> Traced | None:
    """The sweep with the fewest steps of a few that expired what was due."""
    due.place.store.close()
    handle, seen = due.place.store.handle(), []
    for _ in range(_TRIES):
        value_of(trial, handle.lend("what is due next", due.arm), "made sessions with limits")
        made = trace.during(lambda: lifetime.sweep(handle))
        trial.require_ok(made.outcome, "swept")
        if len(made.outcome.value.expired) == _DUE:
            seen.append(made)
    return min(seen, key=lambda one: one.steps or 0, default=None)


def _tell_steps(trial: Trial, counted: _Counted) -> None:
    """Raise Broken, with the statement that takes most of the steps."""
    dearest = max(counted.traces[-1].statements, key=lambda one: one.steps)
    numbers = [
        f"{steps:,} among {size:,}"
        for size, steps in zip(counted.sizes, counted.steps, strict=True)
    ]
    setting = setting_of(trial)
    _tell(
        trial,
        Anomaly.SCAN,
        f"steps of SQLite's machine for a sweep, of sessions: {', '.join(numbers)}; "
        f"{dearest.steps:,} of them by {' '.join(dearest.text.split())[:_STATEMENT_MOST]}",
        [] if setting is None else step_lines(replace(setting, clock=None), _DUE),
    )


def _tell_times(trial: Trial, found: _Measured, again: _Measured) -> None:
    """Raise Broken, with both measurements."""
    one, setting = found.growth, setting_of(trial)
    costs = ", ".join(
        f"{as_time(cost)} among {size:,}" for size, cost in zip(one.sizes, one.cost_us, strict=True)
    )
    _tell(
        trial,
        Anomaly.GROWTH,
        f"a sweep takes {costs}: {_how(found)}, the second time {_how(again)}",
        [] if setting is None else time_lines(replace(setting, clock=None), _DUE),
    )


def _tell(trial: Trial, anomaly: Anomaly, seen: str, script: Sequence[str]) -> None:
    trial.require(
        False,
        anomaly,
        did=f"swept among ever more sessions, of which {_DUE} were due each time",
        expected="a sweep costs what it expires, however many sessions are stored",
        seen=seen,
        script=script,
    )


def _how(found: _Measured) -> str:
    one = found.growth
    return f"sessions^{one.slope:.2f} ({one.low:.2f} to {one.high:.2f})"
