"""Moves of a status."""

from __future__ import annotations

from sessionproof.trials.single import CouldNotTell, Trial


def declared(trial: Trial) -> None:
    """TMO-10."""
    raise CouldNotTell(f"{trial.guarantee.id} is not examined yet")
