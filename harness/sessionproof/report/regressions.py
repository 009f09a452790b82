"""The pages of speed over time: two versions beside each other, a night, and the trend."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import sessionproof
from sessionproof.bench.tracking.trend import Trends
from sessionproof.contract.causes import Causes
from sessionproof.contract.verdicts import Verdict
from sessionproof.report import courses, trends
from sessionproof.report.amounts import amount_of
from sessionproof.report.html import environment
from sessionproof.report.write import write_whole

ROWS_MAX = 400  # runs of the table; trend.json has all


def render_trends(every: Sequence[Trends]) -> str:
    """The page of the trend of each store, what became slowest first."""
    nights = [trends.nightly(one) for one in every]
    found = trends.changes(every)
    slower = any(one.change.share > 0 for one in found)
    return (
        environment()
        .get_template("trend.html.j2")
        .render(
            every=every,
            nights=nights,
            courses=courses,
            trends=trends,
            counted=counted,
            summary=trends.summary(every),
            untold=trends.untold(every),
            rows_max=ROWS_MAX,
            tone=_tone(slower=slower, untold=bool(trends.untold(every))),
            sessionproof=sessionproof.__version__,
        )
    )


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
