"""What ``sessionproof bench peers`` does: measure all stores, print and write the standings."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sessionproof.cli.benchmarks.asked import check_asked
from sessionproof.cli.benchmarks.run import (
    TABLE,
    Wanted,
    is_interrupted,
    measured_columns,
    say_problems,
)
from sessionproof.cli.servers import Servers
from sessionproof.cli.upkeep import say
from sessionproof.contract.registered import registered as all_registered
from sessionproof.contract.seed import fresh_seed
from sessionproof.engine.plan import BadUsage
from sessionproof.report.comparison import Column, write_comparison
from sessionproof.report.peers import Row, cell, rows_of, summary, told, write_peers
from sessionproof.report.plain import cut, for_terminal
from sessionproof.report.result import EXIT_HOLDS, EXIT_INTERRUPTED, EXIT_USAGE

REFERENCE = "reference"
_CELL_CHARACTERS_MAX = 200


def registered() -> list[str]:
    """The names of the reference and of all registered stores that are not built upon it."""
    names = {one.name for one in all_registered() if one.kind in ("adapter", "other")}
    return [REFERENCE, *sorted(names - {REFERENCE})]


def measure_peers(*, profile: str, report: Path, seed: int | None, location: Path | None) -> int:
    """Measure all registered stores, print and write where the reference stands; the exit code."""
    console = Console(stderr=True)
    # A cancelled CI job sends SIGTERM: it ends like Ctrl-C, with what is known so far.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        check_asked(profile=profile, location=location, report=report)
    except BadUsage as error:
        say(console, f"sessionproof: {error}")
        return EXIT_USAGE
    wanted = Wanted(
        servers=Servers(),
        profile=profile,
        only=TABLE,
        seed=fresh_seed() if seed is None else seed,
        location=location,
    )
    names = registered()
    reference, *others = measured_columns(names, names, wanted, report, console)
    try:
        write_comparison([reference, *others], report)
        page = write_peers(reference, others, report)
    except OSError as error:
        say(console, f"sessionproof: --report {report} cannot be written: {error.strerror}")
        return EXIT_USAGE
    print_peers(rows_of(reference, others), Console())
    say(Console(), f"report: {page}")
    say_problems([reference, *others], console)
    return _exit_code(reference, others)


def _exit_code(reference: Column, others: Sequence[Column]) -> int:
    if any(map(is_interrupted, (reference, *others))):
        return EXIT_INTERRUPTED
    return EXIT_HOLDS if reference.measured.any else EXIT_USAGE


def print_peers(rows: Sequence[Row], console: Console) -> None:
    """Each row of the reference with where it stands, and the whole in a sentence."""

    def text(value: str) -> Text:
        return Text(for_terminal(cut(value, _CELL_CHARACTERS_MAX), console.encoding))

    table = Table(box=box.SQUARE, header_style="bold", highlight=False, show_lines=True)
    for head in ("row", REFERENCE, "it is"):
        table.add_column(head, overflow="fold")
    for row in rows:
        if REFERENCE in row.measured:
            table.add_row(text(row.head), text(cell(row.measured[REFERENCE])), text(told(row)))
    console.print(table)
    console.print(text(f"| {summary(rows)}"), soft_wrap=True)
