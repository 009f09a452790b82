"""How often what was found once is found again."""

from __future__ import annotations

from collections.abc import Callable

from sessionproof.contract.clock import monotonic_s
from sessionproof.trials.single import Trial


def failed_again(
    trial: Trial,
    fails: Callable[[], bool | None],
    *,
    most: int = 3,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[int, int]:
    """How many of how many further rounds failed; once at least, while there is time to shrink.

    A round that could not be judged (None) does not count. ``stop`` ends it at once.
    """
    until_s = monotonic_s() + trial.profile.shrink_s
    tried = failed = 0
    while tried < most and (not tried or monotonic_s() < until_s) and not stop():
        again = fails()
        if again is not None:
            failed += again
            tried += 1
    return failed, tried
