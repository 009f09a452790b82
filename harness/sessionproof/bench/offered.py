"""Open loop: calls come at a rate of their own, and a store that is slow does not slow them down.

A client that waits for each answer asks less, the slower the store is, and its percentiles leave
out what others would have waited (coordinated omission). Here the times at which calls are due are
drawn beforehand, and each call is timed from when it was due: also one that had to wait for a free
client, and one that was never begun.

**The knee** is the highest offered rate that the store kept up with. It kept up with a rate when

1. of the calls due in the window 95 % were acknowledged by its end, plus an allowance of a
   twentieth of the window, or of one call's usual time where that is longer; and
2. latency did not go on rising: the median of the calls due in the last third of the window is at
   most three times that of the first third, or at most the allowance.

A rate above what the store can do leaves a backlog that grows for as long as the window lasts, so
both fail; a short disturbance leaves one that is worked off. A lower rate that was disturbed does
not matter where a higher one was kept up with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sessionproof.bench.blocks import LEAD_NS, calls_of
from sessionproof.bench.clients import Block, Shift, Work
from sessionproof.bench.statistics import latency
from sessionproof.contract.clock import monotonic_ns
from sessionproof.contract.measurements import LoadPoint
from sessionproof.contract.seed import generator

FRACTIONS = (0.1, 0.3, 0.5, 0.7, 0.9, 1.1, 1.3)  # of the closed loop's throughput
WINDOW_S = 0.2
LEAST_CALLS = 100
RATE_MOST = 25_000.0
FEWEST_CALLS = 20
_RATES_LEAST = 4
_GRACE = 1.0  # windows after the end in which calls are still begun
_DONE = 0.95
_ALLOWANCE = 0.05  # of the window
_RISING = 3.0


@dataclass(frozen=True)
class Offer:
    """Calls at one rate: ``due_ns`` from the beginning of a window of ``window_ns``, rising."""

    window_ns: int
    due_ns: tuple[int, ...]

    @property
    def per_second(self) -> float:
        """The rate."""
        return len(self.due_ns) * 1e9 / self.window_ns


@dataclass(frozen=True)
class Answered:
    """What came of an offer, for each call in the order of ``due_ns``; int64, shape (calls,).

    ``took_ns`` counts from when a call was due; for one that was not begun, to when clients
    stopped. ``done`` says which were acknowledged. ``late_ns`` are delays of the harness's own, for
    any number of the calls.
    """

    due_ns: NDArray[np.int64]
    took_ns: NDArray[np.int64]
    done: NDArray[np.bool_]
    late_ns: NDArray[np.int64]
    block: Block


def offers(closed_per_s: float, *, total_s: float, longest_s: float, seed: int) -> list[Offer]:
    """Offers at ``FRACTIONS`` of this throughput, rising, whose windows take ``total_s`` at most.

    Of more than ``RATE_MOST`` it is fractions of that: there the harness would be the bottleneck.
    A window is longer where it would hold fewer than ``LEAST_CALLS``, up to ``longest_s``. Where
    there is no time for that, the lowest rates are left out, as they take longest, down to
    ``_RATES_LEAST`` of them; then all have fewer calls. None with less than ``FEWEST_CALLS``.
    """
    highest = min(closed_per_s, RATE_MOST)
    windows = {
        rate: min(max(WINDOW_S, LEAST_CALLS / rate), longest_s)
        for rate in (fraction * highest for fraction in FRACTIONS)
    }
    while len(windows) > _RATES_LEAST and sum(windows.values()) > total_s:
        del windows[min(windows)]
    share = min(1.0, total_s / sum(windows.values()))
    return [
        offer(rate, window_s=window * share, seed=seed)
        for rate, window in windows.items()
        if rate * window * share >= FEWEST_CALLS
    ]


def offer(rate_per_s: float, *, window_s: float, seed: int) -> Offer:
    """Calls at this rate for so long, at least one.

    They come as in a Poisson process of which the number of calls is known: at times drawn evenly
    over the window. So the rate is exactly what is written beside it.
    """
    window_ns = max(1, round(window_s * 1e9))
    draw = generator(seed, "arrivals", round(rate_per_s * 1_000))
    number = max(1, round(rate_per_s * window_s))
    return Offer(window_ns, tuple(sorted(draw.randrange(window_ns) for _ in range(number))))


def carried_out(work: Work, sessions: Sequence[str], offered: Offer) -> Answered:
    """Have clients, one for each session, carry the offer out."""
    begin = monotonic_ns() + LEAD_NS
    until = begin + round(offered.window_ns * (1 + _GRACE))
    due = tuple(begin + at for at in offered.due_ns)
    return answered(work(Shift(tuple(sessions), begin, until, due=due)), due, until)


def answered(block: Block, due: Sequence[int], until_ns: int) -> Answered:
    """The block's calls beside what was due; times are of the monotonic clock, in nanoseconds."""
    calls = calls_of([block])
    left = Counter(due) - Counter(call.due for call in calls)
    rows = [(call.due, call.ended - call.due, call.ending == "ok") for call in calls]
    rows += [(at, max(0, until_ns - at), False) for at in left.elements()]
    rows.sort()
    return Answered(
        due_ns=np.array([row[0] for row in rows], np.int64),
        took_ns=np.array([row[1] for row in rows], np.int64),
        done=np.array([row[2] for row in rows], np.bool_),
        late_ns=np.array(block.late_ns, np.int64),
        block=block,
    )


def point(seen: Answered, offered: Offer) -> LoadPoint:
    """The percentiles of all calls that were due, and how many a second were done in the window."""
    in_window = seen.done & (seen.due_ns + seen.took_ns <= _end(seen, offered))
    return LoadPoint(
        offered_per_s=offered.per_second,
        done_per_s=float(in_window.sum()) * 1e9 / offered.window_ns,
        latency=latency(seen.took_ns),
    )


def kept_up(seen: Answered, offered: Offer, *, usual_ns: float) -> bool:
    """Whether the store kept up, as the head of this module says; ``usual_ns`` is a usual call."""
    allowance = max(_ALLOWANCE * offered.window_ns, usual_ns)
    by_then = seen.done & (seen.due_ns + seen.took_ns <= _end(seen, offered) + allowance)
    if by_then.sum() < _DONE * len(seen.due_ns):
        return False
    begin, third = _end(seen, offered) - offered.window_ns, offered.window_ns / 3
    first = seen.took_ns[seen.due_ns < begin + third]
    last = seen.took_ns[seen.due_ns >= begin + 2 * third]
    if not len(first) or not len(last):
        return True
    late = float(np.median(last))
    return late <= allowance or late <= _RISING * float(np.median(first))


def knee(points: Iterable[tuple[LoadPoint, bool]]) -> float | None:
    """The highest offered rate that was kept up with; None when none was."""
    return max((one.offered_per_s for one, kept in points if kept), default=None)


def _end(seen: Answered, offered: Offer) -> int:
    """When the window ended, on the monotonic clock: its first call tells when it began."""
    return int(seen.due_ns[0]) - offered.due_ns[0] + offered.window_ns
