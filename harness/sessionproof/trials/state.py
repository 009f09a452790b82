"""State that is set and read."""

from __future__ import annotations

from sessionproof.trials.single import CouldNotTell, Trial


def read_back(trial: Trial) -> None:
    """STATE-01."""
    raise CouldNotTell(f"{trial.guarantee.id} is not examined yet")
