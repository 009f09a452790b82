"""``sessionproof history``: recorded operations of concurrent clients, shown, judged, exported."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click


@click.group()
def history() -> None:
    """Show, judge or export recorded operations of concurrent clients."""


@history.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--session", help="Only this session, by its id.")
@click.option(
    "--most",
    type=click.IntRange(1),
    default=200,
    show_default=True,
    help="How many operations are printed at most.",
)
def show(path: Path, *, session: str | None, most: int) -> None:
    """Print the operations of PATH, a history's file or folder, in order of their beginning.

    Exit codes: 0 shown, 2 bad usage or the history cannot be read, 130 interrupted.
    """
    from sessionproof.cli.histories import show_history

    click.get_current_context().exit(show_history(path, session=session, most=most))


@history.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--missing-session",
    type=click.Choice(["creates", "refuses"]),
    default="creates",
    show_default=True,
    help="What an append to an unknown session does, as the store claims.",
)
@click.option(
    "--atomic-batches", is_flag=True, help="A batch lands whole or not at all, as the store claims."
)
@click.option("--json", "as_json", is_flag=True, help="Print the judgement as JSON, for programs.")
def check(path: Path, *, missing_session: str, atomic_batches: bool, as_json: bool) -> None:
    """Judge PATH, a history's file or folder: whether one order explains every answer.

    Exit codes: 0 one does, 1 something is wrong, 2 bad usage or the history cannot be read,
    4 it could not be told, 130 interrupted.
    """
    from sessionproof.cli.histories import check_history

    code = check_history(
        path, missing_session=missing_session, atomic_batches=atomic_batches, as_json=as_json
    )
    click.get_current_context().exit(code)


@history.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--to",
    required=True,
    type=click.Choice(["elle", "porcupine"]),
    help="Elle: transactions on lists, as EDN. Porcupine: operations, as JSON.",
)
@click.option("--session", help="Only this session, by its id.")
@click.option(
    "--output", type=click.Path(path_type=Path), help="File to write.  [default: print it]"
)
@click.option(
    "--atomic-batches", is_flag=True, help="A batch lands whole or not at all, as the store claims."
)
def export(
    path: Path,
    *,
    to: Literal["elle", "porcupine"],
    session: str | None,
    output: Path | None,
    atomic_batches: bool,
) -> None:
    """Write PATH, a history's file or folder, in the form of another checker.

    What that checker has no words for is left out, and counted on stderr. Exit codes: 0 written,
    2 bad usage or the history cannot be read or written, 130 interrupted.
    """
    from sessionproof.cli.history_export import export_history

    code = export_history(
        path, to=to, session=session, output=output, atomic_batches=atomic_batches
    )
    click.get_current_context().exit(code)
