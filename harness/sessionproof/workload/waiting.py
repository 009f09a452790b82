"""Timelines for stores that have the machine's clock alone: many sessions wait at once.

Their times are far from the sessions' ends. How far they were is measured when they are done.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from sessionproof.contract.claims import Claims
from sessionproof.workload.timelines import BEGIN, LIMITS, SWEEP, Step, Timeline

_SESSIONS = 12
_OVER = 1.4  # of a limit: when a session is looked at that should have ended
_SWEEPS = 40  # in the time of a limit


def idle(_claims: Claims, capabilities: Collection[str], limit_us: int) -> Timeline:
    """Sessions that are kept alive twice, and then are not."""
    kept = [int(limit_us * part) for part in (0.5, 1.1)]
    after = int(limit_us * (1.1 + _OVER))
    return _each(
        capabilities,
        [Step(0, LIMITS, idle_us=limit_us), *(Step(at, "append") for at in kept)],
        swept_at=after,
        then=[Step(after, "append")],
    )


def hard(claims: Claims, capabilities: Collection[str], limit_us: int) -> Timeline:
    """Sessions that are busy until their hard limit comes, and go on."""
    kind = "touch" if "touch" in claims.activity & {*capabilities} else "append"
    busy = [int(limit_us * part) for part in (0.25, 0.5, 0.75)]
    after = int(limit_us * _OVER)
    return _each(
        capabilities,
        [Step(0, LIMITS, "", limit_us, limit_us), *(Step(at, kind) for at in busy)],
        swept_at=after,
        then=[Step(after, "append")],
    )


def ended(_claims: Claims, capabilities: Collection[str], limit_us: int) -> Timeline:
    """Sessions that ended, and are asked."""
    after = int(limit_us * _OVER)
    asked = ["append", "read", *(["touch"] if "touch" in capabilities else []), "append", "read"]
    return _each(
        capabilities,
        [Step(0, LIMITS, idle_us=limit_us)],
        swept_at=after,
        then=[Step(after, one) for one in asked],
    )


def swept_often(_claims: Claims, capabilities: Collection[str], limit_us: int) -> Timeline:
    """Sweeps come all the time, before a message and after it, until all have ended."""
    last = int(limit_us * (0.6 + _OVER))
    sweeps = [Step(at, SWEEP) for at in range(0, last, limit_us // _SWEEPS)]
    waiting = _each(
        capabilities,
        [Step(0, LIMITS, idle_us=limit_us), Step(int(limit_us * 0.6), "append")],
        swept_at=last,
    )
    return _in_order([*waiting, *sweeps])


def _each(
    capabilities: Collection[str],
    asked: Sequence[Step],
    *,
    swept_at: int,
    then: Sequence[Step] = (),
) -> Timeline:
    """The same of all sessions: what is asked before a sweep, where there is one, and after it."""
    names = [f"s{at}" for at in range(_SESSIONS)]
    steps = [Step(0, BEGIN, name) for name in names]
    steps += [replace(step, session=name) for step in asked for name in names]
    steps += [Step(swept_at, SWEEP)] if SWEEP in capabilities else []
    steps += [replace(step, session=name) for step in then for name in names]
    return _in_order(steps)


def _in_order(steps: Sequence[Step]) -> Timeline:
    return tuple(sorted(steps, key=lambda step: step.at_us))


def activity(
    asked: Sequence[str], _claims: Claims, capabilities: Collection[str], limit_us: int
) -> Timeline:
    """A session for each method: it is asked at half of the limit; a message comes after the limit.

    The message comes well before the end of a session that was kept alive.
    """
    steps = []
    for at, method in enumerate(asked):
        name = f"s{at}"
        steps += [Step(0, BEGIN, name), Step(0, LIMITS, name, limit_us)]
        steps.append(Step(limit_us // 2, method, "" if method == SWEEP else name))
    after = limit_us * 5 // 4
    steps += [Step(after, SWEEP)] if SWEEP in capabilities else []
    steps += [Step(after, "append", f"s{at}") for at in range(len(asked))]
    return _in_order(steps)
