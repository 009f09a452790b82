"""Transactions over several sessions at once."""

from __future__ import annotations

from sessionproof.trials.single import CouldNotTell, Trial


def within(trial: Trial) -> None:
    """Transactions of threads or tasks."""
    raise CouldNotTell(f"{trial.guarantee.id} is not built")


def across(trial: Trial) -> None:
    """Transactions of processes."""
    raise CouldNotTell(f"{trial.guarantee.id} is not built")
