"""``sessionproof history``: recorded operations of concurrent clients, shown and judged."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def history() -> None:
    """Show or judge recorded operations of concurrent clients."""


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
