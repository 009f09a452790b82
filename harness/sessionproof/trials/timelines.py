"""Timelines of sessions with limits, judged: what the rows of limits have in common."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

from sessionproof.checks.timelines import Judgement, Kind, TimeFault, judged
from sessionproof.contract.claims import Claims
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.operations import HANG
from sessionproof.contract.verdicts import Finding, Reproducer
from sessionproof.oracle.lifetime import Span
from sessionproof.scripts import lifetime as scripts
from sessionproof.scripts.expressions import Unwritable
from sessionproof.scripts.lifetime import ClockOf, Times
from sessionproof.scripts.program import with_awaits
from sessionproof.trials.drawn import smallest
from sessionproof.trials.inputs import good_message
from sessionproof.trials.lateness import is_late
from sessionproof.trials.single import Broken, NotClaimed, Trial
from sessionproof.workload.guard import CannotOpen
from sessionproof.workload.schedules import DAY_US, Strategy
from sessionproof.workload.sessions import needs_create
from sessionproof.workload.timelines import Bench, Done, Step, Timeline, carried_out

BEGIN_US = 4_102_444_800_000_000
"""2100-01-01 UTC: later than any machine's clock, which a store may see while it opens."""

Waits: TypeAlias = Callable[[Claims, Collection[str], int], Timeline]
"""A timeline by the machine's clock, of sessions with about this limit in microseconds."""

Judge: TypeAlias = Callable[[Sequence[Done], Claims], Judgement]

_AGAIN = 3


@dataclass(frozen=True)
class _Shown:
    timeline: Timeline
    done: tuple[Done, ...]
    fault: TimeFault
    began_us: int


class Timed:
    """The timelines of one trial. Each begins later than all before it, as clocks go.

    Faults of these kinds are looked for, or those that ``judge`` finds. ``zone`` is a TZ under
    which the trial is run, for the script alone.
    """

    def __init__(
        self,
        trial: Trial,
        kinds: Collection[Kind] = (),
        *,
        zone: str = "",
        judge: Judge | None = None,
    ) -> None:
        self.trial = trial
        self.judge = judge or partial(judged, kinds=frozenset(kinds))
        self.zone = zone
        settable = "set_clock" in trial.capabilities
        sample = good_message(trial, "limit")
        self.bench = Bench(trial.store, sample, trial.capabilities, BEGIN_US if settable else None)

    @property
    def settable(self) -> bool:
        """Whether the store's clock can be set."""
        return self.bench.began_us is not None

    def search(self, strategy: Strategy, count: Callable[[Judgement], int]) -> None:
        """Draw timelines within the time share; raises Broken with the smallest that shows a fault.

        ``count`` says how much of the guarantee's unit one was worth.
        """

        def counted(judgement: Judgement) -> None:
            self.trial.count(self.trial.guarantee.unit, count(judgement))
            self.trial.count("timelines")

        each = partial(self._judged, leave=partial(is_late, self.trial))
        found = smallest(self.trial, strategy, each, counted)
        if found is not None:
            raise self._broken(found)

    def run(
        self,
        timeline: Timeline,
        *,
        began_us: int | None = None,
        leave: Callable[[], bool] | None = None,
    ) -> Judgement:
        """One timeline; raises Broken. ``began_us`` is when it begins on the store's clock.

        It is left when ``leave`` says so: when it is late, unless given.
        """
        late = partial(is_late, self.trial) if leave is None else leave
        shown, judgement = self._judged(timeline, began_us, leave=late)
        if shown is not None:
            raise self._broken(shown)
        return judgement

    def _judged(
        self,
        timeline: Timeline,
        began_us: int | None = None,
        *,
        leave: Callable[[], bool] = lambda: False,
    ) -> tuple[_Shown | None, Judgement]:
        if self.settable and began_us is not None:
            self.bench.began_us = began_us
        began = self.bench.began_us or 0
        try:
            done = carried_out(timeline, self.bench, leave=leave)
        except CannotOpen as error:
            failed = error.outcome()
            done = (Done(Step(0, "reopen"), Span(0, 0), failed),)
            self.trial.store.fresh_location()
        if self.settable:
            last = max((one.step.at_us for one in done), default=0)
            self.bench.began_us = began + last + DAY_US
        judgement = self.judge(done, self.trial.claims)
        if judgement.fault is None:
            return None, judgement
        return _Shown(timeline, done, judgement.fault, began), judgement

    def _alone(self, shown: _Shown, timeline: Timeline) -> _Shown | None:
        self.trial.store.fresh_location()
        return self._judged(timeline, shown.began_us)[0]

    def _broken(self, shown: _Shown) -> Broken:
        repeats = None
        if shown.fault.anomaly != HANG and self.settable:
            again = [self._alone(shown, shown.timeline) for _ in range(_AGAIN)]
            failed = [one for one in again if one is not None]
            repeats = f"{len(failed)} of {_AGAIN}"
            if failed:
                shown = self._shorter(failed[0])
        elif shown.fault.anomaly != HANG:  # each time costs the whole waiting
            mine = ("", shown.fault.session)
            others = [at for at, step in enumerate(shown.timeline) if step.session not in mine]
            shown = self._without(shown, others)
        fault, done = shown.fault, shown.done
        upto = done[: fault.index + 1]
        finding = Finding(
            anomaly=fault.anomaly,
            did=f"{len(upto)} steps {self._where}, the last at "
            f"{scripts.told_us(upto[-1].step.at_us)}: {upto[-1].step.method}",
            expected=fault.expected,
            seen=fault.seen,
            program=scripts.program_of(done, fault),
            repeats=repeats,
            evidence=upto[-1].outcome.evidence,
        )
        return Broken(self._with_script(finding, shown))

    def _shorter(self, shown: _Shown) -> _Shown:
        """Without the steps that the fault does not need, each at the time that it had."""
        until = monotonic_s() + self.trial.profile.shrink_s
        names = sorted({step.session for step in shown.timeline} - {"", shown.fault.session})
        for name in names:
            shown = self._without(shown, {at for at, step in enumerate(shown.timeline)
                                          if step.session == name})  # fmt: skip
        for at in reversed(range(len(shown.timeline))):
            if at < len(shown.timeline) and monotonic_s() < until:
                shown = self._without(shown, {at})
        return shown

    def _without(self, shown: _Shown, left_out: Collection[int]) -> _Shown:
        """Without these steps, if it fails in the same way."""
        left = tuple(step for at, step in enumerate(shown.timeline) if at not in left_out)
        shorter = self._alone(shown, left) if _is_whole(left) else None
        same = shorter is not None and shorter.fault.rule == shown.fault.rule
        return shorter if shorter is not None and same else shown

    @property
    def _where(self) -> str:
        clock = "on the store's clock" if self.settable else "by the machine's clock"
        return f"{clock} with TZ={self.zone}" if self.zone else clock

    def _with_script(self, finding: Finding, shown: _Shown) -> Finding:
        trial = self.trial
        trial.store.close()  # whether closing is awaited is known only then
        clock: ClockOf = "machine"
        if self.settable:
            clock = "factory" if trial.store.spec.takes_clock else "method"
        times = Times(clock, shown.began_us, self.zone)
        creates = needs_create(trial.claims, trial.capabilities)
        try:
            lines = scripts.lines_of(shown.done, shown.fault, trial.claims, times, creates=creates)
            text = with_awaits("\n".join(lines), trial.store.awaited)
        except Unwritable as why:
            return replace(finding, reproducer=Reproducer(file="", said=f"no script: {why}"))
        return replace(finding, script=tuple(text.split("\n")))


def _is_whole(timeline: Sequence[Step]) -> bool:
    """Whether each step's session is begun before it."""
    begun = {""}
    for step in timeline:
        if step.method == "begin":
            begun.add(step.session)
        elif step.session not in begun:
            return False
    return True


def require_ends(trial: Trial) -> None:
    """Raise NotClaimed for a store in which nothing shows that a session has ended."""
    if trial.claims.expires == "by_sweep" and "sweep" not in trial.capabilities:
        raise NotClaimed("its sessions end by sweeps, and it has no sweep")


_WAITED_US = (500_000, 1_000_000, 2_000_000)  # limits of stores that have the machine's clock
_LATE_S = 15.0  # by which a timeline may be late: then the store is too slow for it


def waited(timed: Timed, made: Waits) -> None:
    """Longer and longer limits by the machine's clock, until enough was seen; raises Broken.

    A call that came late on a busy machine proves nothing, and is no evidence either.
    """
    trial = timed.trial
    unit = trial.guarantee.unit
    for limit_us in _WAITED_US:
        timeline = made(trial.claims, trial.capabilities, limit_us)
        until_s = monotonic_s() + timeline[-1].at_us / 1e6 + _LATE_S
        seen = timed.run(timeline, leave=lambda until_s=until_s: monotonic_s() > until_s)  # type: ignore[misc]
        trial.count(unit, seen.warnings if unit == "warnings" else seen.ended)
        if trial.examined[unit] >= trial.guarantee.least or trial.time_is_up():
            return
