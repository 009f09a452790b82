"""The page of nights: the last one, strips of all, speed, where the time went, the seeds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

import sessionproof
from sessionproof.bench.tracking.archive import Archive, ArchiveRefused
from sessionproof.bench.tracking.trend import Trend, Trends, newest, trends
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.report import courses
from sessionproof.report import trends as trends_said
from sessionproof.report.html import environment
from sessionproof.report.nightly import files
from sessionproof.report.nightly.corpus import Corpus
from sessionproof.report.nightly.night import Night
from sessionproof.report.nightly.standing import BROKEN, Told, headline, missed, problems, tone
from sessionproof.report.nightly.strips import WORDS, WORST, groups_of
from sessionproof.report.nightly.words import render_markdown, slice_words, span
from sessionproof.report.regressions import write_trends
from sessionproof.report.write import write_whole
from sessionproof.svg.columns import Bar, columns
from sessionproof.svg.night_strip import NIGHTS_MOST, night_strip

PAGE, SUMMARY, TREND = "index.html", "summary.md", "trend"
ARCHIVE = "speed.db"
TOLD_MOST, ROWS_MOST, SLICES_MOST, ENTRIES_MOST = 60, 40, 300, 200
"""Limits that keep the page small; the JSON files have all."""
SPEEDS_MOST = 24
_RUNS_MOST = 60
_USUAL = ("append", "read_last", "get", "open")
_REPORT = re.compile(r"runs/[\w-]+/[\w-]+", re.ASCII)


def write_pages(
    folder: Path, night: Night, found: Sequence[Told], corpus: Corpus, code: int
) -> Path:
    """Write the page and the summary of the last night into the folder; the path of the page.

    ``found`` is what the night says, ``corpus`` what it leaves, ``code`` the command's exit code.
    """
    nights, unread = files.newest(folder, NIGHTS_MOST)
    speeds, refused = _speeds(folder / ARCHIVE)
    if speeds:
        (folder / TREND).mkdir(exist_ok=True)
        write_trends(speeds, folder / TREND)
    page = render_page(
        night, found, corpus, nights=nights, speeds=speeds, unread=[*unread, *refused], code=code
    )
    write_whole(folder / SUMMARY, render_markdown(night, found))
    write_whole(folder / PAGE, page)
    return folder / PAGE


def render_page(
    night: Night,
    found: Sequence[Told],
    corpus: Corpus,
    *,
    nights: Sequence[Night],
    speeds: Sequence[Trends] = (),
    unread: Sequence[str] = (),
    code: int = 0,
) -> str:
    """The page of the last ``night`` with those before; ``unread`` are sentences on files."""
    stores = list(dict.fromkeys([*night.stores, *(one for each in nights for one in each.stores)]))
    short = [newest(one, _RUNS_MOST) for one in speeds]
    most = max(2, SPEEDS_MOST // max(1, len(short)))
    return (
        environment()
        .get_template("nightly.html.j2")
        .render(
            tone=tone(found, code),
            night=night,
            nights=nights,
            found=found,
            corpus=corpus,
            headline=headline(found, night),
            problems=[*problems(night), *unread],
            missed=missed(night),
            several=len(night.stores) > 1,
            stores=[(store, groups_of(store, nights)) for store in stores],
            legend=[(one, WORDS[one]) for one in WORST],
            key=_key,
            broken=BROKEN,
            promise=_promise,
            harm=_harm,
            is_report=_is_report,
            span=span,
            slice_words=slice_words,
            spent=_spent(night),
            speeds=short,
            speed_summary=trends_said.summary(speeds) if speeds else "",
            untold=trends_said.untold(speeds) if speeds else "",
            shown_rows=lambda one: _shown_rows(one, most),
            trends=trends_said,
            courses=courses,
            told_max=TOLD_MOST,
            rows_max=ROWS_MOST,
            slices_max=SLICES_MOST,
            entries_max=ENTRIES_MOST,
            sessionproof=sessionproof.__version__,
        )
    )


def _speeds(archive: Path) -> tuple[Sequence[Trends], list[str]]:
    """The trends of all stores, and a sentence where the archive cannot be used."""
    if not archive.exists():
        return (), []
    try:
        with Archive.opened(archive, create=False) as opened:
            return trends(opened.runs(samples=False)), []
    except ArchiveRefused as error:
        return (), [str(error)]


def _shown_rows(one: Trends, most: int) -> list[Trend]:
    """The rows that the page shows: what changed, then what a chat does all day."""
    changed, level = trends_said.changed_first(one.rows)
    usual = [row for row in level if row.operation in _USUAL]
    return [*changed, *usual][:most]


def _spent(night: Night) -> Markup | None:
    """The seconds of each part, the longest first; None before the first slice."""
    seconds: Counter[str] = Counter()
    slices = Counter(one.asked.part for one in night.ran)
    for one in night.ran:
        seconds[one.asked.part] += round(one.seconds)
    bars = [
        Bar(part, float(value), f"{span(value)}, {slices[part]} slice{'s'[: slices[part] > 1]}")
        for part, value in seconds.most_common()
    ]
    return columns(bars, label="Seconds of each part of the night") if bars else None


def _key(class_: str) -> Markup:
    return night_strip([class_] * 3, label=WORDS[class_])


def _promise(row: str) -> str:
    known = GUARANTEES.get(row)
    return known.promise if known is not None else ""


def _harm(row: str) -> str:
    known = GUARANTEES.get(row)
    return known.damage if known is not None else ""


def _is_report(path: str) -> bool:
    """Whether a path leads to a report below the page's folder, and so may be a link."""
    return _REPORT.fullmatch(path) is not None
