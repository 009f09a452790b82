"""How busy a handle's connections are, and how long threads waited for one."""

from __future__ import annotations

from collections.abc import Iterator

from sessionproof.contract.clock import monotonic_s
from sessionproof.reference.connections import Readers
from sessionproof.reference.grouping import Writer
from sessionproof.reference.vitals.report import Number, Vital
from sessionproof.reference.vitals.thresholds import Thresholds

_JUDGED_FROM = 5
"""A pool of fewer readers is full as soon as it is used: only waits say something of it."""

_RECENT_S = 3_600.0


def pool(readers: Readers, writer: Writer, thresholds: Thresholds) -> Iterator[Vital]:
    """The readers in use at this moment, and this hour's waits for them and for the writer."""
    busy, most = readers.busy, readers.most
    use = busy / most
    yield Vital(
        "pool use",
        thresholds.pool_use.of(use) if most >= _JUDGED_FROM else "ok",
        f"{busy} of {most} readers are busy",
        (Number("readers_busy", busy), Number("readers_most", most)),
    )
    since_s = monotonic_s() - _RECENT_S
    waits = {
        what: [wait_s for at_s, wait_s in list(waited) if at_s >= since_s]
        for what, waited in (("readers", readers.waited), ("the writer", writer.waited))
    }
    longest_s = max((wait for each in waits.values() for wait in each), default=0.0)
    told = ", ".join(
        f"{len(each)} for {what}, the longest {max(each) * 1e3:.3g} ms"
        for what, each in waits.items()
        if each
    )
    yield Vital(
        "pool waits",
        thresholds.wait_ms.of(longest_s * 1e3),
        told or "no thread had to wait",
        (
            Number("waits", len(waits["readers"]), (("for", "reader"),)),
            Number("waits", len(waits["the writer"]), (("for", "writer"),)),
            Number("wait_seconds_longest", longest_s),
        ),
    )
