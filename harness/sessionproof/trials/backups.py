"""Backups: under load, and how many are kept."""

from __future__ import annotations

from sessionproof.trials.single import CouldNotTell, Trial


def under_load(trial: Trial) -> None:
    """Not written yet."""
    raise CouldNotTell("not written yet")


def kept(trial: Trial) -> None:
    """Not written yet."""
    raise CouldNotTell("not written yet")
