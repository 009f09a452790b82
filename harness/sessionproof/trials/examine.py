"""Running one test of a suite against one store, and saying what came of it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.guarantees import Guarantee
from sessionproof.contract.verdicts import Finding, Record, Verdict
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed, Trial
from sessionproof.workload.guard import CannotOpen


def examine(test: Callable[[Trial], object], trial: Trial, *, name: str, declared: bool) -> Record:
    """The record of one test. Exceptions that are no verdict (our own faults) go through.

    ``declared`` says whether the store declared its claims. Where it did not, a row that needs a
    claim is tried at the strongest level, but decides nothing.
    """
    row = trial.guarantee
    record = Record(
        guarantee=row.id,
        test=name,
        verdict=Verdict.HOLDS,
        gated=row.is_gated(declared=declared),
    )
    lacking = unmet(row, trial.capabilities, trial.claims)
    if lacking is not None:
        return replace(record, verdict=Verdict.NOT_CLAIMED, reason=lacking)
    start = monotonic_s()
    try:
        test(trial)
    except Broken as broken:
        record = replace(record, verdict=Verdict.BROKEN, findings=(broken.finding,))
    except CannotOpen as error:
        record = replace(record, verdict=Verdict.BROKEN, findings=(_does_not_open(error),))
    except CouldNotTell as reason:
        record = replace(record, verdict=Verdict.UNKNOWN, reason=str(reason))
    except NotClaimed as reason:
        record = replace(record, verdict=Verdict.NOT_CLAIMED, reason=str(reason))
    if not record.gated and record.verdict is Verdict.BROKEN:
        record = replace(
            record,
            verdict=Verdict.NOT_CLAIMED,
            reason="seen not to hold when tried without a claim",
        )
    return replace(
        record,
        examined=trial.examined[row.unit],
        duration_s=round(monotonic_s() - start, 3),
        notes=tuple(trial.notes),
        measured=tuple(trial.measured),
    )


def unmet(row: Guarantee, capabilities: Collection[str], claims: Claims) -> str | None:
    """What the store lacks for this guarantee to apply, in words; None when nothing."""
    missing = [need for need in row.needs if not {*need.split("|")} & {*capabilities}]
    if missing:
        lacking = ", no ".join(need.replace("|", " or ") for need in missing)
        return f"the store has no method {lacking}"
    if row.claim is not None and (lacking := row.claim.lacking(claims)):
        return f"the store does not claim {lacking}"
    return None


def _does_not_open(error: CannotOpen) -> Finding:
    return Finding(
        anomaly=Anomaly.UNEXPECTED_REFUSAL,
        did="opened the store",
        expected="it opens, as it did before",
        seen=str(error),
        evidence=error.evidence,
    )
