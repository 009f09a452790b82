"""Costs of rounds on machines that never were: simulated noise, the same for the same seed."""

from __future__ import annotations

import numpy as np

PER_CALL_NS = 30_000.0


def costs(generator, rounds, *, factor=1.0, preempted=0.0, drift=0.0):
    """What an arm and its floor cost in each round, in nanoseconds; ``factor`` is the truth.

    Each round has a few percent of noise with a long tail. A share ``preempted`` of an arm's
    rounds takes twice to twenty times as long; speed drifts by ``drift`` over the rounds, as the
    clock of a processor does, and arms of one round drift alike.
    """
    slower = np.linspace(1.0, 1.0 + drift, rounds)

    def arm(times):
        noise = 1 + 0.02 * np.abs(generator.standard_t(3, rounds))
        hit = generator.random(rounds) < preempted
        return PER_CALL_NS * times * slower * noise * np.where(hit, generator.uniform(2, 20), 1)

    return arm(factor), arm(1.0)
