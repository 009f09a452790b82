"""Searches by one client."""

from __future__ import annotations

from sessionproof.trials.single import CouldNotTell, Trial


def at_once(trial: Trial) -> None:
    """SRCH-01."""
    raise CouldNotTell(f"{trial.guarantee.id} is not examined yet")


def any_text(trial: Trial) -> None:
    """SRCH-02."""
    raise CouldNotTell(f"{trial.guarantee.id} is not examined yet")


def equal(trial: Trial) -> None:
    """SRCH-03."""
    raise CouldNotTell(f"{trial.guarantee.id} is not examined yet")
