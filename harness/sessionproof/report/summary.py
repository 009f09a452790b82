"""The result as Markdown, for a CI job's summary page and for pasting: short, and never too long.

A job's summary has a limit, and beyond it nothing at all is shown. So the summary is built of whole
sections, the most important first; what does not fit is left out whole and named at the end.
"""

from __future__ import annotations

from sessionproof.contract.anomalies import MEANINGS
from sessionproof.contract.verdicts import Finding, Verdict
from sessionproof.report import words
from sessionproof.report.amounts import digits, duration, interval
from sessionproof.report.crashes import crash_lines, crash_rows
from sessionproof.report.damages import FILES_MAX, damage_lines, damage_rows
from sessionproof.report.markdown import code, fenced, plain
from sessionproof.report.plain import short_program
from sessionproof.report.result import GuaranteeResult, RunResult
from sessionproof.report.speed import MACHINE, grown, measurements
from sessionproof.schedule.table_text import short_lines_of

SUMMARY_BYTES_MAX = 60_000
FINDINGS_MAX = 2  # per guarantee; the page and result.json have more
PROGRAM_LINES_MAX = 30
WARNINGS_MAX = 8
SPEEDS_MAX = 40
CRASHES_MAX = 12
SCHEDULE_CHARACTERS_MAX = 8_000
NOTE_CHARACTERS_MAX = 70
_LEFT_OUT_BYTES_MAX = 1_500  # room that is kept for saying what is left out


def render_summary(result: RunResult) -> str:
    """The summary of a concluded result: at most ``SUMMARY_BYTES_MAX`` bytes of UTF-8.

    Verdict, known breaks, each broken guarantee with its damage, program and reproducer, then the
    table of all. Nothing that a store said is taken for markup.
    """
    sections = [
        (row.id, _broken(title, row))
        for title, rows in (
            ("Broken", words.new_breaks(result)),
            ("Known break", words.known_breaks(result)),
            ("Seen broken, not claimed", words.tried(result)),
        )
        for row in rows
    ]
    measured = _speed(result)
    sections += [("the speeds", measured)] if measured else []
    crashed = crash_lines(crash_rows(result))[:CRASHES_MAX]
    if crashed:
        lines = "\n".join(f"- {plain(line, 300)}" for line in crashed)
        sections.append(("the crashes", f"Crashes, by what they let survive:\n\n{lines}"))
    damaged = damage_lines(damage_rows(result)[:FILES_MAX])
    if damaged:
        lines = "\n".join(f"- {plain(line, 300)}" for line in damaged)
        sections.append(("the damages", f"Damaged files, and what came of it:\n\n{lines}"))
    head, table = _head(result), _table(result)
    room = SUMMARY_BYTES_MAX - _LEFT_OUT_BYTES_MAX - _size(head)
    whole = _size(table) <= room * 2 // 3  # else it is one of monstrous names
    kept, left_out = _fitting(sections, room - _size(table) if whole else room)
    if whole:
        kept.append(table)
    else:
        left_out.insert(0, "the table")
    return "\n\n".join([head, *kept, *_said(left_out)]) + "\n"


def _fitting(sections: list[tuple[str, str]], room: int) -> tuple[list[str], list[str]]:
    """The texts that fit, in order, and the names of those that do not."""
    kept, left_out = [], []
    for name, text in sections:
        if _size(text) <= room:
            kept.append(text)
            room -= _size(text)
        else:
            left_out.append(name)
    return kept, left_out


def _said(left_out: list[str]) -> list[str]:
    """A sentence that names what is left out, as far as there is room for names."""
    names: list[str] = []
    room = _LEFT_OUT_BYTES_MAX - 200
    for name in left_out:
        names.append(plain(name, 40))
        room -= _size(names[-1])
        if room < 0:
            names.pop()
            break
    more = len(left_out) - len(names)
    also = f" and {more} more" if more else ""
    said = f"Left out here, and told in the report's index.html: {', '.join(names)}{also}."
    return [said] if left_out else []


def _size(text: str) -> int:
    return len(text.encode("utf-8")) + 2  # with the blank line


def _head(result: RunResult) -> str:
    symbol = words.SYMBOLS[words.overall(result)]
    version = f", version {code(result.store_version, 100)}" if result.store_version else ""
    parts = [
        f"## {symbol} {plain(result.verdict, 400)}",
        *(f"> **{plain(warning, 200)}**" for warning in words.warnings(result)[:WARNINGS_MAX]),
        f"Store {code(result.store, 300)}{version}, profile {code(result.profile, 100)}, "
        f"seed {result.seeds_shown}, {words.seconds(result.duration_s)} s.",
        _command("Run it again", result.command),
    ]
    if note := words.seen_broken(result):
        parts.insert(1, note)
    if not result.claims_declared and result.suggested_claims:
        claims = fenced(result.suggested_claims, "python", 2_000)
        parts.append(f"Claims that were seen to hold, for the adapter:\n\n{claims}")
    return "\n\n".join(filter(None, parts))


def _broken(title: str, row: GuaranteeResult) -> str:
    parts = [f"### {words.SYMBOLS[row.verdict]} {title}: {plain(row.id, 40)}", plain(row.promise)]
    if same := words.same_cause(row):
        return "\n\n".join([*parts, code(same)])
    if damage := words.damage(row):
        parts.append(f"**What it does to a chat:** {plain(damage)}")
    if row.known is not None:
        parts.append(f"**Known:** {code(row.known)}")
    if row.reason:
        parts.append(f"**Reason:** {code(row.reason)}")
    parts += [_finding(one) for one in row.findings[:FINDINGS_MAX]]
    more = len(row.findings) - FINDINGS_MAX
    if more > 0:
        parts.append(f"{more} more in result.json.")
    if not row.findings:
        parts.append("No finding was recorded.")
    return "\n\n".join(parts)


def _finding(finding: Finding) -> str:
    facts = [
        f"- **{finding.anomaly.value}**: {MEANINGS[finding.anomaly]}",
        f"- done: {code(finding.did)}",
        f"- expected: {code(finding.expected)}",
        f"- seen: {code(finding.seen)}",
    ]
    facts += [f"- at: {code(finding.at)}"] if finding.at else []
    facts += [f"- because: {code(sentence)}" for sentence in finding.reasons]
    if finding.repeats is not None:
        facts.append(f"- failed again: {code(finding.repeats, 40)}")
    if finding.reproducer is not None:
        one = finding.reproducer
        said = f"; it said: {code(one.said, 300)}" if one.said else ""
        facts.append(f"- reproducer {code(one.file, 200)}: {words.reproduced(one)}{said}")
    parts = ["\n".join(facts)]
    if finding.schedule is not None:
        table = short_lines_of(finding.schedule, most=PROGRAM_LINES_MAX)
        parts.append(fenced("\n".join(table), "text", SCHEDULE_CHARACTERS_MAX))
    if finding.program:
        program = short_program(finding.program, PROGRAM_LINES_MAX)
        parts.append(fenced("\n".join(line[:300] for line in program), "python"))
    if finding.repeat is not None:
        parts.append(_command("Repeat it", finding.repeat))
    return "\n\n".join(parts)


def _command(title: str, command: str) -> str:
    return f"{title}:\n\n{fenced(command, 'sh', 2_000)}" if command else ""


def _table(result: RunResult) -> str:
    rows = [row for row in result.guarantees if row.verdict is not Verdict.NOT_RUN]
    lines = [
        f"| {plain(row.id, 40)} | {words.SYMBOLS[row.verdict]} {row.verdict.shown} "
        f"| {plain(words.amount(row.examined, row.unit), 60) if row.examined else ''} "
        f"| {plain(_note(result, row), NOTE_CHARACTERS_MAX)} |"
        for row in rows
    ]
    not_run = len(result.guarantees) - len(rows)
    out = []
    if lines:
        out.append(
            "\n".join(["| guarantee | verdict | examined | note |", "|---" * 4 + "|", *lines])
        )
    if not_run:
        out.append(f"{not_run} of {len(result.guarantees)} were not run.")
    return "\n\n".join(out)


def _speed(result: RunResult) -> str:
    """What was measured, in short; empty where nothing was."""
    measured = measurements(result)
    lines = [
        f"| {plain(row.operation, 40)} | {plain(row.clients, 40)} "
        f"| {duration(row.latency.p50_us)} | {interval(row.ratio) if row.ratio else ''} "
        f"| {digits(row.per_second)} |"
        for row in measured.speeds[:SPEEDS_MAX]
    ]
    growths = [
        f"- growth of {plain(one.operation, 40)} along {plain(one.along, 40)}: "
        + plain(grown(one, broken="growth" in measured.broken)[1])
        for one in measured.growths[:SPEEDS_MAX]
    ]
    head = [
        "| speed | clients | p50 | ratio to the floor | per second |",
        "|---|---" + "|---:" * 3 + "|",
    ]
    out = ["\n".join([*head, *lines]), f"{MACHINE}."] if lines else []
    return "\n\n".join([*out, *(["\n".join(growths)] if growths else [])])


def _note(result: RunResult, row: GuaranteeResult) -> str:
    return "; ".join(filter(None, [*words.marks(result, row), words.reason(row)]))
