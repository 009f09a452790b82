"""Deadlines, fairness and refusals under many clients."""

from __future__ import annotations

from sessionproof.trials.single import CouldNotTell, Trial


def every_operation_ends(trial: Trial) -> None:
    """Not there yet."""
    raise CouldNotTell("not built yet")


def every_operation_ends_across(trial: Trial) -> None:
    """Not there yet."""
    raise CouldNotTell("not built yet")


def no_writer_is_refused(trial: Trial) -> None:
    """Not there yet."""
    raise CouldNotTell("not built yet")
