"""The result for a terminal: a table, the findings in brief, the verdict, where the report lies.

Every line that carries text of a store starts with a gutter or the table's edge, so that no such
text ever stands at the start of a line, where a CI log would take ``::`` for a command.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sessionproof.contract.anomalies import MEANINGS
from sessionproof.contract.verdicts import Finding, Verdict
from sessionproof.report import amounts, crashes, damages, speed, words
from sessionproof.report.plain import cut, for_terminal, short_program
from sessionproof.report.result import GuaranteeResult, RunResult
from sessionproof.report.same_cause import apart, first_of_each
from sessionproof.report.speed import Measurements
from sessionproof.schedule.table_text import WIDTH, short_lines_of

FINDINGS_MAX = 3  # per guarantee; the page and result.json have more
PROGRAM_LINES_MAX = 12
REASONS_MAX = 12  # why guarantees are not claimed, each a line
LINE_CHARACTERS_MAX = 300
TEXT_CHARACTERS_MAX = 600
NOTE_CHARACTERS_MAX = 200
IDS_CHARACTERS_MAX = 3_000  # all that there are have room

_STYLES: dict[Verdict, str] = {
    Verdict.HOLDS: "green",
    Verdict.BROKEN: "bold red",
    Verdict.UNKNOWN: "yellow",
    Verdict.NOT_CLAIMED: "dim",
    Verdict.NOT_RUN: "dim",
}
_ASCII_SYMBOLS: dict[Verdict, str] = {
    Verdict.HOLDS: "+",
    Verdict.BROKEN: "x",
    Verdict.UNKNOWN: "?",
    Verdict.NOT_CLAIMED: "-",
    Verdict.NOT_RUN: ".",
}
_LABEL_WIDTH = 9
_SCHEDULE_LEAST = 60  # columns of a schedule, however narrow the terminal is


def print_summary(result: RunResult, console: Console, *, brief: bool = False) -> None:
    """Print a concluded result.

    A ``brief`` one has the verdict, and a line for each guarantee that fails the run. Works
    without colour, at any width, and in any encoding; nothing in the data is taken for markup or
    for a control sequence.
    """
    for warning in words.warnings(result):
        _print(console, "", warning, style="bold yellow")
    if brief:
        _print_what_fails(result, console)
    else:
        _print_all(result, console)


def _print_all(result: RunResult, console: Console) -> None:
    console.print(_table(result, console))
    _print_unclaimed(result, console)
    _print_not_run(result, console)
    print_speed(speed.measurements(result), console)
    for line in crashes.crash_lines(crashes.crash_rows(result)):
        _field(console, "crashes", cut(line, TEXT_CHARACTERS_MAX))
    for line in damages.damage_lines(damages.damage_rows(result)[: damages.FILES_MAX]):
        _field(console, "damage", cut(line, TEXT_CHARACTERS_MAX))
    for gated in (True, False):
        broken = apart(words.of(result, Verdict.BROKEN, gated=gated))
        for same, rows in groupby(broken, key=lambda row: _led(result, row)):
            if same:
                console.print()
                for line in words.same_causes([*rows]):
                    _print(console, f"{_symbol(Verdict.BROKEN, console)} ", line)
            for row in rows:
                _print_broken(result, row, console)
    console.print()
    _print_verdict(result, console)
    _print_ids(result, console)
    if not result.claims_declared and result.suggested_claims:
        _field(console, "claims", result.suggested_claims, fold=False)
    _field(console, "run again", result.command, fold=False)


def _print_what_fails(result: RunResult, console: Console) -> None:
    unknown = words.of(result, Verdict.UNKNOWN, gated=True)
    rows = [(row, words.same_cause(row) or row.promise) for row in words.new_breaks(result)]
    rows += [(row, words.reason(row)) for row in unknown if not words.accepted(result, row)]
    for row, text in rows:
        head = f"{_symbol(row.verdict, console)} "
        _print(console, head, cut(f"{row.id}: {text}", TEXT_CHARACTERS_MAX))
    _print_verdict(result, console)


def _print_verdict(result: RunResult, console: Console) -> None:
    overall = words.overall(result)
    style = "bold" if overall is Verdict.HOLDS else _STYLES[overall]
    _print(console, f"{_symbol(overall, console)} ", result.verdict, style=style)
    for note in filter(None, (words.seen_broken(result), words.short_look(result))):
        _print(console, "  ", note)


def _table(result: RunResult, console: Console) -> Table:
    table = Table(box=box.SQUARE, pad_edge=True, header_style="bold", highlight=False)
    for name, most in (("guarantee", 20), ("verdict", 16), ("examined", 18)):
        table.add_column(name, max_width=most, overflow="fold")  # an ellipsis is not in ASCII
    table.add_column("note", overflow="fold", ratio=1)
    folded = [row for rows in words.unclaimed_by_reason(result).values() for row in rows]
    for row in result.guarantees:
        if row.verdict is Verdict.NOT_RUN or row in folded:
            continue
        style = "dim" if words.unclaimed(row) else _STYLES[row.verdict]
        table.add_row(
            _text(console, cut(row.id, NOTE_CHARACTERS_MAX)),
            _text(console, f"{_symbol(row.verdict, console)} {row.verdict.shown}", style=style),
            _text(console, words.amount(row.examined, row.unit) if row.examined else ""),
            _text(console, _note(result, row)),
        )
    return table


def print_speed(measured: Measurements, console: Console) -> None:
    """The speeds in a table, a line for each growth, and for each memory that is not flat."""
    if measured.speeds:
        table = Table(box=box.SQUARE, pad_edge=True, header_style="bold", highlight=False)
        for name, right in (
            ("speed", False), ("clients", False), ("p50", True), ("ratio to the floor", True),
            ("per second", True),
        ):  # fmt: skip
            table.add_column(name, overflow="fold", justify="right" if right else "left")
        for row in measured.speeds:
            ratio = "" if row.ratio is None else amounts.interval(row.ratio)
            cells = (cut(row.operation, 40), cut(row.clients, 40),
                     amounts.duration(row.latency.p50_us), ratio,
                     amounts.digits(row.per_second))  # fmt: skip
            table.add_row(*(_text(console, cell) for cell in cells))
        console.print(table)
    for growth in measured.growths:
        words = speed.grown(growth, broken="growth" in measured.broken)[1]
        _field(console, "growth", cut(f"{growth.operation} along {growth.along}: {words}", 200))
    for memory in measured.memories:
        verdict, words = speed.kept(memory, broken="memory" in measured.broken)
        if verdict is Verdict.HOLDS:
            continue
        _field(console, "memory", cut(f"{memory.what}: {words}", 200))


def _note(result: RunResult, row: GuaranteeResult) -> str:
    """As many whole parts as there is room for, and how many more the page has."""
    parts = [*filter(None, [*words.marks(result, row), words.reason(row), *row.notes])]
    shown = len(parts)
    while shown > 1 and len("; ".join(parts[:shown])) > NOTE_CHARACTERS_MAX:
        shown -= 1
    left = len(parts) - shown
    more = [f"{left} more note{'s' * (left > 1)} in the report"] if left else []
    return "; ".join([cut("; ".join(parts[:shown]), NOTE_CHARACTERS_MAX), *more])


def _print_unclaimed(result: RunResult, console: Console) -> None:
    """What the store does not claim, by what it lacks for it where that takes few lines."""
    by_reason = words.unclaimed_by_reason(result)
    if len(by_reason) > REASONS_MAX:
        folded = {row.id for some in by_reason.values() for row in some}
        rows = tuple(row for row in result.guarantees if row.id in folded)
        said = f"not claimed, {len(rows)} of {len(result.guarantees)} (the page says why of each)"
        _print(console, "", f"{said}: {_ranges(rows)}", style="dim")
        return
    for reason, rows in by_reason.items():
        lacks = cut(reason.removeprefix("the store has "), NOTE_CHARACTERS_MAX)
        said = f"not claimed, {lacks}" if lacks else "not claimed"
        _print(console, "", f"{said}: {_ranges(rows)}", style="dim")


def _print_not_run(result: RunResult, console: Console) -> None:
    """What was left out, or the few that were not."""
    out = [row for row in result.guarantees if row.verdict is Verdict.NOT_RUN]
    ran = [row for row in result.guarantees if row.verdict is not Verdict.NOT_RUN]
    if out:
        some = f"all but {_ranges(ran)}" if 0 < len(ran) < len(out) else _ranges(out)
        _field(console, "not run", f"{len(out)} of {len(result.guarantees)}: {some}")


def _ranges(rows: Sequence[GuaranteeResult]) -> str:
    return words.ranges([cut(row.id, 40) for row in rows])


def _print_ids(result: RunResult, console: Console) -> None:
    """What to look for above, by name: the broken ones, and those that could not be told."""
    if broken := words.broken_ids(words.new_breaks(result)):
        _field(console, "broken", cut(broken, IDS_CHARACTERS_MAX))
    unknown = [row for row in result.guarantees if row.verdict is Verdict.UNKNOWN]
    if unknown:
        _field(console, "not told", _ranges(unknown))


def _led(result: RunResult, row: GuaranteeResult) -> bool:
    """Whether a line is enough, as another break explains it and there is nothing else to say."""
    return row.same_cause_as is not None and not words.marks(result, row)


def _print_broken(result: RunResult, row: GuaranteeResult, console: Console) -> None:
    marks = "".join(f" ({mark})" for mark in words.marks(result, row))
    if same := words.same_cause(row):
        title = cut(f"{row.id}{marks}: {same}", TEXT_CHARACTERS_MAX)
        _print(console, f"{_symbol(row.verdict, console)} ", title)
        return
    console.print()
    title = cut(f"{row.id}{marks}: {row.promise}", TEXT_CHARACTERS_MAX)
    _print(console, f"{_symbol(row.verdict, console)} ", title, style="bold" if row.gated else "")
    if row.reason:
        _field(console, "reason", cut(row.reason, TEXT_CHARACTERS_MAX))
    if row.known is not None:
        _field(console, "known", cut(row.known, TEXT_CHARACTERS_MAX))
    shown = first_of_each(row.findings)[:FINDINGS_MAX]
    for number, finding in enumerate(shown):
        _print(console, "", "")
        if as_before := _as_before(finding, shown[:number]):
            _field(console, "also", f"{cut(finding.did, TEXT_CHARACTERS_MAX)}: {as_before}")
            _print_script(finding, console)
        else:
            _print_finding(finding, console)
    if hint := words.hint(row):
        _field(console, "hint", hint)
    more = len(row.findings) - len(shown)
    if more > 0:
        _print(console, "", f"{more} more in result.json")


def _as_before(finding: Finding, before: Sequence[Finding]) -> str:
    """What of a finding of many clients one before it has shown; empty where nothing."""
    if finding.schedule and _schedule(finding) in map(_schedule, before):
        return "the same schedule"
    same = (one for one in before if one.anomaly is finding.anomaly and one.window is not None)
    return finding.anomaly.value if finding.window is not None and any(same) else ""


def _schedule(finding: Finding) -> list[str]:
    return short_lines_of(finding.schedule) if finding.schedule else []


def _print_finding(finding: Finding, console: Console) -> None:
    _field(console, "what", f"{finding.anomaly.value}: {MEANINGS[finding.anomaly]}")
    _field(console, "did", cut(finding.did, TEXT_CHARACTERS_MAX))
    _field(console, "expected", cut(finding.expected, TEXT_CHARACTERS_MAX))
    _field(console, "seen", cut(finding.seen, TEXT_CHARACTERS_MAX), style=_STYLES[Verdict.BROKEN])
    if finding.at:
        _field(console, "at", cut(finding.at, LINE_CHARACTERS_MAX))
    for sentence in () if finding.schedule else finding.reasons:
        _field(console, "because", cut(sentence, TEXT_CHARACTERS_MAX))
    if finding.schedule is not None:
        room = max(min(console.width - _LABEL_WIDTH - 3, WIDTH), _SCHEDULE_LEAST)
        for number, line in enumerate(short_lines_of(finding.schedule, width=room)):
            _field(
                console, "" if number else "schedule", cut(line, TEXT_CHARACTERS_MAX), fold=False
            )
    _print_program(finding, console)
    if finding.repeats is not None:
        _field(console, "failed", f"{words.again(cut(finding.repeats, 40))} when run again")
    _print_script(finding, console)
    if finding.repeat is not None:
        _field(console, "run again", finding.repeat, fold=False)


def _print_program(finding: Finding, console: Console) -> None:
    """The calls; not those that a schedule has, and not pieces of what many clients did."""
    calls = len(finding.program)
    if finding.schedule:
        return
    if finding.window is not None and calls > PROGRAM_LINES_MAX:
        _field(console, "program", f"{calls} calls, in the script and on the page")
        return
    alone = finding.window is None and finding.crash is None  # else no line is the guilty one
    program = short_program(finding.program, PROGRAM_LINES_MAX)
    for number, line in enumerate(program, start=1):
        guilty = "> " if alone and number == len(program) else "  "
        label = "program" if number == 1 else ""
        _field(console, label, guilty + cut(line, LINE_CHARACTERS_MAX), fold=False)


def _print_script(finding: Finding, console: Console) -> None:
    one = finding.reproducer
    if one is None:
        return
    said = f"; it said: {cut(one.said, LINE_CHARACTERS_MAX)}" if one.said else ""
    file = f"{cut(one.file, 200)}: {words.reproduced(one)}{said}"
    _field(console, "script", file if one.file else cut(one.said, LINE_CHARACTERS_MAX))


def _field(console: Console, label: str, text: str, *, style: str = "", fold: bool = True) -> None:
    _print(console, f"{label:<{_LABEL_WIDTH}} ", text, style=style, fold=fold)


def _print(console: Console, head: str, text: str, *, style: str = "", fold: bool = True) -> None:
    """A text with its head, every line of it behind the gutter.

    Without ``fold`` the text stays one line, however long, so that it can be copied and run.
    """
    gutter = f"{_encoded('│', '|', console)} "
    body = _text(console, text, style=style, lines=fold)
    room = max(console.width - len(gutter) - len(head), 20)
    lines = body.wrap(console, room, overflow="fold") if fold else [body]
    for number, line in enumerate(lines):
        line.rstrip()
        start = Text(gutter + (head if number == 0 else " " * len(head)), style="dim")
        console.print(Text.assemble(start, line), soft_wrap=True)


def _text(console: Console, text: str, *, style: str = "", lines: bool = False) -> Text:
    return Text(for_terminal(text, console.encoding, lines=lines), style=style)


def _symbol(verdict: Verdict, console: Console) -> str:
    return _encoded(words.SYMBOLS[verdict], _ASCII_SYMBOLS[verdict], console)


def _encoded(text: str, plainer: str, console: Console) -> str:
    try:
        text.encode(console.encoding)
    except UnicodeEncodeError:
        return plainer
    return text
