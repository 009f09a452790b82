"""``sessionproof explain``: what a statement costs on a database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sessionproof.cli.places import StoredFiles

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from sessionproof.audit.explained import Explained


@click.command()
@click.argument("path", type=StoredFiles())
@click.argument("sql")
@click.option(
    "--runs", type=click.IntRange(1, 10_000), default=10, show_default=True, help="Timed runs."
)
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON, for programs.")
def explain(path: Path, sql: str, *, runs: int, as_json: bool) -> None:
    """Explain SQL on PATH, a directory with sessions.db or any SQLite file, which is not changed.

    Its plan, the steps of SQLite's machine, and the least, mean and longest time of some runs. What
    would change rows is explained and not run. Exit codes: 0 done, 2 refused, 130 interrupted.
    """
    from sessionproof.cli.upkeep import carried_out

    code = carried_out(
        lambda progress: _explained(path, sql, runs, progress),
        as_json=as_json,
        to_json=_to_json,
        show=_show,
        code=lambda _found: 0,
        interrupted="the file is as it was",
    )
    click.get_current_context().exit(code)


def _explained(path: Path, sql: str, runs: int, told: Callable[[str], None]) -> Explained:
    from sessionproof.audit.explained import explained
    from sessionproof.audit.file import Unreadable
    from sessionproof.contract.errors import Refused
    from sessionproof.reference.files import present

    told("the statement")
    try:
        return explained(present(path), sql, runs=runs)
    except Unreadable as error:
        raise Refused(str(error)) from error


def _show(found: Explained, console: Console) -> None:
    from sessionproof.cli.upkeep import say

    for line in found.plan or ("nothing to be planned",):
        say(console, f"plan   {line}")
    if found.note:
        say(console, f"note   {found.note}")
        return
    say(console, f"rows   {found.rows:,}")
    say(console, f"steps  {found.steps:,}")
    times = found.times_s
    least, mean, longest = min(times), sum(times) / len(times), max(times)
    say(
        console,
        f"time   {_ms(least)} at least, {_ms(mean)} on average, {_ms(longest)} at most; "
        f"{len(times)} runs",
    )


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms"


def _to_json(found: Explained) -> dict[str, Any]:
    times = found.times_s
    return {
        "plan": list(found.plan),
        "rows": found.rows,
        "steps": found.steps,
        "runs": len(times),
        "seconds": {"min": min(times), "mean": sum(times) / len(times), "max": max(times)}
        if times
        else None,
        "note": found.note,
    }
