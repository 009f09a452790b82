"""What a sweep costs among ever more sessions of which always the same number is due.

Where SQLite's machine can be seen at work its steps are counted: they are the same on any machine.
Times are measured everywhere, in rounds in which the sizes take turns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from sessionproof.bench.growth import FLAT, growth
from sessionproof.bench.loading import Steps, driven
from sessionproof.bench.rounds import Arm, Run, in_rounds, undisturbed
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_ns, monotonic_s
from sessionproof.contract.errors import Refused
from sessionproof.contract.measurements import Growth
from sessionproof.contract.operations import Outcome
from sessionproof.contract.seed import derive
from sessionproof.scripts.sweep_costs import by_limits, step_lines, time_lines
from sessionproof.trials.filled import Place, as_time, at_sizes, messages_of, value_of
from sessionproof.trials.lateness import is_late
from sessionproof.trials.limit_lines import setting_of
from sessionproof.trials.single import CouldNotTell, Trial
from sessionproof.trials.statements import Trace, Traced, traced
from sessionproof.workload import lifetime
from sessionproof.workload.awaiting import waited
from sessionproof.workload.crews import is_hosted
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.guard import CannotOpen, Handle, Wait
from sessionproof.workload.sessions import needs_create

DUE = 3
"""Sessions that are due at each sweep."""

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


@dataclass(frozen=True, kw_only=True)
class Way:
    """How sessions come to their end in a store, and are found then.

    ``stored(store, n)`` makes a session that is not due, ``due(store, n)`` one that is, by calls
    to the raw store. ``call`` is the call that finds what is due, ``ask`` the same of a guarded
    handle, ``told`` how many it says. ``verb`` and ``noun`` are the words for it. ``steps`` and
    ``times`` are lines that show steps, or times, that grow.
    """

    noun: str
    verb: str
    stored: Callable[[Any, int], Steps[None]]
    due: Callable[[Any, int], Steps[None]]
    call: Callable[[Any], Any]
    ask: Callable[[Handle], Outcome]
    told: Callable[[Any], int]
    steps: Callable[[], Sequence[str]]
    times: Callable[[], Sequence[str]]


def flat(trial: Trial) -> None:
    """Sweep at rising numbers of sessions; raises Broken, CouldNotTell."""
    flat_in(trial, _by_limits(trial))


def flat_in(trial: Trial, way: Way) -> None:
    """Find what is due at rising numbers of sessions; raises Broken, CouldNotTell."""
    found = _measured(trial, way)
    trial.measured.append(found.growth)
    trial.count(trial.guarantee.unit, found.told)
    if found.growth.verdict in ("flat", "undecided"):
        if found.growth.verdict == "undecided" and found.counted is None:
            raise CouldNotTell(
                f"flat is below sessions^{FLAT:g}, and this is not sure: {_how(found)}"
            )
        return
    if is_late(trial):
        raise CouldNotTell(f"{_how(found)} in one measurement, and no time for another")
    again = _measured(trial, way)
    if again.growth.verdict in ("flat", "undecided"):
        raise CouldNotTell(f"{_how(found)} in one measurement, and {_how(again)} in another")
    _tell_times(trial, way, found, again)


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


def _measured(trial: Trial, way: Way) -> _Measured:
    """Steps, then times; raises Broken where steps grow, CouldNotTell where nothing expires."""
    sizes = _sizes(trial)
    with at_sizes(trial, sizes, partial(_filled, way), []) as places:
        due = [_Due(trial, way, place) for place in places]
        counted = _counted(trial, due)  # before those that the rounds leave behind make them alike
        if counted is not None and counted.grows:
            _tell_steps(trial, way, counted)
        with undisturbed():
            grown = _timed(trial, way, due, known=counted is not None)
        told = sum(one.told for one in due)
        if not told:
            raise CouldNotTell(f"no {way.noun} expired a session whose limit was over")
        return _Measured(grown, min(told, grown.rounds), counted)


def _sizes(trial: Trial) -> tuple[int, ...]:
    """Three sizes: as many sessions as the profile has elsewhere, or fewer."""
    largest = min(_LARGEST, trial.profile.sessions[-1] // 3)
    return (largest // 25, largest // 5, largest)


def _by_limits(trial: Trial) -> Way:
    """Limits of sessions: half of the stored ones have a distant one, a quarter have ended."""
    message, setting = messages_of(trial), setting_of(trial)
    create = needs_create(trial.claims, trial.capabilities)
    plain = None if setting is None else by_limits(replace(setting, clock=None))

    def stored(store: Any, number: int) -> Steps[None]:
        limit_us = (_YEAR_US, _LEAST_US, _YEAR_US, None)[number % 4]
        name = f"stored-{number}"
        yield from _session(store, name, message(number), limit_us, trial, create=create)

    def due(store: Any, number: int) -> Steps[None]:
        yield from _session(
            store, f"due-{number}", message(number), _LEAST_US, trial, create=create
        )

    return Way(
        noun="sweep",
        verb="swept",
        stored=stored,
        due=due,
        call=lambda store: store.sweep(),
        ask=lifetime.sweep,
        told=lambda swept: len(swept.expired),
        steps=lambda: [] if plain is None else step_lines(plain, DUE),
        times=lambda: [] if plain is None else time_lines(plain, DUE),
    )


def _filled(way: Way, trial: Trial, store: StoreUnderTest, size: int, until_s: float) -> Place:
    """So many sessions, none of them due."""
    made = 0

    def steps(one: Any) -> Steps[None]:
        nonlocal made
        until = monotonic_s() + _CHUNK_S
        while made < size and monotonic_s() < until:
            yield from way.stored(one, made)
            made += 1

    began = monotonic_s()
    while made < size and monotonic_s() < until_s:
        outcome = store.handle().lend(
            f"sessions up to {size:,}", lambda one, wait: driven(steps(one), wait)
        )
        value_of(trial, outcome, f"made {size:,} sessions with limits")
        if made < size and monotonic_s() - began > _FILL_MOST_S:
            raise CouldNotTell(f"{made:,} of {size:,} sessions were made in {_FILL_MOST_S:g} s")
    value_of(trial, way.ask(store.handle()), way.verb)
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
    way: Way
    place: Place
    made: int = 0
    told: int = 0

    @property
    def run(self) -> Run:
        """Sweeps, each behind the making of what is due; the sweep alone is timed."""

        def run(number: int) -> Sequence[int]:
            did = f"{self.way.verb} at a size of {self.place.size:,}"
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
            found = waited(self.way.call(store), wait)
            times.append(monotonic_ns() - began)
            self.told += bool(self.way.told(found))
        return times

    def _making(self, store: Any) -> Steps[None]:
        for _ in range(DUE):
            self.made += 1
            yield from self.way.due(store, self.made)


def _timed(trial: Trial, way: Way, due: Sequence[_Due], *, known: bool) -> Growth:
    """The growth of the call's time, after so many rounds, or more where it is not sure.

    ``known``: its steps say that it is flat, so doubt needs no further rounds.
    """
    sizes = [one.place.size for one in due]
    arms = [Arm(f"{way.noun} {one.place.size}", one.run) for one in due]
    costs, began = np.empty((0, len(sizes))), monotonic_s()
    while True:
        seed = derive(trial.seed, "sweeps", len(costs)) % 2**32
        more = in_rounds(arms, _TURN, seed=seed, lend=_here).costs
        costs = np.concatenate([costs, np.column_stack([more[arm.name] for arm in arms])])
        grown = growth(way.noun, "sessions", sizes, costs, seed=seed)
        enough = grown.rounds >= trial.guarantee.least
        sure = (known or grown.verdict != "undecided") and enough
        most_s = _MOST_S if known and enough else max(_MOST_S, trial.profile.patience_s)
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
        made = trace.during(lambda: due.way.ask(handle))
        trial.require_ok(made.outcome, due.way.verb)
        if due.way.told(made.outcome.value) == DUE:
            seen.append(made)
    return min(seen, key=lambda one: one.steps or 0, default=None)


def _tell_steps(trial: Trial, way: Way, counted: _Counted) -> None:
    """Raise Broken, with the statement that takes most of the steps."""
    dearest = max(counted.traces[-1].statements, key=lambda one: one.steps)
    numbers = [
        f"{steps:,} among {size:,}"
        for size, steps in zip(counted.sizes, counted.steps, strict=True)
    ]
    _tell(
        trial,
        way,
        Anomaly.SCAN,
        f"steps of SQLite's machine for a {way.noun}, of sessions: {', '.join(numbers)}; "
        f"{dearest.steps:,} of them by {' '.join(dearest.text.split())[:_STATEMENT_MOST]}",
        way.steps(),
    )


def _tell_times(trial: Trial, way: Way, found: _Measured, again: _Measured) -> None:
    """Raise Broken, with both measurements."""
    one = found.growth
    costs = ", ".join(
        f"{as_time(cost)} among {size:,}" for size, cost in zip(one.sizes, one.cost_us, strict=True)
    )
    _tell(
        trial,
        way,
        Anomaly.GROWTH,
        f"a {way.noun} takes {costs}: {_how(found)}, the second time {_how(again)}",
        way.times(),
    )


def _tell(trial: Trial, way: Way, anomaly: Anomaly, seen: str, script: Sequence[str]) -> None:
    trial.require(
        False,
        anomaly,
        did=f"{way.verb} among ever more sessions, of which {DUE} were due each time",
        expected=f"a {way.noun} costs what it finds, however many sessions are stored",
        seen=seen,
        script=script,
    )


def _how(found: _Measured) -> str:
    one = found.growth
    return f"sessions^{one.slope:.2f} ({one.low:.2f} to {one.high:.2f})"
