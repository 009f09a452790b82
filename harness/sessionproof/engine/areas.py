"""The areas over which a night spreads its time: which guarantees each has, and its share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.report.nightly.night import SPEED


@dataclass(frozen=True, kw_only=True)
class Area:
    """A part of the registry. ``rows`` are groups and ids; an id counts before its group.

    ``share`` is its part of the time beside those of the others. One that is ``once`` is judged
    once a night.
    """

    name: str
    share: float
    rows: tuple[str, ...]
    once: bool = False


AREAS = (
    Area(
        name="concurrency",
        share=0.25,
        rows=(
            "CONC", "CORE-04", "FK-06", "CNT-05", "CNT-06", "SEQ-02", "SEQ-04", "SEQ-06",
            "STATE-02", "TMO-06", "TMO-07", "SNAP-03",
        ),
    ),
    Area(name="schedules", share=0.15, rows=("CONC-14",)),
    Area(
        name="crash",
        share=0.2,
        rows=("DUR", "CNT-07", "CORE-13", "CORE-15", "CORE-16", "STATE-03"),
    ),
    Area(name="corruption", share=0.1, rows=("COR", "BAK", "MIG")),
    Area(name="timeouts", share=0.05, rows=("TMO", "MGR-07", "MGR-13")),
    Area(name="scale", share=0.05, rows=("SCALE", "PERF", "CNT-03", "TMO-09")),
    Area(
        name="one client",
        share=0.15,
        rows=(
            "CORE", "FK", "CNT", "SEQ", "MGR", "SNAP", "SRCH", "STATE", "SEC",
        ),
    ),
    Area(name=SPEED, share=0.05, rows=("PERF-01",), once=True),
)  # fmt: skip
"""What is most random has most of the time: races and crashes differ from seed to seed."""
REPLAYS = 0.25
"""Replays may take such a part of the night; what they leave is the areas'."""

OTHERS = "one client"
"""The area of what no other names: a new group is judged at night from its first day."""


@cache
def rows_of(area: Area, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the wanted guarantees that are the area's, in the order of the registry."""
    asked = set(wanted)
    return tuple(name for name in GUARANTEES if name in asked and area_of(name) == area.name)


def area_of(row: str) -> str:
    """The name of the one area that has this guarantee."""
    group = row.partition("-")[0]
    by_id = (area.name for area in AREAS if row in area.rows)
    by_group = (area.name for area in AREAS if group in area.rows)
    return next(by_id, None) or next(by_group, OTHERS)
