"""Deletions that race with appends."""

from __future__ import annotations

from sessionproof.trials.single import CouldNotTell, Trial


def deleted_while_appended(trial: Trial) -> None:
    """Not there yet."""
    raise CouldNotTell("not built yet")
