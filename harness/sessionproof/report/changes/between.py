"""What differs between two results: verdicts, ratios, and the circumstances of both runs.

A break is new, known or accepted by the words of ``report/result.py``, as in a run with a baseline.
Pure functions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sessionproof.contract.measurements import Growth, Ratio, Speed
from sessionproof.contract.verdicts import Verdict
from sessionproof.report.result import (
    EXIT_BROKEN,
    EXIT_HOLDS,
    EXIT_NOTHING,
    EXIT_UNKNOWN,
    GuaranteeResult,
    RunResult,
    is_accepted,
    is_new_break,
)
from sessionproof.report.speed import measurements
from sessionproof.report.words import JUDGED, claim_rows

_COULD_TELL = (Verdict.HOLDS, Verdict.BROKEN)
LEAST_CHANGE = 1.05
"""Two runs of the same store differ by some percent: a ratio counts as another from here on."""


class Kind(StrEnum):
    """What became of a guarantee, in the order in which it is told."""

    BROKE = "broke"  # it held
    UNSEEN = "unseen"  # it is broken, and nobody said before that it holds
    UNTOLD = "untold"
    WITHDRAWN = "withdrawn"  # its claim was
    KNOWN = "known"  # it is broken, and the baseline of the second run lists it
    OTHERWISE = "otherwise"  # it is broken in both, in another way
    MENDED = "mended"
    TOLD = "told"  # it holds, and nobody said so before
    OPEN = "open"  # it decides nothing in either


@dataclass(frozen=True, kw_only=True)
class Changed:
    """A guarantee in both runs; one that a run does not know was not run there."""

    kind: Kind
    before: GuaranteeResult
    after: GuaranteeResult


@dataclass(frozen=True, kw_only=True)
class ChangedSpeed:
    """An operation whose ratios to the floor lie apart, intervals and all."""

    operation: str
    clients: str
    before: Ratio
    after: Ratio

    @property
    def times(self) -> float:
        """What it costs now, as a multiple of before."""
        return self.after.value / self.before.value

    @property
    def is_slower(self) -> bool:
        """Whether it costs more."""
        return self.times > 1


@dataclass(frozen=True, kw_only=True)
class ChangedGrowth:
    """An operation whose cost grows otherwise with what lies in the store."""

    before: Growth
    after: Growth


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A circumstance that is not the same in both runs, as texts."""

    what: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Changes:
    """All that is not the same. ``notes`` are sentences that a reader must know first.

    ``common`` counts the guarantees that the first run could tell and the second judged.
    """

    before: RunResult
    after: RunResult
    notes: tuple[str, ...]
    differences: tuple[Difference, ...]
    rows: tuple[Changed, ...]
    common: int
    speeds: tuple[ChangedSpeed, ...] = ()
    growths: tuple[ChangedGrowth, ...] = ()

    def of(self, kind: Kind) -> tuple[Changed, ...]:
        """The rows of a kind, in the order of the registry."""
        return tuple(row for row in self.rows if row.kind is kind)


def changes(before: RunResult, after: RunResult) -> Changes:
    """What the second result says otherwise than the first."""
    pairs = tuple(_pairs(before, after))
    kinds = [(kind_of(*pair), pair) for pair in pairs]
    return Changes(
        before=before,
        after=after,
        notes=tuple(_notes(before, after, pairs)),
        differences=tuple(_differences(before, after)),
        rows=tuple(
            Changed(kind=kind, before=one, after=other)
            for kind, (one, other) in kinds
            if kind is not None
        ),
        common=sum(one.verdict in _COULD_TELL and other.verdict in JUDGED for one, other in pairs),
        speeds=tuple(_speeds(before, after)),
        growths=tuple(_growths(before, after)),
    )


def exit_code(found: Changes) -> int:
    """1 where something broke that held, 5 without a common row, 4 where it could not be told.

    What the second run accepts as not told, and what its baseline lists, fails nothing.
    """
    if found.of(Kind.BROKE):
        return EXIT_BROKEN
    if not found.common:
        return EXIT_NOTHING
    untold = [row for row in found.of(Kind.UNTOLD) if not is_accepted(found.after, row.after)]
    return EXIT_UNKNOWN if untold or found.of(Kind.UNSEEN) else EXIT_HOLDS


def kind_of(before: GuaranteeResult, after: GuaranteeResult) -> Kind | None:
    """What became of a guarantee; None where it is as it was, or was run once alone."""
    broken = after.verdict is Verdict.BROKEN and after.gated
    if Verdict.NOT_RUN in (before.verdict, after.verdict) and not broken:
        return None
    if _decides(before) and not _decides(after):
        return Kind.WITHDRAWN
    if not _decides(after):
        return None if before.verdict is after.verdict else Kind.OPEN
    match after.verdict:
        case Verdict.BROKEN:
            return _broken(before, after)
        case Verdict.UNKNOWN:
            same = before.verdict is Verdict.UNKNOWN and before.gated
            return None if same else Kind.UNTOLD
        case _ if before.verdict is Verdict.BROKEN:
            return Kind.MENDED
        case _:
            return None if before.verdict is Verdict.HOLDS and before.gated else Kind.TOLD


def _broken(before: GuaranteeResult, after: GuaranteeResult) -> Kind | None:
    if before.verdict is Verdict.BROKEN and before.gated:
        same = anomalies(before) == anomalies(after)
        return None if same else Kind.OTHERWISE
    if not is_new_break(after):
        return Kind.KNOWN
    return Kind.BROKE if before.verdict is Verdict.HOLDS else Kind.UNSEEN


def anomalies(row: GuaranteeResult) -> tuple[str, ...]:
    """The names of what went wrong, each once, sorted."""
    return tuple(sorted({one.anomaly.value for one in row.findings}))


def _decides(row: GuaranteeResult) -> bool:
    """Whether the row counts for the exit code of its run."""
    return row.gated and row.verdict in JUDGED


def _pairs(
    before: RunResult, after: RunResult
) -> Iterator[tuple[GuaranteeResult, GuaranteeResult]]:
    """Every guarantee of either run in both, those of the second first."""
    old = {row.id: row for row in before.guarantees}
    new = {row.id: row for row in after.guarantees}
    for name in dict.fromkeys([*new, *old]):
        yield old.get(name) or _absent(new[name]), new.get(name) or _absent(old[name])


def _absent(row: GuaranteeResult) -> GuaranteeResult:
    """The guarantee as in a run that does not know it."""
    return GuaranteeResult(
        id=row.id, group=row.group, promise=row.promise, verdict=Verdict.NOT_RUN,
        unit=row.unit, least=row.least,
    )  # fmt: skip


def _notes(
    before: RunResult,
    after: RunResult,
    pairs: tuple[tuple[GuaranteeResult, GuaranteeResult], ...],
) -> Iterator[str]:
    if before == after:
        yield "Both reports hold the same run."
    elif before.store != after.store:
        yield "These are runs of different stores: what is told here is no change of one of them."
    if before.started_at > after.started_at and "" not in (before.started_at, after.started_at):
        yield "The first run is the later one: before and after may be the wrong way round."
    for name, run in (("first", before), ("second", after)):
        if not run.complete:
            yield f"The {name} run is incomplete: it says only what was judged until it ended."
    for name, place in (("first", 0), ("second", 1)):
        ids = [
            pair[place].id
            for pair in pairs
            if pair[place].verdict in JUDGED and pair[1 - place].verdict is Verdict.NOT_RUN
        ]
        if ids:
            yield f"Judged in the {name} run alone: {_some(ids)}."


def _some(ids: list[str]) -> str:
    more = len(ids) - 12
    return ", ".join(ids[:12]) + (f" and {more} more" if more > 0 else "")


def _differences(before: RunResult, after: RunResult) -> Iterator[Difference]:
    """The circumstances that are not the same, what weighs most first."""
    old, new = dict(_circumstances(before)), dict(_circumstances(after))
    for what in dict.fromkeys([*old, *new]):
        one, other = old.get(what, "none"), new.get(what, "none")
        if one != other:
            yield Difference(what=what, before=one, after=other)


def _circumstances(run: RunResult) -> Iterator[tuple[str, str]]:
    yield "store", run.store
    yield "version", run.store_version or "not known"
    yield "claims", "declared" if run.claims_declared else "probed"
    for name, value, _ in claim_rows(run.claims or {}):
        yield f"claim {name}", value
    yield "optional methods", ", ".join(sorted(run.capabilities)) or "none"
    yield "not representable", ", ".join(sorted(run.not_representable)) or "nothing"
    yield "sessionproof", run.sessionproof
    yield "profile", run.profile
    yield "seed", run.seeds_shown
    yield "baseline", run.baseline.file if run.baseline is not None else "none"
    yield "accepted as not told", ", ".join(sorted(run.accepted_unknown)) or "none"
    for name, fact in run.environment.items():
        yield name, fact


def _speeds(before: RunResult, after: RunResult) -> Iterator[ChangedSpeed]:
    """The operations of both runs whose ratios to the same floor lie apart, the worst first."""
    old = {_row(one): one for one in measurements(before).speeds}
    found = []
    for one in measurements(after).speeds:
        known = old.get(_row(one))
        if known is None or known.ratio is None or one.ratio is None:
            continue
        changed = ChangedSpeed(
            operation=one.operation, clients=one.clients, before=known.ratio, after=one.ratio
        )
        if _apart(changed):
            found.append(changed)
    return iter(sorted(found, key=lambda one: -one.times))


def _row(one: Speed) -> tuple[str, str, str | None]:
    """What makes two rows comparable: a floor of another durability is another floor."""
    return one.operation, one.clients, one.floor


def _apart(one: ChangedSpeed) -> bool:
    if one.before.value <= 0 or one.after.value <= 0:
        return False
    times = one.times
    overlap = one.before.low <= one.after.high and one.after.low <= one.before.high
    return not overlap and max(times, 1 / times) >= LEAST_CHANGE


def _growths(before: RunResult, after: RunResult) -> Iterator[ChangedGrowth]:
    """The growths that both runs measured, with another verdict."""
    old: Mapping[tuple[str, str], Growth] = {
        (one.operation, one.along): one for one in measurements(before).growths
    }
    for one in measurements(after).growths:
        known = old.get((one.operation, one.along))
        if known is not None and known.verdict != one.verdict:
            yield ChangedGrowth(before=known, after=one)
