"""Where a run's time went, as a table in the terminal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sessionproof.contract.verdicts import Record
from sessionproof.report.plain import cut, for_terminal
from sessionproof.report.result import RunResult

_SLOWEST = 10


def print_timings(result: RunResult, records: Iterable[Record], console: Console) -> None:
    """The parts of a concluded run with their sum, then the guarantees and the slowest tests.

    The seconds of tests are their own: of tests that ran at the same time, all count.
    """
    parts = [(name, seconds) for name, seconds in result.timings.items() if seconds]
    whole = sum(result.timings.values())
    console.print(_table("where the time went", [*parts, ("all", whole)], console))
    told = list(records)
    by_guarantee: dict[str, float] = defaultdict(float)
    for record in told:
        by_guarantee[record.guarantee] += record.duration_s
    slow = sorted(by_guarantee.items(), key=lambda item: -item[1])[:_SLOWEST]
    if slow:
        console.print(_table("slowest guarantees", slow, console))
        tests = sorted(told, key=lambda record: -record.duration_s)[:_SLOWEST]
        rows = [(f"{one.guarantee} {one.test}", one.duration_s) for one in tests]
        console.print(_table("slowest tests", rows, console))


def _table(title: str, rows: Iterable[tuple[str, float]], console: Console) -> Table:
    table = Table(box=box.SQUARE, header_style="bold", highlight=False)
    table.add_column(title, overflow="fold")
    table.add_column("seconds", justify="right")
    for name, seconds in rows:
        text = Text(for_terminal(cut(name, 120), console.encoding))
        table.add_row(text, f"{seconds:.2f}")
    return table
