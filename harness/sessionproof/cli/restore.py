"""``sessionproof restore``: a verified backup in the place of what is there, which is kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sessionproof.cli.places import place_of, schema_option, where

if TYPE_CHECKING:
    from rich.console import Console

    from sessionproof.reference.restore import Restored


@click.command()
@click.argument("backup", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "target",
    required=True,
    type=where,
    help="Directory of the store, the database file, or postgresql://….",
)
@schema_option
@click.option(
    "--kept-in",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="With an address: where what was there is kept.  [default: the folder of BACKUP]",
)
@click.option("--dry-run", is_flag=True, help="Verify the backup, and change nothing.")
@click.option("--as-it-is", is_flag=True, help="Also a backup whose rows contradict each other.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON, for programs.")
def restore(
    backup: Path,
    *,
    target: Path | str,
    schema: str | None,
    kept_in: Path | None,
    dry_run: bool,
    as_it_is: bool,
    as_json: bool,
) -> None:
    """Verify BACKUP and put it in the place of what is there, which nobody may have open.

    What was there is kept beside it, and can be restored in the same way. Exit codes: 0 restored,
    2 refused and nothing was changed, 130 interrupted.
    """
    from sessionproof.cli.upkeep import Progress, carried_out
    from sessionproof.reference.restore import put_back

    def work(progress: Progress) -> Any:
        place = place_of(target, schema)
        if place is None:
            return put_back(backup, target, as_it_is=as_it_is, dry_run=dry_run, progress=progress)
        from sessionproof.reference.postgres import restoring

        return restoring.put_back(
            backup,
            place,
            kept_in=kept_in or backup.absolute().parent,
            as_it_is=as_it_is,
            dry_run=dry_run,
            progress=progress,
        )

    code = carried_out(
        work,
        as_json=as_json,
        to_json=lambda done: _to_json(done, dry_run=dry_run),
        show=lambda done, console: _show(done, console, dry_run=dry_run),
        code=lambda _done: 0,
        interrupted="what is there is what was there, or all of the backup",
    )
    click.get_current_context().exit(code)


def _show(done: Restored, console: Console, *, dry_run: bool) -> None:
    from sessionproof.cli.upkeep import amounts_of, say

    rows = amounts_of(done.rows) or "no rows"
    say(console, f"{'in order' if dry_run else 'restored'}  {rows}")
    say(console, f"{'for ' if dry_run else 'into'}      {done.file}")
    if done.before:
        say(console, f"before    {done.before}")
    if dry_run:
        say(console, "nothing was changed")


def _to_json(done: Restored, *, dry_run: bool) -> dict[str, Any]:
    return {
        "file": str(done.file),
        "rows": dict(done.rows),
        "before": str(done.before) if done.before else None,
        "dry_run": dry_run,
    }
