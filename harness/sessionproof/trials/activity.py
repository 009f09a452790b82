"""What keeps a session alive: what the store says, and nothing else."""

from __future__ import annotations

from functools import partial

from sessionproof.checks.timelines import ENDS
from sessionproof.contract.claims import ACTIVITY
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.seed import generator
from sessionproof.trials.single import Trial
from sessionproof.trials.timelines import Timed, require_ends, waited
from sessionproof.workload import waiting
from sessionproof.workload.schedules import DAY_US, MINUTE_US, emptied
from sessionproof.workload.timelines import BEGIN, LIMITS, SWEEP, Step, Timeline

_BESIDE = ("list", "verify", SWEEP)  # of no session, so they keep none alive


def declared(trial: Trial) -> None:
    """TMO-03: each method alone, at a time that decides; raises Broken."""
    require_ends(trial)
    timed = Timed(trial, ENDS)
    asked = _asked(trial)
    if not timed.settable:
        waited(timed, partial(waiting.activity, asked))
        return
    random = generator(trial.seed, "activity")
    limit_us = 30 * MINUTE_US
    while True:
        for method in trial.within_time(asked):
            for timeline in _alone(trial, method, limit_us, random.randrange(1, limit_us)):
                timed.run(timeline)
            trial.count("activities")
        timed.run(_neighbours(trial, limit_us))
        if trial.enough(monotonic_s() - trial.started_s):
            return
        limit_us = random.randrange(10, DAY_US)


def _asked(trial: Trial) -> list[str]:
    """The methods that the store has, those that change least first."""
    could = {*ACTIVITY, "append_with_state", *_BESIDE} - emptied(trial.claims)
    known = sorted(could & {*trial.capabilities})
    return ["append", "read", *known, LIMITS]


def _alone(trial: Trial, method: str, limit_us: int, at: int) -> list[Timeline]:
    """The method in the midst of a limit; then a message at a time that shows what it was.

    A microsecond before the session's end, and at it.
    """
    if method == LIMITS:
        asked = Step(at, LIMITS, "s0", limit_us)
    else:
        asked = Step(at, method, "" if method in _BESIDE and method != "list" else "s0")
    begun = [Step(0, BEGIN, "s0"), Step(0, LIMITS, "s0", limit_us), asked]
    sweeps = SWEEP in trial.capabilities
    counts = method == LIMITS or method.removesuffix("_with_state") in trial.claims.activity
    end = limit_us + (at if counts else 0)
    return [
        (*begun, *([Step(late, SWEEP)] if sweeps else []), Step(late, "append", "s0"))
        for late in (end - 1, end)
    ]


def _neighbours(trial: Trial, limit_us: int) -> Timeline:
    """Two sessions of which one is busy: the other one ends all the same."""
    both = [Step(0, method, name, limit_us if method == LIMITS else None)
            for name in ("s0", "s1") for method in (BEGIN, LIMITS)]  # fmt: skip
    sweeps = [Step(limit_us, SWEEP)] if SWEEP in trial.capabilities else []
    return (
        *both,
        Step(limit_us // 2, "append", "s1"),
        *sweeps,
        Step(limit_us, "append", "s0"),
        Step(limit_us, "append", "s1"),
    )
