"""Programs about users, judged: what the rows of users have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

from hypothesis.strategies import SearchStrategy

from sessionproof.checks.users import Judgement, UserFault, judged
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.lookup import StoreNotFound, find_store
from sessionproof.contract.operations import HANG
from sessionproof.contract.verdicts import Finding, Reproducer
from sessionproof.oracle.lifetime import Span
from sessionproof.scripts import users as scripts
from sessionproof.scripts.expressions import Unwritable
from sessionproof.scripts.lifetime import ClockOf, Times, told_us
from sessionproof.scripts.program import with_awaits
from sessionproof.trials.drawn import smallest
from sessionproof.trials.inputs import good_message
from sessionproof.trials.lateness import is_late
from sessionproof.trials.reopening import in_another_process
from sessionproof.trials.single import Broken, NotClaimed, Trial
from sessionproof.trials.timelines import BEGIN_US
from sessionproof.workload.guard import CannotOpen, Handle
from sessionproof.workload.schedules import DAY_US
from sessionproof.workload.sessions import needs_create
from sessionproof.workload.users import (
    COUNT,
    ELSEWHERE,
    GET,
    LIST,
    OWNED,
    READ,
    REOPEN,
    SEARCH,
    TABLES,
    WHOSE,
    Bench,
    Done,
    Step,
    usable,
)
from sessionproof.workload.users_asked import carried_out

Program: TypeAlias = Sequence[Step]
Count: TypeAlias = Callable[[Judgement], int]

_AGAIN = 3


@dataclass(frozen=True)
class _Shown:
    program: tuple[Step, ...]
    done: tuple[Done, ...]
    fault: UserFault
    began_us: int


class Accounts:
    """The programs of one trial. ``count`` says how much of its unit one was worth.

    Each begins later than all before it, as clocks go. ``zone`` is a TZ under which the trial is
    run, for the script alone.
    """

    def __init__(self, trial: Trial, count: Count, *, zone: str = "") -> None:
        self.trial = trial
        self.count = count
        self.zone = zone
        settable = "set_clock" in trial.capabilities
        self.elsewhere = is_found(trial)
        self.bench = Bench(
            trial.store, good_message(trial, "owned"), trial.capabilities,
            BEGIN_US if settable else None, self._another,
        )  # fmt: skip

    @property
    def settable(self) -> bool:
        """Whether the store's clock can be set."""
        return self.bench.began_us is not None

    def run(self, program: Program) -> None:
        """One program; raises Broken."""
        shown, judgement = self._judged(program)
        if shown is not None:
            raise self._broken(shown)
        self.trial.count(self.trial.guarantee.unit, self.count(judgement))

    def search(self, strategy: SearchStrategy[Program]) -> None:
        """Draw programs within the time share; raises Broken with the smallest that fails."""

        def counted(judgement: Judgement) -> None:
            self.trial.count(self.trial.guarantee.unit, self.count(judgement))
            self.trial.count("programs")

        found = smallest(self.trial, strategy, self._judged, counted)
        if found is not None:
            raise self._broken(found)

    def _another(self, by: str) -> Handle:
        store = self.trial.store
        if by == ELSEWHERE:
            return in_another_process(store.spec, store.location, store.deadlines)
        return store.another_handle()

    def _judged(
        self, program: Program, began_us: int | None = None
    ) -> tuple[_Shown | None, Judgement]:
        """What a program shows, begun at this time of the store's clock where it can be set."""
        if self.settable and began_us is not None:
            self.bench.began_us = began_us
        began = self.bench.began_us or 0
        asked = usable(program, self.trial.capabilities, self.trial.claims)
        asked = [step for step in asked if step.by != ELSEWHERE or self.elsewhere]
        try:
            done = carried_out(asked, self.bench, leave=partial(is_late, self.trial))
        except CannotOpen as error:
            failed = error.outcome()
            done = (Done(Step(REOPEN), Span(0, 0), failed),)
            self.trial.store.fresh_location()
        if self.settable:
            last = max((one.step.at_us for one in done), default=0)
            self.bench.began_us = began + last + DAY_US
        judgement = judged(done, self.trial.claims)
        if judgement.fault is None:
            return None, judgement
        needed = tuple(one.step for one in done[: judgement.fault.index + 1])
        return _Shown(needed, done, judgement.fault, began), judgement

    def _alone(self, shown: _Shown, program: Program) -> _Shown | None:
        self.trial.store.fresh_location()
        return self._judged(program, shown.began_us)[0]

    def _broken(self, shown: _Shown) -> Broken:
        repeats = None
        waits = not self.settable and any(step.at_us for step in shown.program)
        if shown.fault.anomaly != HANG and not waits:  # else each time costs the whole waiting
            again = [self._alone(shown, shown.program) for _ in range(_AGAIN)]
            failed = [one for one in again if one is not None]
            repeats = f"{len(failed)} of {_AGAIN}"
            if failed:
                shown = self._shorter(failed[0])
        fault, upto = shown.fault, shown.done[: shown.fault.index + 1]
        program = scripts.program_of(shown.done, fault)
        at_us = upto[-1].step.at_us
        when = f", {told_us(at_us)} after the first" if at_us else ""
        where = f" with TZ={self.zone}" if self.zone else ""
        finding = Finding(
            anomaly=fault.anomaly,
            did=f"{len(upto)} calls{where}, the last{when}: {program[-1]}",
            expected=fault.expected,
            seen=fault.seen,
            program=program,
            repeats=repeats,
            evidence=upto[-1].outcome.evidence,
        )
        return Broken(self._with_script(finding, shown))

    def _shorter(self, shown: _Shown) -> _Shown:
        """Without the steps that the fault does not need, each at the time that it had."""
        until = monotonic_s() + self.trial.profile.shrink_s
        for at in reversed(range(len(shown.program))):
            if at >= len(shown.program) or monotonic_s() > until:
                continue
            left = (*shown.program[:at], *shown.program[at + 1 :])
            shorter = self._alone(shown, left)
            if shorter is not None and shorter.fault.rule == shown.fault.rule:
                shown = replace(shorter, began_us=shown.began_us)
        return shown

    def _with_script(self, finding: Finding, shown: _Shown) -> Finding:
        trial = self.trial
        trial.store.close()  # whether closing is awaited is known only then
        clock: ClockOf = "machine"
        if self.settable:
            clock = "factory" if trial.store.spec.takes_clock else "method"
        times = Times(clock, shown.began_us, self.zone)
        creates = needs_create(trial.claims, trial.capabilities)
        try:
            lines = scripts.lines_of(
                shown.done, shown.fault, trial.claims, times, self.bench.sample, creates=creates
            )
            text = with_awaits("\n".join(lines), trial.store.awaited)
        except Unwritable as why:
            return replace(finding, reproducer=Reproducer(file="", said=f"no script: {why}"))
        return replace(finding, script=tuple(text.split("\n")))


def is_found(trial: Trial) -> bool:
    """Whether another process finds the store by its name."""
    try:
        find_store(trial.store.spec.name)
    except StoreNotFound:
        return False
    return True


def require(trial: Trial, *methods: str) -> None:
    """Raise NotClaimed for a store that lacks one of these."""
    missing = [name for name in methods if name not in trial.capabilities]
    if missing:
        raise NotClaimed(f"the store has no {', no '.join(missing)}")


def looks(users: Sequence[str], tokens: Sequence[str], sessions: Sequence[str]) -> list[Step]:
    """Everything that can be asked of these without changing anything but a token's activity."""
    return [
        *(Step(what, session=name) for name in sessions for what in (READ, GET, COUNT, SEARCH)),
        Step(LIST),
        *(Step(OWNED, user=user) for user in users),
        *(Step(WHOSE, key=token) for token in tokens),
        Step(TABLES),
    ]
