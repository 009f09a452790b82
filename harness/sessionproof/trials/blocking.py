"""Whether readers wait for writers."""

from __future__ import annotations

from sessionproof.trials.single import CouldNotTell, Trial


def readers_go_on(trial: Trial) -> None:
    """Not there yet."""
    raise CouldNotTell("not built yet")
