"""``sessionproof bench export``, ``import``, ``merge``: the archive as text, and out of others."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import click

_ARCHIVE = click.option(
    "--archive",
    type=click.Path(path_type=Path),
    required=True,
    help="The archive of benchmark runs.",
)


@click.command("export")
@_ARCHIVE
@click.argument("out", type=click.Path(path_type=Path, allow_dash=True), default="-")
def export_runs(archive: Path, out: Path) -> None:
    """Write the runs as JSON Lines to OUT, or print them: one a line, by the time of its commit.

    The same runs give the same text. Exit codes: 0 written, 2 refused, 130 interrupted.
    """
    from sessionproof.cli.benchmarks.exchange import exported

    _carried_out(lambda: exported(archive, out))


@click.command("import")
@_ARCHIVE
@click.argument("inputs", nargs=-1, required=True, metavar="IN…", type=click.Path(path_type=Path))
@click.option("--commit", metavar="ID", help="The commit of every result.json that is named.")
def import_runs(archive: Path, inputs: Sequence[Path], *, commit: str | None) -> None:
    """Add the runs of each IN: JSON Lines of an export, a report's result.json, or - for stdin.

    Runs that are there stay as they are. Each IN is added whole or not at all. Exit codes: 0 added,
    2 one was refused, and those after it were not read; 130 interrupted.
    """
    from sessionproof.cli.benchmarks.exchange import imported

    _carried_out(lambda: imported(archive, inputs, commit=commit))


@click.command("merge")
@_ARCHIVE
@click.argument(
    "others", nargs=-1, required=True, metavar="OTHER…", type=click.Path(path_type=Path)
)
def merge_archives(archive: Path, others: Sequence[Path]) -> None:
    """Add the runs of each OTHER archive, which is only read.

    Runs that are there stay as they are. Each OTHER is added whole or not at all. Exit codes:
    0 added, 2 one was refused, and those after it were not read; 130 interrupted.
    """
    from sessionproof.cli.benchmarks.exchange import merged

    _carried_out(lambda: merged(archive, others))


def _carried_out(work: Callable[[], None]) -> None:
    """Do the work; what is refused is one line and exit code 2."""
    from rich.console import Console

    from sessionproof.cli.upkeep import say
    from sessionproof.engine.plan import BadUsage
    from sessionproof.report.result import EXIT_INTERRUPTED, EXIT_USAGE

    code, errors = 0, Console(stderr=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        work()
    except (BadUsage, ValueError) as error:
        say(errors, f"sessionproof: {error}")
        code = EXIT_USAGE
    except KeyboardInterrupt:
        say(errors, "sessionproof: interrupted; what was not said to be added was not")
        code = EXIT_INTERRUPTED
    click.get_current_context().exit(code)
