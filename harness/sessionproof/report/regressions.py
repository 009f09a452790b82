"""The pages of speed over time: two versions beside each other, a night, and the trend."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

import sessionproof
from sessionproof.bench.tracking.compared import Compared, Comparison
from sessionproof.bench.tracking.differences import differences
from sessionproof.bench.tracking.nights import LAST, Night, Nights
from sessionproof.bench.tracking.trend import Trends, newest
from sessionproof.contract.causes import Causes
from sessionproof.contract.verdicts import Verdict
from sessionproof.report import compared, courses, intervals, trends
from sessionproof.report.amounts import amount_of, digits
from sessionproof.report.html import environment
from sessionproof.report.write import write_whole
from sessionproof.svg import small

COMPARISON_PAGE = "comparison.html"
RUNS_MAX = 400  # of all stores of a page of trends; the other forms have all
_RUNS_LEAST = 40  # of one store, however many there are


def render_trends(every: Sequence[Trends]) -> str:
    """The page of the trend of each store's newest runs, what became slowest first."""
    nights = [trends.nightly(one) for one in every]
    every = [newest(one, max(_RUNS_LEAST, RUNS_MAX // max(len(every), 1))) for one in every]
    slower = any(one.change.share > 0 for one in trends.changes(every))
    return _rendered(
        "trend.html.j2",
        tone=_tone(slower=slower, untold=trends.is_untold(every)),
        every=every,
        nights=nights,
        summary=trends.summary(every),
        untold=trends.untold(every),
        courses=courses,
    )


def render_comparison(comparison: Comparison) -> str:
    """The page of two versions beside each other, what became slowest first."""
    rows = sorted(comparison.rows, key=_slowest)
    explained = [(row, differences(*row.causes)) for row in rows if row.causes]
    return _rendered(
        "compared.html.j2",
        tone=_tone(
            slower=bool(comparison.named("slower")),
            untold=bool(comparison.problem or comparison.named("undecided")),
        ),
        comparison=comparison,
        rows=rows,
        headline=_begun(compared.headline(comparison)),
        picture=intervals.comparison_picture(rows),
        explained=[(row, said) for row, said in explained if said or row.verdict == "slower"],
    )


def write_comparison_page(comparison: Comparison, directory: Path) -> Path:
    """Write the page into the existing folder; its path."""
    write_whole(directory / COMPARISON_PAGE, render_comparison(comparison))
    return directory / COMPARISON_PAGE


def render_nights(every: Sequence[Nights]) -> str:
    """The page of a night: each store's run beside the runs before it."""
    slower = [f"{row.operation} of {one.store}" for one in every for row in one.slower]
    gated = [row for one in every for row in one.rows if row.gated]
    untold = sum(row.verdict == "undecided" for row in gated)
    said = f"Slower, and further runs agree: {', '.join(slower)}." if slower else (
        f"None of {len(gated)} rows is known to be slower."
    )  # fmt: skip
    return _rendered(
        "nights.html.j2",
        tone=_tone(slower=bool(slower), untold=bool(untold)),
        every=every,
        summary=f"{said} Could not tell: {untold} of {len(gated)}." if untold else said,
        last=LAST,
        slowest=lambda rows: sorted(rows, key=_worst),
        differences=differences,
        spark=_spark,
    )


def _rendered(template: str, *, tone: Verdict, **given: Any) -> str:
    shared = {"trends": trends, "compared": compared, "intervals": intervals, "counted": counted}
    made = environment().get_template(template)
    return made.render(tone=tone, sessionproof=sessionproof.__version__, **shared, **given)


def _slowest(row: Compared) -> tuple[bool, float]:
    """What is slower stands first, and what is not known last."""
    return (row.ratio is None, -row.ratio.value if row.ratio else 0.0)


def _worst(row: Night) -> tuple[bool, bool, float]:
    """What is slower stands first, then what rose most; what is shown alone stands last."""
    return (not row.gated, row.verdict != "slower", -(row.change or 0.0))


def _begun(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _spark(row: Night) -> Markup | None:
    """The ratios of the runs before and of this one, as a small line."""
    if row.ratio is None or len(row.earlier) < 2:
        return None
    values = [*row.earlier, row.ratio.value]
    words = ", ".join(digits(value) for value in values)
    return small.spark([(float(at), value) for at, value in enumerate(values)],
                       label=f"ratios of the runs before, and of this one: {words}")  # fmt: skip


def write_trends(every: Sequence[Trends], directory: Path) -> Path:
    """Write the three forms into the existing folder, each whole; the path of the page."""
    said = json.dumps(trends.to_json(every), allow_nan=False)
    write_whole(directory / trends.JSON, said + "\n")
    write_whole(directory / trends.MARKDOWN, trends.render_markdown(every))
    write_whole(directory / trends.PAGE, render_trends(every))
    return directory / trends.PAGE


def _tone(*, slower: bool, untold: bool) -> Verdict:
    if slower:
        return Verdict.BROKEN
    return Verdict.UNKNOWN if untold else Verdict.HOLDS


def counted(causes: Causes) -> list[tuple[str, str]]:
    """What was counted of a call, by its name, and why the rest was not."""
    named = (
        ("steps of SQLite's machine", "steps", ""),
        ("connections opened", "connections", ""),
        ("written", "bytes_written", "bytes"),
        ("syncs", "syncs", ""),
        ("instructions of the processor", "instructions", ""),
    )
    rows = []
    for name, field, unit in named:
        value, missing = getattr(causes, field), (causes.missing or {}).get(field)
        if value is not None:
            rows.append((name, amount_of(value, unit).strip()))
        elif missing:
            rows.append((name, f"not known: {missing}"))
    return rows
