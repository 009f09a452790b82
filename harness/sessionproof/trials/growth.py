"""How cost grows with what is stored."""

from __future__ import annotations

from sessionproof.trials.single import CouldNotTell, Trial


def of_appends(trial: Trial) -> None:
    """Not written yet."""
    raise CouldNotTell("not written yet")


def of_looks_along_messages(trial: Trial) -> None:
    """Not written yet."""
    raise CouldNotTell("not written yet")


def of_looks_along_sessions(trial: Trial) -> None:
    """Not written yet."""
    raise CouldNotTell("not written yet")
