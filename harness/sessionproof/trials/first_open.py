"""Many that open a fresh location at once."""

from __future__ import annotations

from sessionproof.trials.single import CouldNotTell, Trial


def by_many(trial: Trial) -> None:
    """Not there yet."""
    raise CouldNotTell("not built yet")
