"""Gate B: whether a run is slower than the runs before it, and two further runs agree.

For runs that have nothing to stand beside. Each operation's ratio to its floor is held against the
median of the last fifteen runs of the same line, by the noise that they show; what lies above is
measured twice more by fresh processes, and only what all three say is a regression. Figures on how
often that is wrong: docs/regressions.md. Pure functions; logarithms are natural.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from sessionproof.bench.tracking.archived import ArchivedRun, Commit
from sessionproof.contract.causes import Causes
from sessionproof.contract.measurements import Ratio, Speed

LAST, LEAST = 15, 5
"""So many runs before a run are what is usual; of fewer than the least nothing can be said."""
AGREEING = 2
"""So many further runs have to agree that something is slower."""
MARGIN = 1.03
_NOISE = 4 * 1.4826  # four standard deviations, told by the median absolute deviation
_NOISE_MOST = 100.0  # a factor of 10^43: what a file says may be nonsense, and is to be a number
ONE_CLIENT = "one client"

_Row: TypeAlias = tuple[str, str, str | None]
NightVerdict: TypeAlias = Literal["slower", "faster", "same", "undecided"]


@dataclass(frozen=True, kw_only=True)
class Night:
    """An operation of a run against the same of the runs before.

    ``ratio`` is this run's cost as a multiple of the floor, None where it was not measured, and
    ``again`` those of the further runs that were asked. ``earlier`` are those of the runs before,
    the oldest first.
    ``usual`` is their median, and ``limit`` how many times the usual a run may cost; None where
    too few runs are known. ``reason`` is a sentence, or empty. A row that is not ``gated`` is
    shown alone: many clients, or no floor. ``causes`` are those of the last run before that has
    any, and of this run, for a row above its limit; None where they are not known.
    """

    operation: str
    clients: str
    verdict: NightVerdict
    ratio: Ratio | None
    again: tuple[Ratio, ...] = ()
    earlier: tuple[float, ...] = ()
    usual: float | None = None
    limit: float | None = None
    gated: bool = True
    reason: str = ""
    causes: tuple[Causes, Causes] | None = None

    @property
    def change(self) -> float | None:
        """How much more it costs than usual, 0.05 for 5 %; None where that is not known."""
        if self.ratio is None or self.usual is None:
            return None
        return self.ratio.value / self.usual - 1

    @property
    def is_above(self) -> bool:
        """Whether the first run lies above the limit of a gated row."""
        return self.gated and self.ratio is not None and _over(self.ratio, self)

    @property
    def is_open(self) -> bool:
        """Whether it is above its limit, and further runs have not decided it yet."""
        return self.is_above and self.verdict == "undecided"


@dataclass(frozen=True, kw_only=True)
class Nights:
    """A run held against its line. ``before`` says when the runs before began, oldest first.

    ``notes`` are sentences about the line, such as why it begins anew.
    """

    run: str
    line: str
    store: str
    version: str | None
    commit: Commit | None
    started_at: str
    machine: str
    before: tuple[str, ...]
    rows: tuple[Night, ...]
    notes: tuple[str, ...] = ()

    @property
    def slower(self) -> tuple[Night, ...]:
        """The rows that all runs show to be slower."""
        return tuple(row for row in self.rows if row.verdict == "slower")

    @property
    def above(self) -> tuple[Night, ...]:
        """The rows above their limits, whatever further runs said of them."""
        return tuple(row for row in self.rows if row.is_above)

    @property
    def open(self) -> tuple[Night, ...]:
        """The rows above their limits that a further run has to confirm."""
        return tuple(row for row in self.rows if row.is_open)


def judged(run: ArchivedRun, before: Sequence[ArchivedRun], *, notes: Iterable[str] = ()) -> Nights:
    """Hold the run against the runs before it in its line, the oldest first.

    What lies above its limit is undecided until ``confirmed`` is told of further runs.
    """
    last = before[-LAST:]
    known = _earlier(last)
    rows = (_night(speed, known.get(_row(speed), ())) for speed in run.speeds)
    return Nights(
        run=run.id,
        line=run.line,
        store=run.store,
        version=run.version,
        commit=run.commit,
        started_at=run.started_at,
        machine=run.machine.get("cpu", ""),
        before=tuple(one.started_at for one in last),
        rows=tuple(_explained(row, run, last) for row in rows),
        notes=(*notes, *_gone(run, last)),
    )


def confirmed(first: Nights, further: ArchivedRun | None) -> Nights:
    """The verdicts when a further run is known; None says that it could not be measured."""
    speeds = () if further is None else further.speeds
    again = {(one.operation, one.clients): one.ratio for one in speeds}
    rows = (
        _agreed(row, again.get((row.operation, row.clients))) if row.is_open else row
        for row in first.rows
    )
    return replace(first, rows=tuple(rows))


def _earlier(runs: Iterable[ArchivedRun]) -> Mapping[_Row, tuple[float, ...]]:
    """The ratios of each row in these runs; a row with another floor is another row."""
    found: dict[_Row, tuple[float, ...]] = {}
    for run in runs:
        for one in run.speeds:
            if one.ratio is not None and one.ratio.value > 0:  # a logarithm is taken of it
                found[_row(one)] = (*found.get(_row(one), ()), one.ratio.value)
    return found


def _gone(run: ArchivedRun, before: Sequence[ArchivedRun]) -> Iterator[str]:
    """A sentence for each row of one client that the last run had, and this one has not."""
    has = {(one.operation, one.clients) for one in run.speeds}
    for one in before[-1].speeds if before else ():
        if one.clients == ONE_CLIENT and (one.operation, one.clients) not in has:
            yield f"{one.operation} was measured in the run before, and is not in this one"


def _explained(row: Night, run: ArchivedRun, before: Sequence[ArchivedRun]) -> Night:
    """The row with what its calls did before and do now, if it is above its limit."""
    if not row.is_above:
        return row
    now = [one for one in run.causes if one.operation == row.operation]
    then = [one for old in before for one in old.causes if one.operation == row.operation]
    return replace(row, causes=(then[-1], now[0])) if then and now else row


def _row(speed: Speed) -> _Row:
    return speed.operation, speed.clients, speed.floor


def _night(speed: Speed, earlier: tuple[float, ...]) -> Night:
    gated = speed.clients == ONE_CLIENT and speed.floor is not None
    row = Night(
        operation=speed.operation, clients=speed.clients, verdict="undecided", ratio=speed.ratio,
        earlier=earlier, gated=gated,
    )  # fmt: skip
    if speed.ratio is None:
        return replace(row, reason=speed.note or "it has no floor to be held against")
    if len(row.earlier) < LEAST:
        known = len(row.earlier)
        runs = "1 run" if known == 1 else f"{known} runs"
        return replace(row, reason=f"{runs} before, and {LEAST} are needed")
    usual, limit = _usual(row.earlier)
    row = replace(row, usual=usual, limit=limit)
    if not gated:
        return replace(row, reason="only rows of one client are judged")
    if _over(speed.ratio, row):
        return replace(row, reason="above the limit, and no further run was made")
    below = speed.ratio.value * limit < usual
    return replace(row, verdict="faster" if below else "same")


def _agreed(row: Night, again: Ratio | None) -> Night:
    if again is None:
        return replace(row, reason="above the limit, and a further run could not measure it")
    row = replace(row, again=(*row.again, again))
    if not _over(again, row):
        return replace(row, verdict="same", reason="a further run did not confirm it")
    if len(row.again) < AGREEING:
        return replace(row, reason="above the limit, and one further run alone agrees")
    return replace(row, verdict="slower", reason="")


def _usual(earlier: Sequence[float]) -> tuple[float, float]:
    """The median of the ratios, and how many times that a run may cost."""
    logs = [math.log(one) for one in earlier]
    middle = statistics.median(logs)
    spread = statistics.median(abs(one - middle) for one in logs)
    return math.exp(middle), max(MARGIN, math.exp(min(_NOISE * spread, _NOISE_MOST)))


def _over(ratio: Ratio, row: Night) -> bool:
    return row.usual is not None and row.limit is not None and ratio.value > row.usual * row.limit
