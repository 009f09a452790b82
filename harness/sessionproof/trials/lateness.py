"""Whether what a trial has begun is to be left: a store may be far slower than others."""

from __future__ import annotations

from sessionproof.contract.clock import monotonic_s
from sessionproof.trials.single import Trial

_PART = 0.4  # of a test's deadline, so that what is begun before still ends within it


def is_late(trial: Trial) -> bool:
    """Whether nothing more can be begun, as the test would come near its deadline.

    A trial that is out of patience begins nothing large; this is for what is large itself. What
    was left says nothing of the store, and is no evidence.
    """
    return monotonic_s() - trial.started_s > _PART * trial.profile.deadlines.test_s
