"""Memory while calls are repeated."""

from __future__ import annotations

from sessionproof.trials.single import CouldNotTell, Trial


def while_paging(trial: Trial) -> None:
    """Not written yet."""
    raise CouldNotTell("not written yet")


def while_repeating(trial: Trial) -> None:
    """Not written yet."""
    raise CouldNotTell("not written yet")
