"""What a clean-up costs among ever more sessions that live: as a sweep's cost is measured."""

from __future__ import annotations

from typing import Any

from sessionproof.bench.loading import Steps
from sessionproof.scripts.sweep_costs import by_clean_ups, step_lines, time_lines
from sessionproof.trials.managing.course import BEGIN_US, Course, require_clock, times_of
from sessionproof.trials.single import Trial
from sessionproof.trials.sweep_cost import DUE, Way, flat_in
from sessionproof.workload.crews import is_hosted
from sessionproof.workload.managing import CREATE, ask


def flat(trial: Trial) -> None:
    """MGR-13: clean up at rising numbers of sessions; raises Broken, CouldNotTell."""
    require_clock(trial)
    course = Course(trial)
    over_us = 2 * (course.limit_us() + course.step_us)
    alone = is_hosted(trial.store) or "manager" in trial.store.awaited
    swept = None if alone else by_clean_ups(times_of(trial, course.desk), over_us)

    def stored(store: Any, number: int) -> Steps[None]:
        if number == 0:
            yield store.set_clock(BEGIN_US)
        yield store.manager(CREATE, {})

    def due(store: Any, _number: int) -> Steps[None]:
        yield store.set_clock(BEGIN_US - over_us)
        yield store.manager(CREATE, {})
        yield store.set_clock(BEGIN_US)

    way = Way(
        noun="clean-up",
        verb="cleaned up",
        stored=stored,
        due=due,
        call=lambda store: store.manager("cleanup", {}),
        ask=lambda handle: ask(handle, "cleanup"),
        told=lambda answer: int(answer),
        steps=lambda: [] if swept is None else step_lines(swept, DUE),
        times=lambda: [] if swept is None else time_lines(swept, DUE),
    )
    flat_in(trial, way)
