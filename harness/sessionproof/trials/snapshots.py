"""Snapshots and what is restored from them."""

from __future__ import annotations

from sessionproof.trials.single import CouldNotTell, Trial


def equal(trial: Trial) -> None:
    """SNAP-01."""
    raise CouldNotTell(f"{trial.guarantee.id} is not examined yet")


def outlives(trial: Trial) -> None:
    """SNAP-02."""
    raise CouldNotTell(f"{trial.guarantee.id} is not examined yet")


def over_live(trial: Trial) -> None:
    """SNAP-04."""
    raise CouldNotTell(f"{trial.guarantee.id} is not examined yet")
