"""Archived runs that never happened: nights of one store, with changes planted among them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence

import numpy as np

from sessionproof.bench.tracking.archived import ArchivedRun, Commit
from sessionproof.contract.causes import Causes, StatementCost
from sessionproof.contract.measurements import Latency, Ratio, Speed

MACHINE = {
    "cpu": "AMD EPYC 7763", "cores": "2", "python": "CPython 3.11.2", "sqlite": "3.40.1",
    "file system": "tmpfs", "load": "0.1",
}  # fmt: skip
INSERT = StatementCost(text="INSERT INTO messages VALUES (?)", times=1, steps=308)
COUNT = StatementCost(text="SELECT count(*) FROM messages", times=1, steps=1_050)


def commit(number: int) -> Commit:
    """The commit of this night."""
    name = hashlib.sha1(str(number).encode(), usedforsecurity=False).hexdigest()
    day = f"2026-{1 + number // 28:02}-{1 + number % 28:02}"
    return Commit(id=name, subject=f"change number {number}", at=f"{day}T00:00:00Z")


def speed(operation: str, ratio: float) -> Speed:
    """A row with this ratio to its floor, and an interval of one percent to each side."""
    latency = Latency(p50_us=20, p95_us=30, p99_us=40, p999_us=80, max_us=90, calls=4_000)
    return Speed(
        operation=operation, clients="one client", latency=latency, per_second=40_000,
        floor="raw SQLite", floor_us=20 / ratio, samples={"store": (20, 21), "floor": (10, 10)},
        ratio=Ratio(value=ratio, low=ratio * 0.99, high=ratio * 1.01, rounds=160, of=200),
    )  # fmt: skip


def causes(*statements: StatementCost) -> Causes:
    """What an append does that runs these."""
    steps = math.fsum(one.steps for one in statements)
    return Causes(operation="append", calls=50, steps=steps, statements=statements)


def nights(
    levels: Mapping[str, Sequence[float]], *, noise: float = 0.006, seed: int = 1
) -> list[ArchivedRun]:
    """A run a night, with the level of each operation in that night; the noise is a share."""
    draw = np.random.default_rng(seed)
    return [
        ArchivedRun(
            store="shop.chat:Store", version="1.0", commit=commit(number),
            started_at=commit(number).at.replace("T00", "T03"), sessionproof="0.1",
            profile="gate", seed=number, machine=MACHINE, between=(commit(number),),
            speeds=tuple(
                speed(name, each[number] * math.exp(draw.normal(0, noise)))
                for name, each in levels.items()
            ),
        )
        for number in range(len(next(iter(levels.values()))))
    ]  # fmt: skip


def stepped(number: int, at: int, share: float, *, level: float = 2.0) -> list[float]:
    """So many nights at a level, that from the night ``at`` on is larger by this share."""
    return [level * (1 + share * (night >= at)) for night in range(number)]
