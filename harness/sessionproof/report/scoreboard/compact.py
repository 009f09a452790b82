"""From the result of a run to what a board keeps of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sessionproof.contract.anomalies import MEANINGS
from sessionproof.contract.groups import TITLES
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.verdicts import Finding
from sessionproof.report.brief import anywhere, brief
from sessionproof.report.plain import cut, short_program
from sessionproof.report.result import GuaranteeResult, RunResult
from sessionproof.report.scoreboard.board import Cost, Entry, Example, Promise, Row
from sessionproof.report.speed import alone, measurements

_TEXT_MOST = 1_000
_REASON_MOST = 400
_PROGRAM_LINES_MOST = 40
_LINE_MOST = 200
_SCRIPT_BYTES_MOST = 24_000  # those of crashes carry files
_LISTED_MOST = 40
_SCRIPT = re.compile(r"repro/[A-Z]+-\d+(-\d+)?\.py")

Hide = Callable[[str], str]


def with_result(entry: Entry, result: RunResult, folder: Path, hide: Hide) -> Entry:
    """The entry with what its run said; ``folder`` holds the run's report with its scripts.

    ``hide`` takes the paths of this machine out of a text.
    """
    return replace(
        entry,
        command=result.command,
        version=result.store_version or entry.version,
        python=result.environment.get("python", ""),
        sqlite=result.environment.get("sqlite", ""),
        sessionproof=result.sessionproof,
        claims=result.claims,
        claims_declared=result.claims_declared,
        capabilities=result.capabilities,
        not_representable=result.not_representable[:_LISTED_MOST],
        notes=tuple(cut(hide(note), _REASON_MOST) for note in result.notes[:_LISTED_MOST]),
        rows=tuple(_row(one, folder, hide) for one in result.guarantees),
        costs=_costs(result),
        started_at=result.started_at,
    )


def promises() -> dict[str, Promise]:
    """What each guarantee of the registry promises, by its id."""
    return {
        row.id: Promise(
            promise=row.promise,
            damage=row.damage,
            claim="" if row.claim is None else row.claim.words,
        )
        for row in GUARANTEES.values()
    }


def groups() -> dict[str, str]:
    """What each group is about, in the registry's order."""
    return {row.group: TITLES.get(row.group, "") for row in GUARANTEES.values()}


def hiding(folders: Mapping[Path, str]) -> Hide:
    """A function that puts words in the place of folders, the inner ones first.

    Private folders of runs go, too.
    """
    shown = sorted(folders.items(), key=lambda pair: -len(str(pair[0])))
    pairs = [(f"{folder}/", f"{words}/" if words else "") for folder, words in shown]

    def hide(text: str) -> str:
        for folder, words in pairs:
            text = text.replace(folder, words)
        return anywhere(text)

    return hide


def _row(one: GuaranteeResult, folder: Path, hide: Hide) -> Row:
    confirmed = [finding for finding in one.findings if _failed_alone(finding)]
    first = next(iter([*confirmed, *one.findings]), None)
    return Row(
        id=one.id,
        verdict=one.verdict,
        gated=one.gated,
        reason=cut(hide(one.reason), _REASON_MOST),
        examined=one.examined,
        unit=one.unit,
        findings=len(one.findings),
        confirmed=len(confirmed),
        example=None if first is None else _example(first, folder, hide),
    )


def _failed_alone(finding: Finding) -> bool:
    """Whether a script without the harness showed it once more."""
    return finding.reproducer is not None and finding.reproducer.fails is True


def _example(finding: Finding, folder: Path, hide: Hide) -> Example:
    made = finding.reproducer
    return Example(
        anomaly=finding.anomaly.value,
        meaning=MEANINGS[finding.anomaly],
        did=cut(brief(hide(finding.did)), _TEXT_MOST),
        expected=cut(brief(hide(finding.expected)), _TEXT_MOST),
        seen=cut(brief(hide(finding.seen)), _TEXT_MOST),
        program=_program(finding.program, hide),
        repeats=finding.repeats,
        fails=None if made is None else made.fails,
        said="" if made is None else cut(hide(made.said), _TEXT_MOST),
        script="" if made is None else hide(_script(folder, made.file)),
    )


def _program(lines: Sequence[str], hide: Hide) -> tuple[str, ...]:
    return tuple(cut(hide(one), _LINE_MOST) for one in short_program(lines, _PROGRAM_LINES_MOST))


def _script(folder: Path, file: str) -> str:
    """The text of a script below the run's report; empty where there is none, or it is long."""
    path = folder / file
    if not _SCRIPT.fullmatch(file) or not path.is_file():
        return ""
    data = path.read_bytes()
    return data.decode("utf-8", "replace") if len(data) <= _SCRIPT_BYTES_MOST else ""


def _costs(result: RunResult) -> tuple[Cost, ...]:
    """What was measured against a floor by a single client."""
    found = [(one.operation, one.ratio) for one in alone(measurements(result).speeds)]
    return tuple(
        Cost(operation=name, value=ratio.value, low=ratio.low, high=ratio.high)
        for name, ratio in found
        if ratio is not None
    )
