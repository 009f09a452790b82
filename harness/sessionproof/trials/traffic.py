"""What concurrent clients did over time, gathered round by round and kept small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sessionproof.contract.measurements import Phase as Part
from sessionproof.contract.measurements import Traffic
from sessionproof.history.columns import NEVER, History, Type

_BUCKETS = 60
_PARTS = 30


@dataclass(frozen=True)
class Stretch:
    """One round: its mix, when its operations began and ended, and which of them were not ok.

    Times are nanoseconds since the first invocation of the round.
    """

    mix: str
    began: npt.NDArray[np.int64]
    ended: npt.NDArray[np.int64]
    failed: npt.NDArray[np.bool_]
    overlapping: int

    @property
    def length(self) -> int:
        """Nanoseconds until the last operation ended."""
        return int(max(self.began.max(initial=0), self.ended.max(initial=0)))


def stretch_of(mix: str, history: History, overlapping: npt.NDArray[np.bool_]) -> Stretch:
    """What is kept of a round; operations that never answered are left out."""
    rows = history.rows[history.rows["ret"] != NEVER]
    start = rows["inv"].min() if len(rows) else 0
    return Stretch(
        mix,
        rows["inv"] - start,
        rows["ret"] - start,
        rows["type"] != Type.OK,
        int(overlapping.sum()),
    )


def traffic_of(stretches: Sequence[Stretch], *, clients: str) -> Traffic | None:
    """The rounds one after another, without the pauses between them; None for no operations."""
    lengths = np.array([one.length for one in stretches], np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    whole = int(starts[-1])
    ended = _joined([one.ended + start for one, start in zip(stretches, starts, strict=False)])
    took = _joined([one.ended - one.began for one in stretches])
    failed = _joined([one.failed for one in stretches]).astype(np.bool_)
    if not len(ended) or not whole:
        return None
    bucket = max(1, -(-whole // _BUCKETS))
    places = np.minimum(ended // bucket, _BUCKETS - 1)
    number = int(places.max()) + 1
    latencies = [took[places == place] / 1e3 for place in range(number)]
    return Traffic(
        clients=clients,
        operations=len(ended),
        overlapping=sum(one.overlapping for one in stretches),
        bucket_us=bucket / 1e3,
        done=_counts(places, number),
        failed=_counts(places[failed], number),
        p50_us=tuple(_percentile(one, 50) for one in latencies),
        p99_us=tuple(_percentile(one, 99) for one in latencies),
        phases=_phases(stretches, starts),
    )


def _joined(parts: Sequence[npt.NDArray[np.generic]]) -> npt.NDArray[np.int64]:
    return np.concatenate([np.zeros(0, np.int64), *parts])


def _counts(places: npt.NDArray[np.int64], number: int) -> tuple[int, ...]:
    return tuple(int(one) for one in np.bincount(places, minlength=number))


def _percentile(times: npt.NDArray[np.float64], percent: int) -> float | None:
    return round(float(np.percentile(times, percent)), 1) if len(times) else None


def _phases(stretches: Sequence[Stretch], starts: npt.NDArray[np.int64]) -> tuple[Part, ...]:
    """Rounds of one mix in a row are one phase; none where the mixes change too often to show."""
    parts: list[Part] = []
    for one, start, end in zip(stretches, starts, starts[1:], strict=False):
        began, ended = float(start) / 1e3, float(end) / 1e3
        if parts and parts[-1].name == one.mix:
            parts[-1] = Part(name=one.mix, began_us=parts[-1].began_us, ended_us=ended)
        else:
            parts.append(Part(name=one.mix, began_us=began, ended_us=ended))
    return tuple(parts) if len(parts) <= _PARTS else ()
