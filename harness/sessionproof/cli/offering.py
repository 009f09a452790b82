"""What ``sessionproof load --rate`` adds: a table in the terminal, and a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from sessionproof.report.offered import HEADS, PAGE, cells, knee_of, render_offered
from sessionproof.report.plain import for_terminal
from sessionproof.report.write import write_whole
from sessionproof.trials.load_report import Run
from sessionproof.trials.offered_load import rates_of


def clear_rates(report: Path) -> None:
    """Remove the page of an earlier load."""
    (report / PAGE).unlink(missing_ok=True)


def show_rates(run: Run, report: Path, out: Console) -> None:
    """Print the table and write the page; nothing where no rate was offered."""
    rates = rates_of(run.recorded.rates)
    if not rates:
        return
    for row in aligned([HEADS, *map(cells, rates)]):
        out.print(Text(f"| {for_terminal(row, out.encoding)}"), soft_wrap=True)
    out.print(Text(f"| {'keeps up':<11} {knee_of(rates)}"), soft_wrap=True)
    facts = {
        "Clients": f"{run.clients} of {run.executor}, on {run.sessions} sessions at the same time",
        "Mix": run.mix,
        "Seconds a rate": f"{max(rate.seconds for rate in rates):,.0f}",
        "Seed": str(run.seed),
    }
    write_whole(report / PAGE, render_offered(run.store, rates, facts))
    out.print(Text(f"page: {report / PAGE}"), soft_wrap=True)


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The rows with all columns as wide as their widest cell, to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
