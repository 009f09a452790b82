"""The result as one self-contained page: no network, nothing beside it needed.

A small script narrows what is shown, and leads from finding to finding by keys. It is allowed by
its digest, so that nothing else runs, whatever a store said; without it the whole page is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sessionproof.contract.anomalies import MEANINGS
from sessionproof.contract.verdicts import Verdict
from sessionproof.report import (
    amounts,
    charts,
    crash_windows,
    crashes,
    damages,
    pictures,
    promises,
    reads,
    schedules,
    speed,
    traffic,
    windows,
    words,
)
from sessionproof.report.inline import digest, part
from sessionproof.report.plain import cut, short_program, shown
from sessionproof.report.result import GuaranteeResult, RunResult, counts
from sessionproof.schedule.table_text import remarks_of

# Limits that keep the page small however much a store says; result.json has it all.
FINDINGS_MAX = 5  # per guarantee
FINDINGS_OF_PAGE = 60
FEWER_ROWS = (60, 15)  # that have findings, where those of all are too much
PROGRAM_LINES_MAX = 40
LINE_CHARACTERS_MAX = 200
TEXT_CHARACTERS_MAX = 1_000
NOTE_CHARACTERS_MAX = 600
SHORT_CHARACTERS_MAX = 100  # of reasons and notes, where there is little room
COMMAND_CHARACTERS_MAX = 20_000  # commands are there to be copied
EVIDENCE_CHARACTERS_MAX = 4_000
EVIDENCE_PARTS_MAX = 4
ITEMS_MAX = 40  # notes, claims, facts in a list; a run has far fewer
PAGE_BYTES_MAX = 2 * 1024 * 1024

_BESIDE = re.compile(r"[A-Za-z0-9_][\w-]*(/[A-Za-z0-9_][\w-]*)*\.(py|npz|parquet)", re.ASCII)


def render_html(result: RunResult) -> str:
    """The page of a concluded result; it can always be encoded as UTF-8.

    Evidence and findings that would make it larger than ``PAGE_BYTES_MAX`` are left to
    result.json, and the page says so: first the evidence, then the findings of the last rows.
    """
    every = len(result.guarantees)
    whole = [(every, parts) for parts in (EVIDENCE_PARTS_MAX, 1, 0)]
    for rows, evidence in (*whole, *((fewer, 0) for fewer in FEWER_ROWS)):
        page = _fitting(_rendered(result, rows, evidence))
        if page is not None:
            return page
    return "".join(_rendered(result, 0, 0))


def _fitting(parts: Iterable[str]) -> str | None:
    """The page; None as soon as it has become too large, so that no store makes that take long."""
    kept, size = [], 0
    for one in parts:
        kept.append(one)
        size += len(one.encode("utf-8"))
        if size > PAGE_BYTES_MAX:
            return None
    return "".join(kept)


def _rendered(result: RunResult, rows: int, evidence: int) -> Iterator[str]:
    """The page with findings of so many rows, each with at most so many pieces of evidence.

    Where no row has any, reasons and notes are short, too.
    """
    judged, tried = words.judged(result), words.tried(result)
    detailed = {row.id for row in (*judged, *tried) if row.verdict is not Verdict.HOLDS}
    number, measured = counts(result), speed.measurements(result)
    busy, crashed = traffic.traffic_rows(result), crashes.crash_rows(result)
    damaged = damages.damage_rows(result)
    every = [one for row in result.guarantees for one in row.findings]
    template = environment().get_template("report.html.j2")
    script = part("report.js")
    return template.generate(
        result=result,
        counts=number,
        seen=[verdict for verdict in Verdict if number[verdict]],
        overall=words.overall(result),
        command=result.command,
        warnings=words.warnings(result),
        seen_broken=words.seen_broken(result),
        groups=words.grouped(result),
        broken=words.new_breaks(result),
        known=words.known_breaks(result),
        tried=tried,
        detailed=detailed,
        judged=judged,
        not_examined=words.not_examined(result),
        highest=pictures.evidence_top(judged),
        longest_s=max((row.duration_s for row in judged), default=0.0),
        claims=words.claim_rows(result.claims or {}),
        findings_max=_findings_max(
            (*words.new_breaks(result), *words.known_breaks(result), *tried), rows
        ),
        evidence_max=evidence,
        reason_max=TEXT_CHARACTERS_MAX if rows else SHORT_CHARACTERS_MAX,
        note_max=NOTE_CHARACTERS_MAX if rows else SHORT_CHARACTERS_MAX,
        measured=measured,
        promised=promises.promised(measured.speeds, measured.sizes),
        traffic=busy,
        traffic_pictures=traffic.traffic_pictures(busy),
        together=bool(busy) or any(one.window for one in every),
        crash_rows=crashed,
        crash_maps=crashes.crash_maps(crashed),
        damage_maps=damages.damage_maps(damaged),
        damages_more=len(damaged) - damages.FILES_MAX,
        crashed=bool(crashed) or any(one.crash for one in every),
        scheduled=any(one.schedule for one in every),
        script=Markup(script),  # noqa: S704 - our own file
        script_digest=digest(script),
        **drawn({result.store: measured}),
    )


def drawn(stores: Mapping[str, speed.Measurements]) -> dict[str, Any]:
    """What the templates draw of the measurements of one store, or of several by name."""
    named = [
        (charts.Named(name, place, measured.broken), measured)
        for place, (name, measured) in enumerate(stores.items())
    ]
    return {
        "machine": speed.MACHINE,
        "names": [name for name, _ in named],
        "percentiles": charts.percentile_picture(
            [(name, speed.alone(one.speeds)) for name, one in named]
        ),
        "throughput": charts.throughput_picture(
            [(name, speed.throughputs(one.speeds)) for name, one in named]
        ),
        "loads": charts.load_pictures([(name, one.loads) for name, one in named]),
        "growths": charts.growth_pictures([(name, one.growths) for name, one in named]),
    }


_WORDS = (
    "amount", "damage", "hint", "marks", "of", "reason", "reproduced", "same_cause", "seconds",
    "unclaimed",
)  # fmt: skip


@cache
def environment() -> Environment:
    """What all pages are rendered with: their parts, their words, and texts made safe."""
    made = Environment(
        loader=PackageLoader("sessionproof.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {name: getattr(words, name) for name in _WORDS}
    made.globals |= {
        "Verdict": Verdict,
        "meaning": MEANINGS.__getitem__,
        "symbol": words.SYMBOLS.__getitem__,
        "program": _program,
        "is_beside": _is_beside,
        "number_of": _number_of,
        "steps_picture": pictures.steps_picture,
        "evidence_bar": pictures.evidence_bar,
        "evidence_axis": pictures.evidence_axis,
        "time_bar": pictures.time_bar,
        "duration": amounts.duration,
        "digits": amounts.digits,
        "interval": amounts.interval,
        "amount_of": amounts.amount_of,
        "claimed": speed.claimed,
        "calm": speed.calm,
        "kept": speed.kept,
        "grown": speed.grown,
        "growth_facts": speed.growth_facts,
        "memory_spark": charts.memory_spark,
        "drawn_window": windows.drawn_window,
        "show_command": windows.show_command,
        "key_of": windows.key_of,
        "acts_max": windows.ACTS_MAX,
        "reads_table": reads.reads_table,
        "traffic_max": traffic.ROWS_MAX,
        "drawn_crash": crash_windows.drawn_crash,
        "crashes_max": crashes.ROWS_MAX,
        "drawn_schedule": schedules.drawn_schedule,
        "remarks_of": remarks_of,
    }
    made.filters |= {
        "text": _text,
        "evidence": _evidence,
        "command": _command,
        "script": _script,
        "some": _some,
        "tone": _tone,
    }
    return made


def _findings_max(broken: Sequence[GuaranteeResult], rows: int) -> dict[str, int]:
    """How many findings each guarantee may show, by its id: none where there is no room."""
    each = max(1, min(FINDINGS_MAX, FINDINGS_OF_PAGE // max(len(broken), 1)))
    return {row.id: each if place < rows else 0 for place, row in enumerate(broken)}


def _some(items: Iterable[Any]) -> list[Any]:
    """The first of many."""
    return list(islice(items, ITEMS_MAX))


def _finalize(value: object) -> str:
    """Every value that a template puts out passes here: no text can forget to be made safe."""
    return value if isinstance(value, Markup) else shown(cut(str(value), TEXT_CHARACTERS_MAX))


def _text(text: str, limit: int = TEXT_CHARACTERS_MAX) -> Markup:
    """A text of one or more lines, cut; its newlines stay."""
    return Markup.escape(shown(cut(text, limit), lines=True))


def _evidence(text: str) -> Markup:
    return _text(text, EVIDENCE_CHARACTERS_MAX)


def _command(text: str) -> Markup:
    return _text(text, COMMAND_CHARACTERS_MAX)


def _program(lines: tuple[str, ...]) -> list[str]:
    return [cut(line, LINE_CHARACTERS_MAX) for line in short_program(lines, PROGRAM_LINES_MAX)]


def _script(lines: tuple[str, ...]) -> Markup:
    """A script whole, so that it can be copied; one that is too long for the page is cut."""
    return _text("\n".join(lines), COMMAND_CHARACTERS_MAX)


def _is_beside(file: str) -> bool:
    """Whether a path leads to a file below the page's own folder, and so may be a link."""
    return _BESIDE.fullmatch(file) is not None


def _number_of(row: GuaranteeResult) -> str:
    """The part of the id that differs within its group."""
    return row.id.removeprefix(f"{row.group}-")


def _tone(verdict: Verdict) -> str:
    """The class that colours a verdict."""
    return verdict.shown.replace(" ", "-")
