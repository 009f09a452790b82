"""Files that are damaged: whether the store notices."""

from __future__ import annotations

from sessionproof.trials.single import CouldNotTell, Trial


def not_served(trial: Trial) -> None:
    """Not written yet."""
    raise CouldNotTell("not written yet")


def flips_are_found(trial: Trial) -> None:
    """Not written yet."""
    raise CouldNotTell("not written yet")


def refused(trial: Trial) -> None:
    """Not written yet."""
    raise CouldNotTell("not written yet")
