"""Performance tables of several stores side by side: Markdown, JSON and a page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import sessionproof
from sessionproof.contract.causes import Causes
from sessionproof.contract.verdicts import Verdict
from sessionproof.report.amounts import amount_of, digits, duration, interval
from sessionproof.report.html import drawn, environment
from sessionproof.report.markdown import code, plain
from sessionproof.report.plain import cut
from sessionproof.report.promises import in_words, number_of, promise_of
from sessionproof.report.result import RunResult, to_json
from sessionproof.report.speed import MACHINE, Measurements, grown, kept, measurements
from sessionproof.report.write import write_whole

SCHEMA_VERSION = 1
MARKDOWN, JSON, PAGE = "performance.md", "performance.json", "performance.html"
NOTHING = "–"


@dataclass(frozen=True, kw_only=True)
class Column:
    """One store: its result, or a problem in a sentence; ``name`` differs from all others'.

    ``page`` is the report of its run, by its path below the folder; empty when there is none.
    ``causes`` say what its operations do, where that was counted.
    """

    name: str
    store: str
    result: RunResult | None = None
    problem: str = ""
    page: str = ""
    causes: tuple[Causes, ...] = ()

    @property
    def measured(self) -> Measurements:
        """What was measured of it; often all, with a problem nothing or a part."""
        return Measurements() if self.result is None else measurements(self.result)


@dataclass(frozen=True)
class Row:
    """A row: its head, a cell of a few lines for each store, and what is promised."""

    head: str
    cells: tuple[tuple[str, ...], ...]
    promised: str = ""


@dataclass(frozen=True)
class Rows:
    """Rows of one kind, and what their heads name."""

    title: str
    of: str
    rows: tuple[Row, ...]


def tables(columns: Sequence[Column]) -> list[Rows]:
    """All that was measured as tables with a column for each store; empty ones are left out."""
    every = [one.measured for one in columns]
    speeds = _table(
        [[((row.operation, row.clients), row) for row in one.speeds] for one in every],
        lambda row, _: (
            duration(row.latency.p50_us),
            interval(row.ratio) if row.ratio else "",
            f"{digits(row.per_second)}/s" if number_of(row.clients) > 1 else "",
        ),
        columns,
        promised=lambda head: promise_of(*head),
    )
    growths = _table(
        [[((f"{row.operation} along {row.along}",), row) for row in one.growths] for one in every],
        lambda row, one: (grown(row, broken="growth" in one.broken)[1],
                          f"{duration(row.cost_us[-1])} at {row.sizes[-1]:,}"),
        columns,
    )  # fmt: skip
    sizes = _table(
        [[((row.what,), row) for row in one.sizes] for one in every],
        lambda row, _: (amount_of(row.value, row.unit),),
        columns,
        promised=lambda head: promise_of(head[0], "", "bytes"),
    )
    memories = _table(
        [[((row.what,), row) for row in one.memories] for one in every],
        lambda row, one: (kept(row, broken="memory" in one.broken)[1],),
        columns,
    )
    found = [
        Rows("Speed", "operation", speeds),
        Rows("Growth", "operation", growths),
        Rows("Sizes", "size", sizes),
        Rows("Memory", "memory while", memories),
    ]
    filled = [one for one in found if one.rows]
    if filled:
        filled[0] = _with_problems(filled[0], columns)
    return filled


def facts(columns: Iterable[Column]) -> dict[str, str]:
    """The machine's facts, and what was asked for; of the first store that has a result."""
    for one in columns:
        if one.result is not None:
            asked = {"profile": one.result.profile, "seed": str(one.result.seed)}
            return {**asked, **one.result.environment}
    return {}


def write_comparison(columns: Sequence[Column], directory: Path) -> Path:
    """Write the three forms into the existing folder, each whole; the path of the page."""
    values = {
        "schema": SCHEMA_VERSION,
        "sessionproof": sessionproof.__version__,
        "stores": [_to_json(one) for one in columns],
    }
    write_whole(directory / JSON, json.dumps(values, allow_nan=False) + "\n")
    write_whole(directory / MARKDOWN, render_markdown(columns))
    write_whole(directory / PAGE, render_page(columns))
    return directory / PAGE


def render_markdown(columns: Sequence[Column]) -> str:
    """The tables as Markdown; nothing that a store said is taken for markup."""
    names = [plain(one.name, 80) for one in columns]
    parts = ["# Performance, side by side"]
    for table in tables(columns):
        last = ["promised elsewhere"] if any(row.promised for row in table.rows) else []
        heads = [table.of, *names, *last]
        lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
        for row in table.rows:
            cells = [plain(", ".join(filter(None, cell)), 200) for cell in row.cells]
            said = [plain(row.promised, 200)] if last else []
            lines.append(f"| {' | '.join([plain(row.head, 80), *cells, *said])} |")
        parts += [f"## {table.title}", "\n".join(lines)]
    problems = [f"- {code(one.store, 200)}: {code(one.problem, 500)}"
                for one in columns if one.problem]  # fmt: skip
    if problems:
        parts += ["## Not measured", "\n".join(problems)]
    parts += [f"{MACHINE}.", "## Where"]
    lines = [f"- {plain(name, 80)}: {plain(value, 300)}" for name, value in facts(columns).items()]
    parts.append("\n".join(lines) or "Nothing was measured.")
    return "\n\n".join(parts) + "\n"


def render_page(columns: Sequence[Column]) -> str:
    """The same as one page, with the pictures of a run's page for all stores together."""
    template = environment().get_template("comparison.html.j2")
    return template.render(
        columns=columns,
        tables=tables(columns),
        facts=facts(columns),
        sessionproof=sessionproof.__version__,
        tone=Verdict.UNKNOWN if any(one.problem for one in columns) else Verdict.HOLDS,
        **drawn({one.name: one.measured for one in columns}),
    )


def named(stores: Sequence[str]) -> list[str]:
    """The stores' names, each with a number where it was given before."""
    return [
        store if store not in stores[:at] else f"{store} ({stores[:at].count(store) + 1})"
        for at, store in enumerate(stores)
    ]


def _table(
    every: Sequence[Sequence[tuple[tuple[str, ...], Any]]],
    cell: Callable[[Any, Measurements], tuple[str, ...]],
    columns: Sequence[Column],
    *,
    promised: Callable[[tuple[str, ...]], Any] = lambda _: None,
) -> tuple[Row, ...]:
    """A row for each head that any store has, in the order in which they come."""
    by_store = [dict(one) for one in every]
    heads = dict.fromkeys(head for one in every for head, _ in one)
    rows = []
    for head in heads:
        cells = tuple(
            cell(known[head], column.measured) if head in known else (NOTHING,)
            for known, column in zip(by_store, columns, strict=True)
        )
        found = promised(head)
        rows.append(Row(_words(head), cells, "" if found is None else in_words(found)))
    return tuple(rows)


def _words(head: tuple[str, ...]) -> str:
    """The head of a row in words: one client is understood."""
    one, *clients = head
    return ", ".join([one, *(name for name in clients if "client" not in name)])


def _with_problems(table: Rows, columns: Sequence[Column]) -> Rows:
    """The table with the reason in the columns of stores of which nothing was measured."""
    first, *others = table.rows
    cells = tuple(
        ("not measured:", cut(column.problem, 120)) if not column.measured.any else cell
        for column, cell in zip(columns, first.cells, strict=True)
    )
    return replace(table, rows=(replace(first, cells=cells), *others))


def _to_json(one: Column) -> dict[str, Any]:
    result = None if one.result is None else to_json(one.result)
    return {
        "store": one.store,
        "problem": one.problem,
        "page": one.page,
        "result": result,
        "causes": [asdict(cause) for cause in one.causes],
    }
