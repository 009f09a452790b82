"""``sessionproof compare``: what a second run says otherwise than a first."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sessionproof.cli.places import StoredFiles

if TYPE_CHECKING:
    from rich.console import Console

    from sessionproof.report.changes.between import Changes
    from sessionproof.report.result import RunResult


@click.command()
@click.argument("before", metavar="BEFORE", type=StoredFiles())
@click.argument("after", metavar="AFTER", type=StoredFiles())
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("sessionproof-compare.html"),
    show_default=True,
    help="File of the page.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the changes as JSON, for programs.")
def compare(before: Path, after: Path, *, out: Path, as_json: bool) -> None:
    """Tell what the run in AFTER says otherwise than the run in BEFORE.

    Each is the folder of a report, or its result.json. Exit codes: 0 nothing that held is broken,
    1 something is, 2 bad usage or no result is there, 4 it could not be told of something,
    5 nothing was judged in both, 130 interrupted.
    """
    from sessionproof.cli.upkeep import Progress, carried_out
    from sessionproof.contract.errors import Refused
    from sessionproof.report.changes.between import changes, exit_code
    from sessionproof.report.changes.page import render_changes
    from sessionproof.report.changes.wording import to_json
    from sessionproof.report.write import write_whole

    def work(progress: Progress) -> Changes:
        if not out.absolute().parent.is_dir():
            raise Refused(f"there is no folder {out.parent} for the page: make it, or change --out")
        files = _files(before, after)
        progress("two results")
        found = changes(*map(_read, files))
        pages = [_page_beside(file, out) for file in files]
        write_whole(out, render_changes(found, reports=(pages[0], pages[1])))
        return found

    code = carried_out(
        work,
        as_json=as_json,
        to_json=lambda found: {"page": str(out), **to_json(found)},
        show=lambda found, console: _show(found, out, console),
        code=exit_code,
        interrupted="nothing was written",
    )
    click.get_current_context().exit(code)


def _files(before: Path, after: Path) -> tuple[Path, Path]:
    """The two results. Raises Refused for one that is given twice."""
    from sessionproof.contract.errors import Refused
    from sessionproof.report.write import RESULT

    first, second = (one / RESULT if one.is_dir() else one for one in (before, after))
    if first.resolve() == second.resolve():
        raise Refused(f"{first} cannot be compared with itself: name the reports of two runs")
    return first, second


def _read(file: Path) -> RunResult:
    from sessionproof.contract.errors import Refused
    from sessionproof.report.write import read_result

    try:
        return read_result(file)
    except ValueError as error:
        raise Refused(str(error)) from None


def _page_beside(result: Path, out: Path) -> str:
    """The path from the page that is written to the page of a run; empty where there is none."""
    from sessionproof.report.write import PAGE

    page = result.with_name(PAGE)
    if not page.is_file():
        return ""
    try:
        way = os.path.relpath(page.resolve(), out.resolve().parent)
    except ValueError:  # on another drive
        return ""
    return Path(way).as_posix()


def _show(found: Changes, out: Path, console: Console) -> None:
    """What differs first, then a table of the changes, speeds, and the whole in a sentence."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from sessionproof.cli.upkeep import say
    from sessionproof.report.changes.between import Kind
    from sessionproof.report.changes.wording import (
        TITLES,
        headline,
        speed_cells,
        standing,
        why,
    )
    from sessionproof.report.plain import cut, for_terminal

    for note in found.notes:
        say(console, f"note      {note}")
    for one in found.differences:
        say(console, f"differs   {one.what}: {cut(one.before, 200)} -> {cut(one.after, 200)}")
    table = Table(box=box.SQUARE, header_style="bold", highlight=False)
    for name in ("guarantee", "first", "second", "so it is", "why"):
        table.add_column(name, overflow="fold")
    for kind in Kind:
        for row in found.of(kind):
            cells = (row.after.id, standing(row.before), standing(row.after), TITLES[kind],
                     cut(why(row), 200))  # fmt: skip
            table.add_row(*(Text(for_terminal(cell, console.encoding)) for cell in cells))
    if table.row_count:
        console.print(table)
    for speed in found.speeds:
        name, before, after, change = speed_cells(speed)
        word = "slower" if speed.is_slower else "faster"
        say(console, f"{word}    {name}: {before} -> {after}, {change}")
    for growth in found.growths:
        name = f"{growth.after.operation} along {growth.after.along}"
        say(console, f"growth    {name}: {growth.before.verdict} -> {growth.after.verdict}")
    say(console, f"verdict   {headline(found)}")
    say(console, f"page      {out}")
