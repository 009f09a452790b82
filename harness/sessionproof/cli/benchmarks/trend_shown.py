"""What ``sessionproof bench trend`` does: read the archive, print and write the trends."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from sessionproof.bench.tracking.archive import Archive, ArchiveRefused
from sessionproof.bench.tracking.archived import ArchivedRun
from sessionproof.bench.tracking.trend import Trends, trends
from sessionproof.cli.lines import cell, line
from sessionproof.cli.upkeep import say
from sessionproof.engine import addresses
from sessionproof.engine.machine import make_report_folder
from sessionproof.engine.plan import BadUsage
from sessionproof.report.amounts import digits
from sessionproof.report.regressions import write_trends
from sessionproof.report.result import EXIT_HOLDS, EXIT_USAGE
from sessionproof.report.trends import (
    COMMITS_MAX,
    Told,
    between,
    changes,
    explained,
    headed,
    named,
    percent,
    row_of,
    summary,
)

_CHARACTERS_MAX = 400


def show(store: str | None, *, archive: Path, since: str | None, report: Path) -> int:
    """Print and write the trends of the archive; the exit code."""
    console = Console(stderr=True)
    try:
        every = trends(_runs(archive, store, since))
        make_report_folder(report)
        page = write_trends(every, report)
    except (BadUsage, ArchiveRefused) as error:
        say(console, f"sessionproof: {error}")
        return EXIT_USAGE
    except OSError as error:
        say(console, f"sessionproof: --report {report} cannot be written: {error.strerror}")
        return EXIT_USAGE
    print_trends(every, Console())
    say(Console(), f"report: {page}")
    return EXIT_HOLDS


def _runs(path: Path, store: str | None, since: str | None) -> list[ArchivedRun]:
    """The runs that were asked for. Raises BadUsage where there are none.

    An address is looked for as it is kept and shown, without its password.
    """
    store = None if store is None else addresses.named(store)
    if since is not None and not _is_day(since):
        raise BadUsage(f"--since {since} is no day: write it as 2026-01-31")
    with Archive.opened(path, create=False) as archive:
        runs = list(archive.runs(samples=False))
    stores = list(dict.fromkeys(run.store for run in runs))
    if store is not None and store not in stores:
        known = ", ".join(stores) or "none"
        raise BadUsage(f"{path} has no runs of {store!r}: it has those of {known}")
    own = [run for run in runs if store in (None, run.store)]
    chosen = [run for run in own if run.when[0] >= (since or "")]
    if own and not chosen:
        raise BadUsage(f"{path} has no runs since {since}: the last is of {own[-1].when[0]}")
    return chosen


def _is_day(text: str) -> bool:
    """Whether it is a day of the calendar in the form in which times are kept."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def print_trends(every: Sequence[Trends], console: Console) -> None:
    """The changes as a table, and below it what is known of each."""
    found = changes(every)
    if found:
        table = Table(box=box.SQUARE, header_style="bold", highlight=False, show_lines=True)
        for head in ("store", "operation", "before", "after", "change", "since"):
            table.add_column(head, overflow="fold")
        for one in found:
            table.add_row(*(cell(console, text, most=_CHARACTERS_MAX) for text in _cells(one)))
        console.print(table)
    for one in found:
        line(console, f"| {headed(one, every)}", most=_CHARACTERS_MAX)
        lines = [between(one), *(named(commit) for commit in one.change.commits[:COMMITS_MAX])]
        for text in (*lines, *explained(one.change), *one.change.facts):
            line(console, f"|   {text}", most=_CHARACTERS_MAX)
    line(console, f"| {summary(every)}", most=_CHARACTERS_MAX)


def _cells(one: Told) -> tuple[str, ...]:
    change = one.change
    levels = (f"×{digits(level)}" for level in (change.before, change.after))
    return (one.store, row_of(one.trend), *levels, percent(change.share), one.first.when[0][:10])
