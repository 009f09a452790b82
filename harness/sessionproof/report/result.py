"""The run's result: records of tests merged by guarantee, one verdict, one exit code.

``result.json`` is this module's ``to_json``; its schema is ``result.schema.json`` beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeVar

from sessionproof.contract.guarantees import GUARANTEES, Guarantee
from sessionproof.contract.measurements import Measured
from sessionproof.contract.verdicts import Finding, Record, Verdict

M = TypeVar("M", bound=Measured)

SCHEMA_VERSION = 1

EXIT_HOLDS = 0
EXIT_BROKEN = 1
EXIT_USAGE = 2
EXIT_REGRESSION = 3
EXIT_UNKNOWN = 4
EXIT_NOTHING = 5
EXIT_INTERRUPTED = 130
EXITS_IN_ORDER = (
    EXIT_INTERRUPTED, EXIT_USAGE, EXIT_BROKEN, EXIT_NOTHING, EXIT_UNKNOWN, EXIT_REGRESSION,
    EXIT_HOLDS,
)  # fmt: skip
"""The first that applies is what a command ends with."""


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What a file of known breaks came to: ``mended`` and ``stale`` are ids.

    ``mended`` are listed and hold now. ``stale`` are listed and can be no break of this store, as
    it does not claim them. ``problems`` are sentences, one for each that fails the run.
    """

    file: str
    mended: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class GuaranteeResult:
    """A guarantee with its verdict: all records of its tests, merged.

    ``known`` is the reason that a baseline gives for a break; None when it is not listed there.
    Of a run with several seeds, ``seeds`` are those of each verdict, by its value; ``examined`` and
    ``duration_s`` are those of all together, and of equal anomalies the first is a finding.
    ``same_cause_as`` is the broken guarantee whose findings explain all findings of this one.
    """

    id: str
    group: str
    promise: str
    verdict: Verdict
    reason: str = ""
    examined: int = 0
    unit: str = ""
    least: int = 0
    duration_s: float = 0.0
    gated: bool = True
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    known: str | None = None
    measured: tuple[Measured, ...] = ()
    seeds: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    same_cause_as: str | None = None


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """All that a run says. ``store`` is the name as it was given; times are seconds, UTC ISO 8601.

    ``command`` is the shell command that runs the same again. The run had so many ``seeds``:
    ``seed`` and those that follow it.

    ``complete`` is False when the run was interrupted or cut short. ``suggested_claims`` is a
    line for the adapter of a store that declared none. ``notes`` are sentences about the run.
    ``timings`` say where its time went: seconds by name. They add up to ``duration_s``
    and the writing of the report, which is known when all else is written.
    """

    store: str
    store_version: str | None
    profile: str
    seed: int
    guarantees: tuple[GuaranteeResult, ...]
    sessionproof: str
    command: str = ""
    workers: int = 1
    claims: Mapping[str, Any] | None = None
    claims_declared: bool = True
    suggested_claims: str | None = None
    capabilities: tuple[str, ...] = ()
    not_representable: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    started_at: str = ""
    duration_s: float = 0.0
    complete: bool = True
    interrupted: bool = False
    accepted_unknown: tuple[str, ...] = ()
    exit_code: int = 0
    verdict: str = ""
    notes: tuple[str, ...] = ()
    baseline: Baseline | None = None
    timings: Mapping[str, float] = field(default_factory=dict)
    seeds: int = 1

    @property
    def seeds_shown(self) -> str:
        """``7``, or ``7 to 26``."""
        last = self.seed + self.seeds - 1
        return str(self.seed) if self.seeds == 1 else f"{self.seed} to {last}"


def merge(records: Iterable[Record], expected: Sequence[str] | None = None) -> tuple[
    GuaranteeResult, ...
]:  # fmt: skip
    """One result a guarantee, in the registry's order, by guarantee id and never by test.

    ``expected`` are the ids that the run was to examine; those without a record could not be
    told, and those of the registry that are not expected were not run.
    """
    by_id: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda record: record.test):
        by_id.setdefault(record.guarantee, []).append(record)
    wanted = set(GUARANTEES if expected is None else expected)
    return tuple(
        _merge_one(row, by_id.get(row.id, []), wanted=row.id in wanted)
        for row in GUARANTEES.values()
    )


def _merge_one(row: Guarantee, records: list[Record], *, wanted: bool) -> GuaranteeResult:
    empty = GuaranteeResult(
        id=row.id, group=row.group, promise=row.promise, verdict=Verdict.NOT_RUN,
        unit=row.unit, least=row.least,
    )  # fmt: skip
    if not records:
        if not wanted:
            return empty
        return replace(empty, verdict=Verdict.UNKNOWN, reason="the run ended before it was judged")
    seeds = sorted({record.seed for record in records if record.seed is not None})
    if len(seeds) < 2:
        return _of_one_seed(row, empty, records)
    return _of_seeds(
        {
            seed: _of_one_seed(row, empty, [one for one in records if one.seed == seed])
            for seed in seeds
        },
        first_seeds(records),
    )


def first_seeds(records: Iterable[Record]) -> dict[tuple[str, str], int]:
    """By guarantee and anomaly, the lowest seed that showed it: others show the same once more."""
    out: dict[tuple[str, str], int] = {}
    for record in records:
        for finding in record.findings:
            if record.seed is not None:
                key = (record.guarantee, finding.anomaly)
                out[key] = min(record.seed, out.get(key, record.seed))
    return out


def _of_seeds(
    by_seed: Mapping[int, GuaranteeResult], first: Mapping[tuple[str, str], int]
) -> GuaranteeResult:
    """What several seeds say of a guarantee: the worst, with the seeds that say so."""
    parts = list(by_seed.values())
    order = (Verdict.BROKEN, Verdict.UNKNOWN, Verdict.NOT_CLAIMED, Verdict.HOLDS)
    verdict = next(one for one in order if any(part.verdict is one for part in parts))
    worst = next(part for part in parts if part.verdict is verdict)
    seeds = {
        one.value: tuple(seed for seed, part in by_seed.items() if part.verdict is one)
        for one in order
    }
    seeds = {name: some for name, some in seeds.items() if some}
    said = len(seeds) > 1 or verdict is Verdict.BROKEN
    return replace(
        worst,
        examined=sum(part.examined for part in parts),
        duration_s=round(sum(part.duration_s for part in parts), 3),
        gated=any(part.gated for part in parts),
        findings=tuple(
            finding
            for seed, part in by_seed.items()
            for finding in part.findings
            if first[part.id, finding.anomaly] == seed
        ),
        notes=(
            *([_how_often(verdict, seeds[verdict.value], len(by_seed))] if said else []),
            *dict.fromkeys(note for part in parts for note in part.notes),
        ),
        measured=parts[0].measured,  # of one seed: a page with those of all would be long
        seeds=seeds,
    )


def _how_often(verdict: Verdict, seeds: Sequence[int], of: int) -> str:
    if len(seeds) == of:
        return f"{verdict.shown} with each of {of} seeds"
    return f"{verdict.shown} with {len(seeds)} of {of} seeds: {', '.join(map(str, seeds))}"


def _of_one_seed(
    row: Guarantee, empty: GuaranteeResult, records: Sequence[Record]
) -> GuaranteeResult:
    verdicts = {record.verdict for record in records}
    order = (Verdict.BROKEN, Verdict.UNKNOWN, Verdict.HOLDS, Verdict.NOT_CLAIMED)
    verdict = next(one for one in order if one in verdicts)
    if verdict is Verdict.HOLDS and any(record.findings for record in records):
        verdict = Verdict.NOT_CLAIMED  # a part was seen broken, in a row that decides nothing
    examined = sum(record.examined for record in records)
    reasons = [record.reason for record in records if record.verdict is verdict and record.reason]
    reason = "; ".join(dict.fromkeys(reasons))
    if verdict is Verdict.HOLDS and examined < row.least:
        verdict = Verdict.UNKNOWN
        reason = f"too little evidence: {examined} {row.unit} of at least {row.least}"
    return replace(
        empty,
        verdict=verdict,
        reason=reason,
        examined=examined,
        duration_s=round(sum(record.duration_s for record in records), 3),
        gated=any(record.gated for record in records),
        findings=tuple(finding for record in records for finding in record.findings),
        notes=tuple(dict.fromkeys(note for record in records for note in record.notes)),
        measured=tuple(one for record in records for one in record.measured),
    )


def concluded(result: RunResult) -> RunResult:
    """The result with its exit code and its verdict in a sentence."""
    code = exit_code(result)
    return replace(result, exit_code=code, verdict=_sentence(result, code))


def exit_code(result: RunResult) -> int:
    """The first that applies: interrupted, broken, nothing examined, could not tell, holds.

    A known break does not count; a stale entry of the baseline counts like a break.
    """
    examined = [one for one in result.guarantees if one.verdict in (Verdict.HOLDS, Verdict.BROKEN)]
    unknown = [
        one
        for one in result.guarantees
        if one.gated and one.verdict is Verdict.UNKNOWN and not is_accepted(result, one)
    ]
    if result.interrupted:
        return EXIT_INTERRUPTED
    if any(one.gated and is_new_break(one) for one in result.guarantees):
        return EXIT_BROKEN
    if result.baseline is not None and result.baseline.problems:
        return EXIT_BROKEN
    if not examined and not unknown:
        return EXIT_NOTHING
    if unknown or not result.complete:
        return EXIT_UNKNOWN
    return EXIT_HOLDS


def is_accepted(result: RunResult, one: GuaranteeResult) -> bool:
    """Whether the user accepts that this guarantee could not be judged."""
    return bool({one.id, one.group} & set(result.accepted_unknown))


def is_new_break(one: GuaranteeResult) -> bool:
    """Whether it is broken and no baseline lists it."""
    return one.verdict is Verdict.BROKEN and one.known is None


def counts(result: RunResult) -> dict[Verdict, int]:
    """How many guarantees have each verdict."""
    return {
        verdict: sum(one.verdict is verdict for one in result.guarantees) for verdict in Verdict
    }


def measured_once(result: RunResult, kind: type[M]) -> list[tuple[M, tuple[str, ...]]]:
    """What was measured of a kind, with its guarantees: each once, though several may have it."""
    known: list[tuple[M, list[str]]] = []
    for row in result.guarantees:
        for one in row.measured:
            if not isinstance(one, kind):
                continue
            names = next((names for other, names in known if other == one), None)
            if names is None:
                known.append((one, [row.id]))
            elif row.id not in names:
                names.append(row.id)
    return [(one, tuple(names)) for one, names in known]


def _sentence(result: RunResult, code: int) -> str:
    head = _head(result, code)
    if not result.claims_declared:
        return f"No claims: concurrency and durability not gated. {head}"
    return head


def _head(result: RunResult, code: int) -> str:
    number = counts(result)
    holds, unknown = number[Verdict.HOLDS], number[Verdict.UNKNOWN]
    untold = f", {unknown} could not be told" if unknown else ""
    new = sum(one.gated and is_new_break(one) for one in result.guarantees)
    known = _known(sum(one.known is not None for one in result.guarantees))
    also = f"; {known}" if known else ""
    match code:
        case 130:
            return f"Interrupted: {_guarantees(holds)} held so far, {new} broken{also}."
        case 1 if new:
            return f"{_guarantees(new)} broken{untold}{also}; {holds} hold."
        case 1:
            stale = len(result.baseline.stale) if result.baseline else 0
            entries = "entry" if stale == 1 else "entries"
            return f"{stale} stale {entries} in the baseline{also}; {holds} hold."
        case 5:
            return "Nothing was examined."
        case 4 if unknown:
            return f"Could not tell of {_guarantees(unknown)}{also}; {holds} hold."
        case 4:
            return f"The run was cut short; {_guarantees(holds)} held so far{also}."
        case _:
            return (f"{known}; {holds} hold." if known else _all_hold(holds)) + _accepted(result)


def _known(number: int) -> str:
    if not number:
        return ""
    return f"{number} known break{'' if number == 1 else 's'} (baseline)"


def _accepted(result: RunResult) -> str:
    accepted = sum(
        one.verdict is Verdict.UNKNOWN and is_accepted(result, one) for one in result.guarantees
    )
    return f" Could not tell of {_guarantees(accepted)} (accepted)." if accepted else ""


def _all_hold(number: int) -> str:
    if number == 1:
        return "The one guarantee that was judged holds."
    return f"All {number} guarantees that were judged hold."


def _guarantees(number: int) -> str:
    return f"{number} guarantee{'' if number == 1 else 's'}"


def to_json(result: RunResult) -> dict[str, Any]:
    """The result as JSON values, as ``result.schema.json`` describes them."""
    return {"schema": SCHEMA_VERSION, **asdict(result)}
