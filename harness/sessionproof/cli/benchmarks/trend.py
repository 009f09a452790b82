"""``sessionproof bench trend``: when speed changed, between which commits, and why."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("store", required=False)
@click.option(
    "--archive",
    type=click.Path(path_type=Path),
    required=True,
    help="The archive of benchmark runs.",
)
@click.option("--since", help="Leave out runs before this day, as in 2026-01-31.")
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    default=Path("sessionproof-trend"),
    show_default=True,
    help="Folder for trend.md, trend.json and trend.html.",
)
def trend(store: str | None, *, archive: Path, since: str | None, report: Path) -> None:
    """Show when the speed of STORE changed, between which commits, and why.

    Without STORE all stores of the archive are shown. Changes are looked for by apache-otava:
    pip install 'sessionproof[trend]'. Exit codes: 0 the trend is shown, whatever it is; 2 bad
    usage, or the archive cannot be used.
    """
    from sessionproof.cli.benchmarks.trend_shown import show

    click.get_current_context().exit(show(store, archive=archive, since=since, report=report))
