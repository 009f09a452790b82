"""Searches beside writers."""

from __future__ import annotations

from sessionproof.trials.single import CouldNotTell, Trial


def at_once(trial: Trial) -> None:
    """SRCH-01."""
    raise CouldNotTell(f"{trial.guarantee.id} is not examined yet")
