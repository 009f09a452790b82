"""Limits that run out."""

from __future__ import annotations

from sessionproof.trials.single import CouldNotTell, Trial


def idle(trial: Trial) -> None:
    """TMO-01."""
    raise CouldNotTell(f"{trial.guarantee.id} is not examined yet")


def hard(trial: Trial) -> None:
    """TMO-02."""
    raise CouldNotTell(f"{trial.guarantee.id} is not examined yet")


def warned(trial: Trial) -> None:
    """TMO-04."""
    raise CouldNotTell(f"{trial.guarantee.id} is not examined yet")


def refused(trial: Trial) -> None:
    """TMO-05."""
    raise CouldNotTell(f"{trial.guarantee.id} is not examined yet")
