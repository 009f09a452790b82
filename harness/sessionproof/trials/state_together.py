"""State that several clients set."""

from __future__ import annotations

from sessionproof.trials.single import CouldNotTell, Trial


def kept(trial: Trial) -> None:
    """STATE-02."""
    raise CouldNotTell(f"{trial.guarantee.id} is not examined yet")
