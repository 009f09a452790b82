"""Many clients at once: throughput, and latency against offered rate."""

from __future__ import annotations

from sessionproof.trials.single import CouldNotTell, Trial


def many_clients(trial: Trial) -> None:
    """Not written yet."""
    raise CouldNotTell("not written yet")
