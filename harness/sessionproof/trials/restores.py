"""Restores: what they verify, keep and leave behind."""

from __future__ import annotations

from sessionproof.trials.single import CouldNotTell, Trial


def no_stale_log(trial: Trial) -> None:
    """Not written yet."""
    raise CouldNotTell("not written yet")


def verified(trial: Trial) -> None:
    """Not written yet."""
    raise CouldNotTell("not written yet")
