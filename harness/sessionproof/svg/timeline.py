"""Time from left to right: to scale where that can be read, else in order, long gaps shortened."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate, pairwise

from sessionproof.svg.scales import rounds

APART = 5.0  # pixels between two times, so that one sees which was first
FLATTENED = 0.35  # the exponent of lengths where they are not to scale
LONG = 0.08  # of the whole; a gap that is longer is marked
USUAL, WIDE, WIDEST = 36, 560, 960  # pixels: for each gap, and at least and at most for all
TICK = 86  # pixels that a mark of time needs


@dataclass(frozen=True)
class Timeline:
    """Times with their places, both rising; between two neighbours time is to scale.

    ``exact`` says that it is so throughout. Otherwise ``cuts`` are the longest stretches between
    neighbours: they were shortened most.
    """

    times: tuple[float, ...]
    places: tuple[float, ...]
    exact: bool
    cuts: tuple[tuple[float, float], ...] = ()

    def place(self, time: float) -> float:
        """Where a time lies; what is outside lies at the nearer end."""
        at = bisect_right(self.times, time)
        if at in (0, len(self.times)):
            return self.places[0 if at == 0 else -1]
        (low, high), (start, end) = self.times[at - 1 : at + 1], self.places[at - 1 : at + 1]
        return start + (time - low) / (high - low) * (end - start)

    def ticks(self) -> tuple[float, ...]:
        """Times that deserve a mark: round ones to scale, else some of its own; none too close."""
        if self.exact:
            return _spaced(rounds(self.times[0], self.times[-1], most=8), self)
        return _spaced(self.times, self)


def timeline(times: Iterable[float], *, start: float = 0.0) -> Timeline:
    """The line of these times from the place ``start`` on, as wide as they need.

    It is to scale when all of them are then ``APART``. Otherwise each gap has that much, and more
    the longer it is, but far less than in proportion.
    """
    known = sorted({0.0, *times})
    gaps = [after - before for before, after in pairwise(known)]
    if not gaps:
        return Timeline((known[0],), (start,), True)
    width = min(max(USUAL * len(gaps), WIDE), max(WIDEST, APART * len(gaps)))
    exact = width * min(gaps) / sum(gaps) >= APART
    least = 0.0 if exact else APART
    parts = gaps if exact else [gap**FLATTENED for gap in gaps]
    room = width - least * len(gaps)
    lengths = (least + part * room / sum(parts) for part in parts)
    cuts = tuple(
        pair
        for pair, gap in zip(pairwise(known), gaps, strict=True)
        if gap > LONG * sum(gaps) and not exact
    )
    return Timeline(tuple(known), tuple(accumulate(lengths, initial=start)), exact, cuts)


def _spaced(times: Iterable[float], line: Timeline) -> tuple[float, ...]:
    kept: list[float] = []
    for time in times:
        if not kept or line.place(time) - line.place(kept[-1]) >= TICK:
            kept.append(time)
    return tuple(kept)
