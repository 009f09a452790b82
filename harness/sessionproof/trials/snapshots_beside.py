"""Snapshots beside writers."""

from __future__ import annotations

from sessionproof.trials.single import CouldNotTell, Trial


def one_moment(trial: Trial) -> None:
    """SNAP-03."""
    raise CouldNotTell(f"{trial.guarantee.id} is not examined yet")
