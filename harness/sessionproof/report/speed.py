"""What a run measured, sorted for showing: rows of tables and their words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sessionproof.contract.measurements import Growth, Load, Measured, Memory, Size, Speed
from sessionproof.contract.verdicts import Verdict
from sessionproof.report.amounts import amount_of, count, digits, duration, slope
from sessionproof.report.promises import number_of
from sessionproof.report.result import RunResult

MACHINE = (
    "Times are this machine's and this hour's; only ratios, measured in the same rounds, carry over"
)


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """All that was measured, by kind, in the order of the run.

    ``broken`` are the kinds that broke a guarantee: what was measured once and not again does not.
    """

    speeds: tuple[Speed, ...] = ()
    sizes: tuple[Size, ...] = ()
    growths: tuple[Growth, ...] = ()
    loads: tuple[Load, ...] = ()
    memories: tuple[Memory, ...] = ()
    broken: frozenset[str] = frozenset()

    @property
    def any(self) -> bool:
        """Whether there is anything."""
        return bool(self.speeds or self.sizes or self.growths or self.loads or self.memories)


def measurements(result: RunResult) -> Measurements:
    """What was measured for any guarantee of the run."""
    every = [one for row in result.guarantees for one in row.measured]
    return Measurements(
        speeds=_of(Speed, every),
        sizes=_of(Size, every),
        growths=_of(Growth, every),
        loads=_of(Load, every),
        memories=_of(Memory, every),
        broken=frozenset(
            one.kind
            for row in result.guarantees
            if row.verdict is Verdict.BROKEN
            for one in row.measured
        ),
    )


def alone(speeds: Iterable[Speed]) -> tuple[Speed, ...]:
    """The first row of each operation: by a single client, where that was measured."""
    rows: dict[str, Speed] = {}
    for row in speeds:
        known = rows.setdefault(row.operation, row)
        if number_of(row.clients) < number_of(known.clients):
            rows[row.operation] = row
    return tuple(rows.values())


def throughputs(speeds: Iterable[Speed]) -> tuple[Speed, ...]:
    """The rows that say how throughput changes with the number of clients, by kind and number.

    They are all rows of the operations that several clients did at once.
    """
    rows = tuple(speeds)
    many = {row.operation for row in rows if number_of(row.clients) > 1}
    kinds = list(dict.fromkeys(map(kind_of, rows)))
    chosen = [row for row in rows if row.operation in many]
    return tuple(
        sorted(chosen, key=lambda row: (kinds.index(kind_of(row)), number_of(row.clients)))
    )


def kind_of(row: Speed) -> str:
    """``thread`` of ``4 threads``, ``process`` of ``4 processes, one session``."""
    kind = row.clients.partition(",")[0].partition(" ")[2] or row.clients
    if number_of(row.clients) == 1:
        return kind
    return kind.removesuffix("es") if kind.endswith("sses") else kind.removesuffix("s")


def claimed(row: Speed, *, broken: bool) -> tuple[Verdict, str] | None:
    """Whether the ratio stays below the claimed most, and the most; None where nothing is said.

    Only with ``broken`` was a ratio above it seen twice, and broke the guarantee.
    """
    if row.most is None:
        return None
    words = f"×{row.most:g}"
    if row.ratio is None:
        return Verdict.UNKNOWN, words
    if row.ratio.high <= row.most:
        return Verdict.HOLDS, words
    sure = broken and row.ratio.low > row.most
    return (Verdict.BROKEN, words) if sure else (Verdict.UNKNOWN, f"about {words}")


def calm(row: Speed) -> str:
    """The share of rounds that nothing disturbed; empty where no rounds were compared."""
    return f"{row.ratio.rounds / max(row.ratio.of, 1):.0%}" if row.ratio else ""


def grown(growth: Growth, *, broken: bool) -> tuple[Verdict, str]:
    """The verdict on a growth and its sentence: ``flat, slope 0.01 [0.00, 0.02]``.

    Only with ``broken`` was a growth seen twice, and broke the guarantee.
    """
    words = f"{growth.verdict}, slope {slope(growth)}"
    if growth.verdict == "flat":
        return Verdict.HOLDS, words
    sure = broken and growth.verdict != "undecided"
    return (Verdict.BROKEN if sure else Verdict.UNKNOWN), words


def growth_facts(growth: Growth) -> str:
    """What else a growth says: cost at both ends, at a million, steps, and what it cannot see."""
    ends = f"{count(growth.sizes[0])} → {count(growth.sizes[-1])} {growth.along}"
    parts = [
        f"{duration(growth.cost_us[0])} → {duration(growth.cost_us[-1])} for {ends} "
        f"(×{digits(growth.factor)})"
    ]
    if growth.sizes[-1] < 1_000_000:
        parts.append(f"at a million, if it goes on so: {duration(growth.at_million_us)}")
    if growth.steps:
        same = len({*growth.steps}) == 1
        steps = f"{growth.steps[0]:,}" if same else f"{growth.steps[0]:,} → {growth.steps[-1]:,}"
        parts.append(f"SQLite's steps a call: {steps}")
    if growth.limit:
        parts.append(f"what this cannot see: {growth.limit}")
    return "; ".join(parts)


def kept(memory: Memory, *, broken: bool) -> tuple[Verdict, str]:
    """Whether memory stays flat as far as can be seen, and its growth for each call."""
    words = f"{amount_of(memory.per_call, 'bytes')} a call"
    if memory.per_call <= memory.least:
        return Verdict.HOLDS, words
    return (Verdict.BROKEN if broken else Verdict.UNKNOWN), words


def knee(load: Load) -> str:
    """How much the store keeps up with, in a sentence."""
    closed = f"clients that wait for their answers reach {digits(load.closed_per_s)}"
    if load.knee_per_s is None:
        return f"it kept up with no offered rate; {closed} a second"
    return f"it keeps up with {digits(load.knee_per_s)} calls a second; {closed}"


def _of(kind: type, every: Iterable[Measured]) -> tuple[Any, ...]:
    return tuple(one for one in every if isinstance(one, kind))
