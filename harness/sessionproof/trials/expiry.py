"""Limits that run out: idle ones, hard ones, the warning before, and what is refused after."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import strategies as st

from sessionproof.checks.timelines import ENDS
from sessionproof.trials.single import Trial
from sessionproof.trials.timelines import Timed, require_ends, waited
from sessionproof.workload import waiting
from sessionproof.workload.schedules import (
    DAY_US,
    HOUR_US,
    MINUTE_US,
    SECOND_US,
    Limited,
    Move,
    laid_out,
    limits_us,
    methods,
    moves_of,
    timelines,
)
from sessionproof.workload.timelines import BEGIN, LIMITS, SWEEP, Step, Timeline

_USUAL = (30 * MINUTE_US, 1, 2, SECOND_US - 1, SECOND_US, HOUR_US + 1, DAY_US)
_LATE = st.sampled_from((0, 0, 1, HOUR_US))  # after the session began, limits are set


def idle(trial: Trial) -> None:
    """TMO-01: a session lives until its idle limit and not longer; raises Broken."""
    require_ends(trial)
    timed = Timed(trial, ENDS)
    if not timed.settable:
        waited(timed, waiting.idle)
        return
    refused = st.sampled_from(((), (), (), (0,), (-1,), (-HOUR_US, 0)))
    limit = st.one_of(
        st.builds(Limited, limits_us(*_USUAL), st.none(), _LATE, refused),
        st.builds(Limited, limits_us(*_USUAL), st.none(), _LATE, refused),
        st.just(Limited()),
    )
    sessions = st.lists(limit, min_size=1, max_size=3)
    asked = methods(trial.capabilities, trial.claims)
    given = (Limited(30 * MINUTE_US), Limited(), Limited(DAY_US), Limited(DAY_US))
    each = [Move(name, at % len(given), parts=1) for at, name in enumerate(asked)]
    seen = timed.run(laid_out(given, each, trial.claims, trial.capabilities))
    trial.count("limits", seen.ended)
    moves = moves_of(asked, sessions=3, most=10)
    timed.search(
        timelines(sessions, moves, trial.claims, trial.capabilities), lambda seen: seen.ended
    )


def hard(trial: Trial) -> None:
    """TMO-02: the hard limit comes, whatever the session does; raises Broken."""
    require_ends(trial)
    timed = Timed(trial, ENDS)
    if not timed.settable:
        waited(timed, waiting.hard)
        return
    limit = st.builds(
        lambda hard_us, part, late_us: Limited(
            None if part is None else hard_us // part + 1, hard_us, late_us
        ),
        limits_us(*_USUAL),
        st.sampled_from((None, 1, 2, 7)),
        _LATE,
    )
    sessions = st.lists(limit, min_size=1, max_size=2)
    busy = [name for name in methods(trial.capabilities, trial.claims)
            if name in trial.claims.activity | {SWEEP, "append"}]  # fmt: skip
    moves = moves_of(busy, sessions=2, most=10)
    timed.search(
        timelines(sessions, moves, trial.claims, trial.capabilities), lambda seen: seen.ended
    )


def warned(trial: Trial) -> None:
    """TMO-04: one warning before the end, and another after new activity; raises Broken."""
    timed = Timed(trial, {"warning"})
    if not timed.settable:
        waited(timed, waiting.swept_often)
        return
    some = st.integers(SECOND_US, DAY_US)
    limit = st.one_of(
        st.builds(Limited, some),
        st.builds(Limited, st.none(), some),
        st.builds(Limited, some, some),
        st.just(Limited()),
    )
    lived = st.lists(st.tuples(limit, st.lists(st.booleans(), max_size=3)), min_size=1, max_size=2)
    timed.search(lived.map(lambda given: _warnings(trial, given)), lambda seen: seen.warnings)


def refused(trial: Trial) -> None:
    """TMO-05: what has ended takes nothing, and reads as claimed; raises Broken."""
    require_ends(trial)
    timed = Timed(trial, {"late", "unclear", "content"})
    if not timed.settable:
        waited(timed, waiting.ended)
        return
    could = ("touch", "get", "read_last", "page", "count", SWEEP)
    asked = ["read", "append", *(name for name in could if name in trial.capabilities)]
    after = st.lists(st.sampled_from(asked), max_size=6)
    limit = st.one_of(
        st.builds(Limited, limits_us(*_USUAL)), st.builds(Limited, st.none(), limits_us(*_USUAL))
    )
    late = st.sampled_from((0, 1, SECOND_US, 400 * DAY_US))
    timed.search(
        st.builds(lambda given, far, then: _ended(trial, given, far, then), limit, late, after),
        lambda seen: seen.ended,
    )


def _warnings(trial: Trial, given: list[tuple[Limited, list[bool]]]) -> Timeline:
    """Sessions one after the other, each swept ever closer to its end, several times over.

    Each round of sweeps ends a microsecond before the session's end; then it is kept alive by a
    message, or a touch where that is drawn.
    """
    steps: list[Step] = []
    now = 0
    for at, (limit, rounds) in enumerate(given):
        name = f"s{at}"
        steps += [Step(now, BEGIN, name), Step(now, LIMITS, name, limit.idle_us, limit.hard_us)]
        hard = None if limit.hard_us is None else now + limit.hard_us
        for touches in [*rounds, None]:
            ends = [] if limit.idle_us is None else [now + limit.idle_us]
            end = min([*ends, *([] if hard is None else [hard])], default=now + DAY_US)
            steps += [Step(end - left, SWEEP) for left in _closer(end - now)]
            if touches is None or end == hard:
                steps += [Step(end, SWEEP), Step(end + 1, SWEEP)]
                now = end + 1
                break
            now = end - 1
            can_touch = "touch" in trial.capabilities & trial.claims.activity
            steps.append(Step(now, "touch" if touches and can_touch else "append", name))
            steps.append(Step(now, SWEEP))
    return tuple(steps)


def _closer(limit_us: int) -> Iterator[int]:
    """How long before an end sweeps come: all of the limit, then ever less, at last a microsecond.

    Twice at each time: a warning is given once.
    """
    left = limit_us
    while left > 1:
        yield from (left, left)
        left //= 3
    yield from (1, 1)


def _ended(trial: Trial, given: Limited, far_us: int, then: list[str]) -> Timeline:
    """A session beyond its end: swept where it has to be, then asked."""
    limit = given.idle_us or given.hard_us or 1
    end, name = limit + far_us, "s0"
    steps = [Step(0, BEGIN, name), Step(0, LIMITS, name, given.idle_us, given.hard_us)]
    if trial.claims.expires == "by_sweep":
        steps.append(Step(end, SWEEP))
    steps += [Step(end, one, "" if one == SWEEP else name) for one in [*then, "append", "read"]]
    return tuple(steps)
