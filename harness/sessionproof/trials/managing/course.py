"""Programs of a manager's calls, judged: what its rows have in common.

Each program has a location of its own, as a manager counts and lists all sessions of one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial

from hypothesis.strategies import SearchStrategy

from sessionproof.checks.managing import Judgement, ManagerFault, judged
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.managing import ManagedSession
from sessionproof.contract.operations import HANG, Outcome
from sessionproof.contract.verdicts import Finding, Reproducer
from sessionproof.scripts import managing as scripts
from sessionproof.scripts.expressions import Unwritable
from sessionproof.scripts.lifetime import ClockOf, Times
from sessionproof.scripts.program import with_awaits
from sessionproof.trials.drawn import smallest
from sessionproof.trials.inputs import good_message
from sessionproof.trials.lateness import is_late
from sessionproof.trials.single import Broken, NotClaimed, Trial
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.guard import CannotOpen
from sessionproof.workload.managing import CREATE, REOPEN, Desk, Done, Step, Steps, ask, carried_out

BEGIN_US = 4_102_444_800_937_500
"""Within a second of 2100-01-01 UTC: later than any machine's clock, which a store may see."""

Judge = Callable[[tuple[Done, ...], Claims, int | None], Judgement]

_ANSWER_S = 20.0


@dataclass(frozen=True)
class _Shown:
    steps: Steps
    done: tuple[Done, ...]
    fault: ManagerFault


class Course:
    """The programs of one trial, on its store or another one.

    ``zone`` is a TZ under which it is run, for the script alone. ``again`` is how often a program
    that is wrong is run once more.
    """

    def __init__(
        self, trial: Trial, *, zone: str = "", store: StoreUnderTest | None = None, again: int = 3
    ) -> None:
        self.trial = trial
        self.zone = zone
        self._again = again
        self.store = store or trial.store
        settable = "set_clock" in trial.capabilities
        message = good_message(trial, "managed")
        self.desk = Desk(self.store, message, BEGIN_US if settable else None)

    @property
    def settable(self) -> bool:
        """Whether the store's clock can be set."""
        return self.desk.began_us is not None

    @property
    def step_us(self) -> int:
        """How much longer a session may live."""
        return self.trial.claims.access_step_us or 0

    def limit_us(self) -> int:
        """How long a session of this manager lives, as it says itself; raises Broken."""
        self.store.fresh_location()
        made = ask(self.store.handle(), CREATE)
        self.trial.require_ok(
            made, "manager.create_session()", ["store = open_store(location)",
            "store.manager('create_session', {})", "store.close()"],
        )  # fmt: skip
        assert isinstance(made.value, ManagedSession)
        return max(1, made.value.expires_at_us - made.value.last_accessed_us)

    def search(self, strategy: SearchStrategy[Steps], count: Callable[[Judgement], int]) -> None:
        """Draw programs within the time share; raises Broken with the smallest that is wrong.

        ``count`` says how much of the guarantee's unit one was worth.
        """
        late = partial(is_late, self.trial)
        counted = partial(self._count, count=count)
        found = smallest(self.trial, strategy, self._judged, counted, late=late)
        if found is not None:
            raise self._broken(found)

    def run(self, steps: Steps, count: Callable[[Judgement], int] = lambda _: 0) -> None:
        """One program; raises Broken."""
        seen, judgement = self._judged(steps)
        if seen is not None:
            raise self._broken(seen)
        self._count(judgement, count)

    def _count(self, judgement: Judgement, count: Callable[[Judgement], int]) -> None:
        self.trial.count(self.trial.guarantee.unit, count(judgement))
        self.trial.count("programs")

    def _judged(self, steps: Steps) -> tuple[_Shown | None, Judgement]:
        self.store.fresh_location()
        try:
            done = carried_out(steps, self.desk)
        except CannotOpen as error:
            failed = error.outcome()
            done = (Done(Step(0, REOPEN), failed),)
        judgement = judged(done, self.trial.claims, self.desk.began_us)
        fault = judgement.fault
        return None if fault is None else _Shown(steps, done, fault), judgement

    def _broken(self, seen: _Shown) -> Broken:
        repeats = None
        if seen.fault.anomaly != HANG:
            again = [self._judged(seen.steps)[0] for _ in range(self._again)]
            failed = [one for one in again if one is not None]
            repeats = f"{len(failed)} of {self._again}"
            if failed:
                seen = self._shorter(failed[0])
        fault, upto = seen.fault, seen.done[: seen.fault.index + 1]
        where = f" with TZ={self.zone}" if self.zone else ""
        finding = Finding(
            anomaly=fault.anomaly,
            did=f"{len(upto)} calls{where}, the last: {scripts.shown(upto[-1].step)}",
            expected=fault.expected,
            seen=fault.seen,
            program=scripts.program_of(seen.done, fault),
            repeats=repeats,
            evidence=upto[-1].outcome.evidence,
        )
        return Broken(self._with_script(finding, seen))

    def _shorter(self, seen: _Shown) -> _Shown:
        """Without the steps that the fault does not need, each at the time that it had."""
        until = monotonic_s() + self.trial.profile.shrink_s
        for name in sorted({step.session for step in seen.steps} - {""}):
            mine = {at for at, step in enumerate(seen.steps) if step.session == name}
            seen = self._without(seen, mine) if monotonic_s() < until else seen
        for at in reversed(range(len(seen.steps))):
            if at < len(seen.steps) and monotonic_s() < until:
                seen = self._without(seen, {at})
        return seen

    def _without(self, seen: _Shown, left_out: Collection[int]) -> _Shown:
        """Without these steps, if it fails in the same way."""
        left = tuple(step for at, step in enumerate(seen.steps) if at not in left_out)
        shorter = self._judged(left)[0] if left else None
        same = shorter is not None and shorter.fault.anomaly == seen.fault.anomaly
        return shorter if shorter is not None and same else seen

    def _with_script(self, finding: Finding, seen: _Shown) -> Finding:
        trial = self.trial
        self.store.close()  # whether closing is awaited is known only then
        answer_s = min(_ANSWER_S, trial.store.deadlines.operation_s)
        try:
            lines = scripts.lines_of(
                seen.done, seen.fault, self.desk.message, times_of(trial, self.desk, self.zone),
                answer_s=answer_s,
            )  # fmt: skip
            text = with_awaits("\n".join(lines), trial.store.awaited)
        except Unwritable as why:
            return replace(finding, reproducer=Reproducer(file="", said=f"no script: {why}"))
        return replace(finding, script=tuple(text.split("\n")))


def times_of(trial: Trial, desk: Desk, zone: str = "") -> Times:
    """How a script of this trial makes time go by."""
    clock: ClockOf = "machine"
    if desk.began_us is not None:
        clock = "factory" if trial.store.spec.takes_clock else "method"
    return Times(clock, desk.began_us or 0, zone)


def require_clock(trial: Trial) -> None:
    """Raise NotClaimed for a store whose clock cannot be set: nobody waits half an hour."""
    if "set_clock" not in trial.capabilities:
        raise NotClaimed("its clock cannot be set: it takes none, and has no set_clock")


def anomaly_of(outcome: Outcome) -> Anomaly:
    """The name of what a failed call shows, where it had to succeed."""
    failure = outcome.failure
    special = failure is not None and failure.type in tuple(Anomaly)
    return Anomaly(failure.type) if special and failure else Anomaly.UNEXPECTED_REFUSAL
