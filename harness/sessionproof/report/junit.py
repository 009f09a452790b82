"""The result as JUnit XML, for CI: red there exactly when the run's exit code is not 0."""

from __future__ import annotations

from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element, SubElement

from sessionproof.contract.anomalies import MEANINGS
from sessionproof.contract.verdicts import Finding, Verdict
from sessionproof.report import words
from sessionproof.report.plain import cut, short_program, shown
from sessionproof.report.result import EXIT_HOLDS, GuaranteeResult, RunResult, is_new_break
from sessionproof.schedule.table_text import short_lines_of

TEXT_CHARACTERS_MAX = 4_000
PROGRAM_LINES_MAX = 100
FINDINGS_MAX = 5


def render_junit(result: RunResult) -> str:
    """One testcase a guarantee, and one for the run itself.

    Broken is a failure and could not tell an error, as far as they decide; accepted, known, not
    gated, not claimed and not run are skipped. The run's own case is an error when no guarantee
    explains an exit code other than 0, or when the run did not end by itself.
    """
    suites = Element("testsuites", name="sessionproof")
    suite = SubElement(suites, "testsuite", name="sessionproof")
    _properties(
        suite,
        store=result.store,
        store_version=result.store_version or "",
        profile=result.profile,
        seed=result.seed,
        verdict=result.verdict,
        exit_code=result.exit_code,
        sessionproof=result.sessionproof,
    )
    for row in result.guarantees:
        _guarantee(suite, result, row)
    _run(suite, result)
    for element in (suites, suite):
        element.set("tests", str(len(suite.findall("testcase"))))
        element.set("failures", str(len(suite.findall("testcase/failure"))))
        element.set("errors", str(len(suite.findall("testcase/error"))))
        element.set("skipped", str(len(suite.findall("testcase/skipped"))))
        element.set("time", f"{result.duration_s:.3f}")
    if result.started_at:
        suite.set("timestamp", shown(result.started_at))
    text = ET.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'


def _guarantee(suite: Element, result: RunResult, row: GuaranteeResult) -> None:
    case = _case(suite, row.group, f"{row.id} {row.promise}", row.duration_s)
    _properties(
        case,
        guarantee=row.id,
        verdict=row.verdict.shown,
        examined=row.examined,
        unit=row.unit,
        seed=result.seed,
    )
    parts = [*words.marks(result, row), row.verdict.shown, words.reason(row)]
    message = ": ".join(filter(None, parts))
    tag = _outcome(result, row)
    if tag is not None:
        outcome = SubElement(case, tag, message=shown(cut(message, TEXT_CHARACTERS_MAX)))
        if tag != "skipped":
            outcome.set("type", row.verdict.shown)
        outcome.text = _account(row) or None


def _outcome(result: RunResult, row: GuaranteeResult) -> str | None:
    if row.verdict is Verdict.HOLDS:
        return None
    if row.gated and is_new_break(row):
        return "failure"
    if row.gated and row.verdict is Verdict.UNKNOWN and not words.accepted(result, row):
        return "error"
    return "skipped"


def _run(suite: Element, result: RunResult) -> None:
    case = _case(suite, "run", "the run was completed and its verdict is good or explained", 0.0)
    if result.exit_code == EXIT_HOLDS:
        return
    explained = {"failure", "error"} & {element.tag for element in suite.iter()}
    if not explained or result.interrupted or not result.complete:
        message = " ".join([*words.warnings(result), result.verdict])
        SubElement(case, "error", message=shown(message), type=f"exit code {result.exit_code}")


def _account(row: GuaranteeResult) -> str:
    """The findings as text of several lines; empty when there are none."""
    blocks = [same] if (same := words.same_cause(row)) else []
    blocks += [_finding(finding) for finding in row.findings[:FINDINGS_MAX]]
    more = len(row.findings) - FINDINGS_MAX
    if more > 0:
        blocks.append(f"{more} more findings are in result.json")
    return shown("\n\n".join(blocks), lines=True)


def _finding(finding: Finding) -> str:
    lines = [
        f"{finding.anomaly.value}: {MEANINGS[finding.anomaly]}",
        f"did: {cut(finding.did, TEXT_CHARACTERS_MAX)}",
        f"expected: {cut(finding.expected, TEXT_CHARACTERS_MAX)}",
        f"seen: {cut(finding.seen, TEXT_CHARACTERS_MAX)}",
    ]
    lines += [f"at: {cut(finding.at, TEXT_CHARACTERS_MAX)}"] if finding.at else []
    lines += [f"because: {cut(sentence, TEXT_CHARACTERS_MAX)}" for sentence in finding.reasons]
    if finding.schedule is not None:
        table = (cut(line, TEXT_CHARACTERS_MAX) for line in short_lines_of(finding.schedule))
        lines += ["schedule:", *(f"    {line}" for line in table)]
    if finding.program:
        program = short_program(finding.program, PROGRAM_LINES_MAX)
        lines += ["program:", *(f"    {cut(line, TEXT_CHARACTERS_MAX)}" for line in program)]
    if finding.repeats is not None:
        lines.append(f"failed again: {finding.repeats}")
    if finding.reproducer is not None:
        one = finding.reproducer
        said = f"; it said: {cut(one.said, TEXT_CHARACTERS_MAX)}" if one.said else ""
        lines.append(f"reproducer: {one.file}: {words.reproduced(one)}{said}")
    if finding.repeat is not None:
        lines.append(f"repeat: {finding.repeat}")
    return "\n".join(lines)


def _case(suite: Element, group: str, name: str, duration_s: float) -> Element:
    return SubElement(
        suite, "testcase", classname=shown(group), name=shown(name), time=f"{duration_s:.3f}"
    )


def _properties(owner: Element, **values: str | int) -> None:
    properties = SubElement(owner, "properties")
    for name, value in values.items():
        SubElement(properties, "property", name=name, value=shown(str(value)))
