"""The performance table of a store."""

from __future__ import annotations

from sessionproof.trials.single import CouldNotTell, Trial


def single_client(trial: Trial) -> None:
    """Not written yet."""
    raise CouldNotTell("not written yet")
