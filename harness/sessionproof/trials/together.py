"""Concurrent clients against one store, in rounds, judged by the row that asks."""

from __future__ import annotations

from sessionproof.trials.single import CouldNotTell, Trial


def within(trial: Trial) -> None:
    """Not there yet."""
    raise CouldNotTell("not built yet")


def across(trial: Trial) -> None:
    """Not there yet."""
    raise CouldNotTell("not built yet")


def paging(trial: Trial) -> None:
    """Not there yet."""
    raise CouldNotTell("not built yet")
