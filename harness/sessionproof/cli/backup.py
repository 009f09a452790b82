"""``sessionproof backup``: a verified copy of a store that may be in use."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sessionproof.cli.places import place_of, schema_option, where

if TYPE_CHECKING:
    from rich.console import Console

    from sessionproof.reference.backup import Backup


@click.command()
@click.argument("path", type=where)
@schema_option
@click.option(
    "--to", "folder", required=True, type=click.Path(path_type=Path), help="Existing folder."
)
@click.option(
    "--keep",
    type=click.IntRange(1),
    help="Remove older backups of PATH in the folder, once so many newer ones are in order.",
)
@click.option("--as-it-is", is_flag=True, help="Also when rows of PATH contradict each other.")
@click.option(
    "--then",
    metavar="COMMAND",
    help="Run this with the path of the verified backup as its last argument, without a shell.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was made as JSON, for programs.")
def backup(
    path: Path | str,
    *,
    schema: str | None,
    folder: Path,
    keep: int | None,
    as_it_is: bool,
    then: str | None,
    as_json: bool,
) -> None:
    """Back up PATH, a directory with sessions.db or any SQLite file, also while it is in use.

    Or postgresql://…, a schema on a server, by its pg_dump.

    The backup is one file with a name of its own, and verified before it gets it. Exit codes:
    0 made, 1 made, but the command failed, 2 refused, 130 interrupted.
    """
    from sessionproof.cli.upkeep import Progress, carried_out
    from sessionproof.reference.backup import make_backup

    command = _words(then)

    def work(progress: Progress) -> Backup:
        place = place_of(path, schema)
        if place is None:
            return make_backup(path, folder, keep=keep, as_it_is=as_it_is, progress=progress)
        from sessionproof.reference.postgres import dumps

        return dumps.make_backup(place, folder, keep=keep, as_it_is=as_it_is, progress=progress)

    code = carried_out(
        work,
        as_json=as_json,
        to_json=_to_json,
        show=_show,
        code=lambda made: _run(command, made.path) if command else 0,
        interrupted="a backup that was made is whole",
    )
    click.get_current_context().exit(code)


def _words(then: str | None) -> list[str]:
    """The command as a list; empty without one. It is looked for before anything is done."""
    if then is None:
        return []
    try:
        words = shlex.split(then)
    except ValueError as error:
        raise click.UsageError(f"--then {then!r}: {error}") from None
    if not words or shutil.which(words[0]) is None:
        raise click.UsageError(f"--then {then!r}: there is no such command")
    return words


def _run(command: list[str], made: Path) -> int:
    """1 if the command fails. What it prints goes to stderr, as stdout may be for a program."""
    try:
        status = subprocess.run([*command, str(made)], stdout=sys.stderr, check=False).returncode
    except OSError as error:
        click.echo(f"sessionproof: {command[0]} could not be run: {error.strerror}", err=True)
        return 1
    if status:
        how = f"ended with status {status}" if status > 0 else f"was ended by signal {-status}"
        click.echo(f"sessionproof: {command[0]} {how}; the backup is there", err=True)
    return 1 if status else 0


def _show(made: Backup, console: Console) -> None:
    from sessionproof.cli.upkeep import amounts_of, say
    from sessionproof.report.amounts import amount_of

    say(console, f"backup   {made.path}")
    rows = amounts_of(made.rows) or "none"
    say(console, f"rows     {rows}; {amount_of(made.size_bytes, 'bytes')}, verified")
    for one in made.removed:
        say(console, f"removed  {one}")


def _to_json(made: Backup) -> dict[str, Any]:
    return {
        "file": str(made.file),
        "backup": str(made.path),
        "size_bytes": made.size_bytes,
        "rows": dict(made.rows),
        "removed": [str(one) for one in made.removed],
    }
