"""What SQLite does for a call: its statements and their plans."""

from __future__ import annotations

from sessionproof.trials.single import CouldNotTell, Trial


def hot_paths(trial: Trial) -> None:
    """Not written yet."""
    raise CouldNotTell("not written yet")


def constant_statements(trial: Trial) -> None:
    """Not written yet."""
    raise CouldNotTell("not written yet")
