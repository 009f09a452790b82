"""``sessionproof health``: how a store of the reference is, at a quick look."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sessionproof.cli.places import place_of, schema_option, where

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from sessionproof.reference.vitals.report import Report

_MARKS = {"ok": "x", "warning": "!", "critical": "!", "unknown": " "}


@click.command()
@click.argument("path", type=where)
@schema_option
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON, for programs.")
@click.option("--checklist", is_flag=True, help="Print a list to tick off, in Markdown.")
@click.option("--metrics", is_flag=True, help="Print the numbers as Prometheus reads them.")
@click.option(
    "--fail-at",
    type=click.Choice(["warning", "critical"]),
    default="warning",
    show_default=True,
    help="From which severity on the exit code is 1.",
)
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="NAME=WARNING,CRITICAL",
    help="Judge by these limits, as file_mb=500,2000.",
)
def health(
    path: Path | str,
    *,
    schema: str | None,
    as_json: bool,
    checklist: bool,
    metrics: bool,
    fail_at: str,
    limits: tuple[str, ...],
) -> None:
    """Look at PATH, a directory with sessions.db or such a file, also in use, without changing it.

    Or at postgresql://…, a schema on a server.

    What only the process that has it open can know is unknown here. Exit codes: 0 nothing is as bad
    as --fail-at, 1 something is, 2 refused, 4 nothing could be told, 130 interrupted.
    """
    from sessionproof.cli.upkeep import Progress, carried_out
    from sessionproof.reference.health import report_of_file
    from sessionproof.reference.vitals.metrics import exposition
    from sessionproof.report.result import EXIT_BROKEN, EXIT_HOLDS, EXIT_UNKNOWN

    if as_json + checklist + metrics > 1:
        raise click.UsageError("--json, --checklist and --metrics exclude each other")
    thresholds = _thresholds(limits)
    bad = ("critical",) if fail_at == "critical" else ("warning", "critical")

    def code(found: Report) -> int:
        if found.health.severity in bad:
            return EXIT_BROKEN
        return EXIT_UNKNOWN if found.health.severity == "unknown" else EXIT_HOLDS

    def show(found: Report, console: Console) -> None:
        if metrics:
            click.echo(exposition(found), nl=False)
        else:
            _show(found, console, checklist=checklist)

    def work(progress: Progress) -> Report:
        place = place_of(path, schema)
        if place is not None:
            from sessionproof.reference.postgres.health import report_of

            progress(str(place))
            return report_of(place, thresholds=thresholds)
        progress(str(path))
        return report_of_file(path, thresholds=thresholds)

    ended = carried_out(
        work,
        as_json=as_json,
        to_json=_to_json,
        show=show,
        code=code,
        interrupted="the file is as it was",
    )
    click.get_current_context().exit(ended)


def _thresholds(given: Sequence[str]) -> Any:
    from sessionproof.reference.vitals.thresholds import thresholds_of

    try:
        return thresholds_of(given)
    except ValueError as error:
        raise click.UsageError(f"--limit: {error}") from None


def _show(found: Report, console: Console, *, checklist: bool) -> None:
    from sessionproof.cli.upkeep import say

    if not checklist:
        say(console, f"file      {found.file}")
    for one in found.vitals:
        if checklist:
            say(console, f"- [{_MARKS[one.severity]}] {one.name} ({one.severity}): {one.text}")
        else:
            say(console, f"{one.severity:<9} {one.name}: {one.text}")
    if not checklist:
        say(console, f"in all    {found.health.severity}")


def _to_json(found: Report) -> dict[str, Any]:
    return {
        "file": found.file,
        "severity": found.health.severity,
        "checks": [
            {
                **{name: getattr(one, name) for name in ("name", "severity", "text")},
                "numbers": [
                    {**asdict(number), "labels": dict(number.labels)} for number in one.numbers
                ],
            }
            for one in found.vitals
        ],
    }
