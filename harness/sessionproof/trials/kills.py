"""To be built."""

from __future__ import annotations

from sessionproof.trials.single import CouldNotTell, Trial


def at_random(trial: Trial) -> None:
    """To be built."""
    raise CouldNotTell(f"{trial.guarantee.id} is not built yet")
