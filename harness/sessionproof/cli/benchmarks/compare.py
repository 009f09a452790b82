"""``sessionproof bench compare``: whether HEAD is slower than BASE."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

    from sessionproof.bench.tracking.compared import Comparison, Side

_LINE_S = 5.0  # how often progress is a line, where there is no terminal


@click.command()
@click.argument("base")
@click.argument("head", default=".")
@click.option("--store", required=True, help="The store, as for run; both versions have it.")
@click.option("--profile", default="gate", show_default=True, help="smoke, gate or deep.")
@click.option("--only", multiple=True, metavar="OPERATION", help="Compare this operation alone.")
@click.option(
    "--with-dependencies", is_flag=True, help="Install what each version needs, too, not it alone."
)
@click.option(
    "--causes/--no-causes",
    default=None,
    help="Count what calls do on both sides.  [default: those of operations that became slower]",
)
@click.option("--accept-unknown", is_flag=True, help='Let "could not tell" end with 0.')
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    default=Path("sessionproof-comparison"),
    show_default=True,
    help="Folder for comparison.json, comparison.md and comparison.html.",
)
@click.option("--seed", type=click.IntRange(0), help="Repeat a comparison by its seed.")
@click.option(
    "--location",
    type=click.Path(path_type=Path),
    help="Existing folder below which the stores' data is put.  [default: memory, else temporary]",
)
def compare(**given: Any) -> None:
    """Tell whether HEAD is slower than BASE, operation by operation.

    Each is a git reference (git:main, v1.2), a folder (.), a wheel, a requirement (name==1.2), or
    "installed". Both are laid into folders of their own, and take turns in fresh processes.
    Exit codes: 0 nothing is slower, 2 bad usage or one does not open, 3 something is slower by
    more than 2 %, 4 something could not be told, 130 interrupted.
    """
    click.get_current_context().exit(_carried_out(given))


def _carried_out(given: dict[str, Any]) -> int:
    """Compare, print and write what came of it; the exit code."""
    from rich.console import Console

    from sessionproof.cli.benchmarks.asked import check_asked
    from sessionproof.cli.upkeep import say
    from sessionproof.engine.comparing import operations_asked
    from sessionproof.engine.plan import BadUsage
    from sessionproof.report.compared import exit_code
    from sessionproof.report.result import EXIT_INTERRUPTED, EXIT_USAGE

    console, report = Console(stderr=True), given["report"]
    # A cancelled CI job sends SIGTERM: it ends like Ctrl-C, with what is known so far.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        check_asked(profile=given["profile"], location=given["location"], report=report)
        operations_asked(given["only"])  # before anything is installed
        comparison = _compared(given, console)
    except BadUsage as error:
        say(console, f"sessionproof: {error}")
        return EXIT_USAGE
    except KeyboardInterrupt:
        say(console, "sessionproof: interrupted before anything was compared")
        return EXIT_INTERRUPTED
    _print(comparison, Console())
    try:
        say(Console(), f"report: {_written(comparison, report)}")
    except OSError as error:
        why = error.strerror or type(error).__name__
        say(console, f"sessionproof: --report {report} cannot be written: {why}")
        return EXIT_USAGE
    return exit_code(comparison, accept_unknown=given["accept_unknown"])


def _compared(given: dict[str, Any], console: Console) -> Comparison:
    """Lay both sides and measure them. Raises BadUsage."""
    from sessionproof.cli.servers import Servers, opened
    from sessionproof.cli.upkeep import say
    from sessionproof.contract.folders import private_folder
    from sessionproof.contract.seed import fresh_seed
    from sessionproof.engine.comparing import compared
    from sessionproof.engine.machine import fast_folder
    from sessionproof.engine.sides import Laying, laid

    seed = fresh_seed() if given["seed"] is None else given["seed"]
    parent = given["location"] or fast_folder()
    with (
        private_folder() as folder,
        opened(given["store"], Servers(), parent) as store,
    ):
        laying = Laying(
            project=Path.cwd(),
            folder=folder,
            with_dependencies=given["with_dependencies"],
            say=partial(say, console),
        )
        sides = [laid(given[name], store.name, name, laying) for name in ("base", "head")]
        say(console, f"comparing {store.name}: profile {given['profile']}, seed {seed}")
        with _Progress(console) as progress:
            comparison = compared(
                *sides, profile=given["profile"], seed=seed, location=given["location"],
                only=given["only"], follow=progress.follow,
            )  # fmt: skip
        comparison = _explained(comparison, sides, given, console)
    return replace(comparison, command=_command(given, store.name, seed))


def _explained(
    comparison: Comparison, sides: Sequence[Side], given: dict[str, Any], console: Console
) -> Comparison:
    """The comparison with causes: of what became slower, of all, or of nothing, as asked."""
    from sessionproof.cli.upkeep import say
    from sessionproof.engine.comparing import INTERRUPTED
    from sessionproof.engine.explaining import explained, slowed

    asked = slowed(comparison)
    if given["causes"]:
        asked = [row.operation for row in comparison.rows]
    if comparison.interrupted or given["causes"] is False or not asked:
        return comparison
    base, head = sides
    say(console, f"counting what calls do on both sides: {', '.join(asked)}")
    try:
        return explained(comparison, base, head, asked, location=given["location"])
    except KeyboardInterrupt:  # what was compared is kept
        return replace(comparison, interrupted=True, problem=INTERRUPTED)


def _command(given: dict[str, Any], store: str, seed: int) -> str:
    words = ["sessionproof", "bench", "compare", given["base"], given["head"], "--store", store]
    words += ["--profile", given["profile"], "--seed", str(seed)]
    for name in given["only"]:
        words += ["--only", name]
    return shlex.join(words + ["--with-dependencies"] * given["with_dependencies"])


def _written(comparison: Comparison, report: Path) -> Path:
    """Write all forms of the report; the path of the one for people. Raises OSError."""
    from sessionproof.report.compared import write_comparison_files
    from sessionproof.report.regressions import write_comparison_page

    write_comparison_files(comparison, report)
    return write_comparison_page(comparison, report)


def _print(comparison: Comparison, console: Console) -> None:
    """The table, what was left out, and the whole in a sentence."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from sessionproof.cli.upkeep import say
    from sessionproof.report.compared import HEADS, causes, cells, headline, named, word
    from sessionproof.report.plain import for_terminal

    def text(value: str) -> Text:
        return Text(for_terminal(value, console.encoding))

    table = Table(box=box.SQUARE, header_style="bold", highlight=False)
    for at, name in enumerate(HEADS):
        table.add_column(text(name), justify="right" if 0 < at < len(HEADS) - 1 else "left")
    for row in comparison.rows:
        table.add_row(*map(text, (*cells(row)[:-1], word(row))))
    console.print(table)
    lines = [
        f"{row.operation}: {said}" for row in comparison.rows if (said := row.reason or row.warning)
    ]
    lines += [f"{name}: {said}" for name, told in causes(comparison) for said in told]
    lines += [f"{name} was not compared: {why}" for name, why in comparison.left_out.items()]
    lines += [f"base: {named(comparison.base)}", f"head: {named(comparison.head)}"]
    for line in (*lines, *filter(None, [comparison.warning]), headline(comparison)):
        say(console, line)


class _Progress:
    """How far it is: a bar on a terminal, now and then a line elsewhere."""

    def __init__(self, console: Console) -> None:
        from sessionproof.contract.clock import monotonic_s

        self._console = console
        self._now_s = monotonic_s
        self._said_s = monotonic_s()
        self._bar: Any = None

    def __enter__(self) -> _Progress:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        if self._console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._task = self._bar.add_task("opening both", total=None)
            self._bar.start()
        return self

    def __exit__(self, *details: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def follow(self, done: int, of: int, operation: str) -> None:
        """So many steps are done, the last of them on this operation."""
        from sessionproof.cli.upkeep import say

        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=of, description=operation)
        elif self._now_s() - self._said_s >= _LINE_S:
            self._said_s = self._now_s()
            say(self._console, f"{done} of {of} measurements, the last of {operation}")
