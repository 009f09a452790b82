"""``sessionproof recover``: what can be read of a damaged store, saved into a new one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sessionproof.cli.places import StoredFiles

if TYPE_CHECKING:
    from rich.console import Console

    from sessionproof.contract.upkeep import Recovered

_LOST_MOST = 40  # sentences that a person is shown


@click.command()
@click.argument("damaged", type=StoredFiles())
@click.option(
    "--to",
    "directory",
    required=True,
    type=click.Path(path_type=Path),
    help="Existing directory without a sessions.db, in which the new one is made.",
)
@click.option("--dry-run", is_flag=True, help="Say what could be saved, and make nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what was saved as JSON, for programs.")
def recover(damaged: Path, *, directory: Path, dry_run: bool, as_json: bool) -> None:
    """Save what can be read of DAMAGED, a directory with sessions.db or such a file.

    The damaged file is only read. Exit codes: 0 everything was saved, 1 something is lost,
    2 refused or nothing can be read, 130 interrupted.
    """
    from sessionproof.cli.upkeep import carried_out
    from sessionproof.reference.recover import recover as recovered

    code = carried_out(
        lambda progress: recovered(damaged, directory, dry_run=dry_run, progress=progress),
        as_json=as_json,
        to_json=lambda done: _to_json(done, directory, dry_run=dry_run),
        show=lambda done, console: _show(done, console, directory, dry_run=dry_run),
        code=lambda done: 1 if done.lost else 0,
        interrupted="nothing was made, and the damaged file is as it was",
    )
    click.get_current_context().exit(code)


def _show(done: Recovered, console: Console, directory: Path, *, dry_run: bool) -> None:
    from sessionproof.cli.upkeep import say

    saved = f"{done.messages:,} messages of {done.sessions:,} sessions"
    say(console, f"{'can be saved' if dry_run else 'saved'}  {saved}")
    if not dry_run:
        say(console, f"into   {directory}")
    for sentence in done.lost[:_LOST_MOST]:
        say(console, f"lost   {sentence}")
    if len(done.lost) > _LOST_MOST:
        say(console, f"lost   {len(done.lost) - _LOST_MOST:,} more with --json")
    if not done.lost:
        say(console, "nothing is lost")


def _to_json(done: Recovered, directory: Path, *, dry_run: bool) -> dict[str, Any]:
    return {
        "directory": str(directory),
        "sessions": done.sessions,
        "messages": done.messages,
        "lost": list(done.lost),
        "dry_run": dry_run,
    }
