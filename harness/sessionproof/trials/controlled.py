"""Small programs under controlled schedules."""

from __future__ import annotations

from sessionproof.trials.single import CouldNotTell, Trial


def no_schedule_breaks(trial: Trial) -> None:
    """Every schedule with at most two preemptions, then random ones."""
    raise CouldNotTell(f"{trial.guarantee.id} is not built")
