"""Sweeps beside clients, and beside each other."""

from __future__ import annotations

from sessionproof.trials.single import CouldNotTell, Trial


def beside_appends(trial: Trial) -> None:
    """TMO-06."""
    raise CouldNotTell(f"{trial.guarantee.id} is not examined yet")


def two_at_once(trial: Trial) -> None:
    """TMO-07."""
    raise CouldNotTell(f"{trial.guarantee.id} is not examined yet")
