"""What open and close leave behind."""

from __future__ import annotations

from sessionproof.trials.single import CouldNotTell, Trial


def nothing_is_left_open(trial: Trial) -> None:
    """Not there yet."""
    raise CouldNotTell("not built yet")
