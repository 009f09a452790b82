"""What is kept of a run's result in the archive of benchmark runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sessionproof.bench.tracking.archived import ArchivedRun, Commit, check_times
from sessionproof.contract.causes import Causes
from sessionproof.contract.measurements import Speed
from sessionproof.report.result import RunResult

TABLE = "PERF-01"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What a result does not say: the commit, those since the run before, and the causes."""

    commit: Commit | None = None
    between: tuple[Commit, ...] = ()
    causes: tuple[Causes, ...] = ()


def archived(result: RunResult, origin: Origin, *, store: str | None = None) -> ArchivedRun:
    """The speeds of the performance table with what they hang on.

    ``store`` is its name from run to run, where that of the result held for this run alone. Raises
    ValueError for a result without them, and for a run that was cut short.
    """
    if result.interrupted or not result.complete:
        raise ValueError("the run was cut short: only whole ones are kept")
    speeds = speeds_of(result)
    if not speeds:
        raise ValueError(f"it has no speeds: run {TABLE}, as sessionproof bench run does")
    run = ArchivedRun(
        store=store or result.store,
        version=result.store_version,
        commit=origin.commit,
        started_at=result.started_at,
        sessionproof=result.sessionproof,
        profile=result.profile,
        seed=result.seed,
        machine=dict(result.environment),
        speeds=tuple(speeds),
        causes=origin.causes,
        between=origin.between,
    )
    check_times(run)
    return run


def speeds_of(result: RunResult) -> Sequence[Speed]:
    """The rows of the performance table, in its order."""
    return [
        one
        for row in result.guarantees
        if row.id == TABLE
        for one in row.measured
        if isinstance(one, Speed)
    ]
