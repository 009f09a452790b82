"""Breaks of several guarantees that have one cause: all of them show the same change of a field.

A store that answers ``{}`` where None was sent is wrong wherever a message is read. Each of these
guarantees is broken, but the findings tell one mistake.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.verdicts import Finding, Verdict
from sessionproof.report.result import GuaranteeResult


@dataclass(frozen=True)
class Cause:
    """An anomaly, and the change that is all of it, as in "metadata: None became {}"."""

    anomaly: Anomaly
    change: str


def cause_of(finding: Finding) -> Cause | None:
    """The cause that a finding names; None where it was more than one change of one field.

    A finding of many clients, of a crash or of a schedule has evidence of its own, and none.
    """
    pictured = finding.window or finding.crash or finding.schedule
    return Cause(finding.anomaly, finding.change) if finding.change and not pictured else None


def causes(rows: Iterable[GuaranteeResult]) -> dict[str, str]:
    """By id, the first broken guarantee that has the one cause of all findings of this one."""
    first: dict[Cause, str] = {}
    same: dict[str, str] = {}
    for row in rows:
        if row.verdict is not Verdict.BROKEN:
            continue
        found = {cause_of(finding) for finding in row.findings}
        leaders = {first.get(cause) if cause else None for cause in found}
        if len(found) == 1 and (leader := leaders.pop()):
            same[row.id] = leader
        for cause in found:
            if cause is not None:
                first.setdefault(cause, row.id)
    return same


def apart(rows: Iterable[GuaranteeResult]) -> tuple[GuaranteeResult, ...]:
    """The guarantees with those first that share a cause, each before its followers.

    Whoever mends a shared cause has mended most, and sees what it hid.
    """
    rows = tuple(rows)
    led = {row.same_cause_as for row in rows}
    shared = [row.id for row in rows if row.id in led]

    def place(row: GuaranteeResult) -> int:
        leader = row.same_cause_as or row.id
        return shared.index(leader) if leader in shared else len(shared)

    return tuple(sorted(rows, key=place))


def first_of_each(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings without those whose cause one before them has."""
    seen: set[Cause] = set()
    kept = []
    for finding in findings:
        cause = cause_of(finding)
        if cause is None or cause not in seen:
            kept.append(finding)
        if cause is not None:
            seen.add(cause)
    return tuple(kept)


def with_causes(rows: Sequence[GuaranteeResult]) -> tuple[GuaranteeResult, ...]:
    """The guarantees, each with the one that has the same cause, if there is such."""
    same = causes(rows)
    return tuple(replace(row, same_cause_as=same.get(row.id)) for row in rows)
