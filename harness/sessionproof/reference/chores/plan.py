"""What upkeep is to be done, how often, and when it is due."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sessionproof.contract.seed import generator
from sessionproof.reference.chores.runs import Run

MINUTE_S, HOUR_S, DAY_S = 60.0, 3_600.0, 86_400.0

_AGAIN_S = 600.0
"""What failed is tried again after so long, if its interval is not shorter."""

_JITTER = 0.05
"""So that a hundred stores of one machine do not all begin at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Seconds between two runs of each task; None: never.

    ``backups`` is an existing folder for backups, of which ``keep`` stay; without one there are
    neither backups nor drills.
    """

    backups: os.PathLike[str] | str | None = None
    keep: int = 30
    sweep_s: float | None = MINUTE_S
    search_s: float | None = MINUTE_S
    checkpoint_s: float | None = HOUR_S
    health_s: float | None = HOUR_S
    optimize_s: float | None = DAY_S
    verify_s: float | None = DAY_S
    backup_s: float | None = DAY_S
    drill_s: float | None = 7 * DAY_S
    vacuum_s: float | None = 30 * DAY_S

    def interval_s(self, task: str) -> float | None:
        """How often the task is done; None for never."""
        if self.backups is None and task in ("backup", "drill"):
            return None
        interval: float | None = getattr(self, f"{task}_s")
        return interval


def is_due(
    task: str, plan: Plan, now_us: int, last: Mapping[str, Run], good: Mapping[str, Run], file: Path
) -> bool:
    """Whether the task is to be done now, by its last run and its last good one.

    A run that lies in the future was written by a clock that was set back since: it does not count.
    """
    interval_s = plan.interval_s(task)
    if interval_s is None:
        return False
    tried, done = last.get(task), good.get(task)
    since_s = _since_s(done, now_us)
    if since_s is not None:
        part = generator(0, file, task, done and done.started_at_us).uniform(-_JITTER, _JITTER)
        if since_s < interval_s * (1 + part):
            return False
    tried_s = _since_s(tried, now_us) if tried and tried.failed else None
    return tried_s is None or tried_s >= min(_AGAIN_S, interval_s)


def _since_s(run: Run | None, now_us: int) -> float | None:
    if run is None or run.started_at_us > now_us:
        return None
    return (now_us - run.started_at_us) / 1e6
