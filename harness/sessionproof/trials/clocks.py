"""Clocks that step back and leap, and zones in which the process lives: times are times.

A store that keeps local times shows it where the process has a zone, so the trial goes through
some: a handle is opened in each. What a zone's rules are is written out, so no data base of zones
is needed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from sessionproof.checks.timelines import ENDS
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.seed import generator
from sessionproof.trials.single import Trial
from sessionproof.trials.timelines import Timed, require_ends
from sessionproof.workload.schedules import (
    DAY_US,
    HOUR_US,
    MINUTE_US,
    SECOND_US,
    Limited,
    Move,
    laid_out,
    limits_us,
    timelines,
)
from sessionproof.workload.timelines import BEGIN

ZONES = {
    "Berlin": "CET-1CEST,M3.5.0,M10.5.0/3",
    "Tokyo": "JST-9",
    "New York": "EST5EDT,M3.2.0,M11.1.0",
    "Lord Howe": "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",  # summer is half an hour
    "Greenwich": "UTC0",
}
"""Names to what TZ is set to."""

NIGHTS = {
    "Berlin": (datetime(2027, 3, 28, 1, tzinfo=UTC), datetime(2027, 10, 31, 1, tzinfo=UTC)),
    "New York": (datetime(2027, 3, 14, 7, tzinfo=UTC), datetime(2027, 11, 7, 6, tzinfo=UTC)),
    "Lord Howe": (datetime(2027, 4, 3, 15, tzinfo=UTC), datetime(2027, 10, 2, 15, 30, tzinfo=UTC)),
}
"""When the clocks of a zone are changed."""

MOMENTS = (
    datetime(2027, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2028, 2, 28, 23, 50, tzinfo=UTC),  # and then the 29th
    datetime(2028, 2, 29, 23, 50, tzinfo=UTC),
    datetime(2038, 1, 19, 3, 14, 7, tzinfo=UTC),  # the last second of 31 bits
    datetime(2100, 2, 28, 23, 50, tzinfo=UTC),  # no leap year
    datetime(2106, 2, 7, 6, 28, 15, tzinfo=UTC),  # the last second of 32 bits
)
"""Times at which calendars do something everywhere."""

_LIMITS_US = (20 * MINUTE_US, 45 * MINUTE_US, HOUR_US, 90 * MINUTE_US, DAY_US)
_BEFORE_US = 30 * MINUTE_US
_LEAPS_US = (SECOND_US, HOUR_US, 9 * HOUR_US, DAY_US, 365 * DAY_US, 366 * DAY_US)
_EXAMPLES = (
    (Move("read", by_us=HOUR_US + 1),),  # a whole second is the end, and a fraction is now
    (Move("read", by_us=366 * DAY_US),),
    (Move("read", by_us=-HOUR_US),),
    (Move("read", by_us=366 * DAY_US), Move("read", by_us=-366 * DAY_US), Move(BEGIN)),
    (Move("append", by_us=-HOUR_US),),  # a store may look at its clock only where it must
    (Move("append", by_us=366 * DAY_US), Move("append", by_us=-366 * DAY_US), Move(BEGIN)),
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def steps(trial: Trial) -> None:
    """TMO-08: what is due by the clock ends, whatever the clock does; raises Broken."""
    require_ends(trial)
    random = generator(trial.seed, "moments")
    while True:
        for name in trial.within_time(list(ZONES)):
            with zone(trial, ZONES[name]):
                timed = Timed(trial, ENDS, zone=ZONES[name])
                moments = [random.choice(one) for one in (NIGHTS.get(name, MOMENTS), MOMENTS)]
                for moment in sorted({*moments}):
                    _at_moment(timed, moment, random.sample(_LIMITS_US, 2))
        with zone(trial, random.choice([*ZONES.values()])) as tz:
            _leaps(Timed(trial, ENDS, zone=tz))
        if trial.enough(monotonic_s() - trial.started_s):
            return


@contextmanager
def zone(trial: Trial, tz: str) -> Iterator[str]:
    """The process in another zone, with the store opened in it at an empty location."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = tz
    time.tzset()
    trial.store.fresh_location()
    try:
        yield tz
    finally:
        trial.store.close()  # a process of the store is in that zone, too
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()


def _at_moment(timed: Timed, moment: datetime, limits: list[int]) -> None:
    """Sessions that live over the moment, half an hour before it and at it; raises Broken."""
    given = [Limited(one) for one in limits] + [Limited(None, limits[0])]
    trial = timed.trial
    moves = [Move("append", 0, by_us=_BEFORE_US), Move(BEGIN, 1), Move(BEGIN, 2)]
    timeline = laid_out(given, moves, trial.claims, trial.capabilities)
    began_us = (moment - _EPOCH) // timedelta(microseconds=1) - _BEFORE_US
    trial.count("steps", timed.run(timeline, began_us=began_us).ended)


def _leaps(timed: Timed) -> None:
    """A step back, a leap, both; then drawn timelines with such; raises Broken."""
    trial = timed.trial
    for moves in _EXAMPLES:
        timeline = laid_out([Limited(HOUR_US)], moves, trial.claims, trial.capabilities)
        trial.count("steps", timed.run(timeline).ended)
    session = st.integers(0, 3)
    leap = st.sampled_from([*_LEAPS_US, *(-one for one in _LEAPS_US), -1, 1])
    method = st.sampled_from(["append", "read", BEGIN])
    move = st.one_of(
        st.builds(Move, method, session, by_us=leap),
        st.builds(Move, method, session, parts=st.integers(0, 7)),
    )
    limit = st.one_of(
        st.builds(Limited, limits_us(*_LIMITS_US)), st.builds(Limited, st.none(), limits_us(1))
    )
    drawn = timelines(
        st.lists(limit, min_size=1, max_size=2),
        st.lists(move, min_size=1, max_size=5),
        trial.claims,
        trial.capabilities,
    )
    timed.search(drawn, lambda seen: seen.ended)
