"""How soon the trend shows a change, and how often it shows one that is none.

``python benchmarks/trend_delay.py`` draws series of nights and looks at each as the archive grows,
night by night, the way that ``bench trend`` does. A night's ratio is its level times noise: normal
in logarithms, and in one kind of series one night of twenty has four times the spread. ``--runs
FILE`` takes the noise from runs that ``regressions.py nights --out FILE`` recorded, drawn with
replacement. It prints how many series of sixty equal nights ever showed a change, and after how
many nights at a new level the change was shown, and at which night.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sessionproof.bench.tracking.trend import seen_twice

NIGHTS, BEFORE = 60, 40
SPREADS = (0.005, 0.010, 0.015)
SLOWER = (0.05, 0.10, 1.00)
ODD, WIDER = 0.05, 4.0  # a night of twenty, where nights are disturbed

Noise: TypeAlias = NDArray[np.float64]
"""Logarithms of what a night's ratio is multiplied with; shape (nights,)."""


def noise(
    draw: np.random.Generator, spread: float, *, odd: float = 0.0, nights: int = NIGHTS
) -> Noise:
    """Nights of this spread; the share ``odd`` of them is disturbed."""
    wider = np.where(draw.random(nights) < odd, WIDER, 1.0)
    return draw.normal(0, spread, nights) * wider


def recorded(
    draw: np.random.Generator, rows: Sequence[Sequence[float]], nights: int = NIGHTS
) -> Noise:
    """Nights of one of the rows, drawn from those that were recorded, around their median."""
    logs = np.log(np.asarray(rows[draw.integers(len(rows))]))
    return draw.choice(logs - np.median(logs), nights)


def rows_of(path: Path) -> list[list[float]]:
    """The ratios of each operation in the runs that were recorded of equal versions."""
    runs = [
        run
        for name, some in json.loads(path.read_text("utf-8")).items()
        if name.startswith("0 ")
        for run in some
    ]
    return [[run[operation] for run in runs] for operation in runs[0]]


def false_alarm(nights: Noise) -> bool:
    """Whether equal nights ever showed a change, on whatever day one looked."""
    values = np.exp(nights)
    return any(seen_twice(values[:end].tolist()) for end in range(2, len(values) + 1))


def delay(nights: Noise, share: float, *, before: int = BEFORE) -> tuple[int, int] | None:
    """After how many nights at the new level the change is shown, and by how many it is off.

    Off by 0 names the right night. None where it is never shown within five of its night.
    """
    logs = nights + np.where(np.arange(len(nights)) >= before, np.log1p(share), 0.0)
    values = np.exp(logs)
    for end in range(before + 1, len(values) + 1):
        near = [at - before for at in seen_twice(values[:end].tolist()) if abs(at - before) <= 5]
        if near:
            return end - before, min(near, key=abs)
    return None


def said(delays: Sequence[tuple[int, int] | None]) -> str:
    """The cells of a slowdown: found, after how many nights, and how often at the right night."""
    found = [one for one in delays if one is not None]
    if not found:
        return f"0 of {len(delays)} | – | –"
    half, most = np.percentile([one for one, _ in found], (50, 95))
    exact = sum(off == 0 for _, off in found)
    return f"{len(found)} of {len(delays)} | {half:.0f}, {most:.0f} | {exact} of {len(found)}"


def table(name: str, series: Sequence[Noise]) -> None:
    """Print the rows of one kind of noise."""
    alarms = sum(map(false_alarm, series))
    last = sum(bool(seen_twice(np.exp(one).tolist())) for one in series)
    for share in SLOWER:
        cells = said([delay(one, share) for one in series])
        equal = f"{alarms} of {len(series)}, {last}"
        sys.stdout.write(f"| {name} | {equal} | {100 * share:g} % | {cells} |\n")
    sys.stdout.flush()


def main() -> None:
    """Read the arguments, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=Path, help="runs that regressions.py recorded")
    given = parser.parse_args()
    heads = ("noise", "equal nights: changes on any night, on the last", "slower by", "shown",
             "after nights: median, 95 %", "at the right night")  # fmt: skip
    sys.stdout.write(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|\n")
    draw = np.random.default_rng(given.seed)
    if given.runs is not None:
        rows = rows_of(given.runs)
        table("as recorded", [recorded(draw, rows) for _ in range(given.series)])
        return
    for odd, name in ((0.0, "normal"), (ODD, "one of 20 nights disturbed fourfold")):
        for spread in SPREADS:
            series = [noise(draw, spread, odd=odd) for _ in range(given.series)]
            table(f"{100 * spread:g} %, {name}", series)


if __name__ == "__main__":
    main()
