"""``sessionproof repair``: rows that contradict each other are mended, after a copy was made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sessionproof.cli.places import StoredFiles

if TYPE_CHECKING:
    from rich.console import Console

    from sessionproof.cli.upkeep import Progress
    from sessionproof.contract.upkeep import Repaired


@click.command()
@click.argument("path", type=StoredFiles())
@click.option("--apply", "apply", is_flag=True, help="Do it; otherwise it is only said.")
@click.option(
    "--install-guards",
    is_flag=True,
    help="Let triggers of a legacy database keep counters and references right from now on.",
)
@click.option("--remove-guards", is_flag=True, help="Take such triggers away; mend nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON, for programs.")
def repair(
    path: Path, *, apply: bool, install_guards: bool, remove_guards: bool, as_json: bool
) -> None:
    """Mend rows of PATH: a directory with sessions.db, or a database of a legacy schema.

    Damaged indexes, wrong counters, repeated numbers, wrong values, rows without their session.
    A copy is made before, and what is taken out of the tables lies in a file beside it. Exit
    codes: 0 done, or nothing to do, 1 there is something to do and --apply was not given,
    2 refused, 130 interrupted.
    """
    from sessionproof.cli.upkeep import carried_out

    if install_guards and remove_guards:
        raise click.UsageError("--install-guards and --remove-guards exclude each other")
    code = carried_out(
        lambda progress: _work(path, progress, apply, install_guards, remove_guards),
        as_json=as_json,
        to_json=lambda done: _to_json(done, applied=apply),
        show=lambda done, console: _show(done, console, applied=apply),
        code=lambda done: 0 if apply or not any(one.changes for one in done) else 1,
        interrupted="the file is as it was, or mended in full",
    )
    click.get_current_context().exit(code)


def _work(
    path: Path, progress: Progress, apply: bool, install: bool, remove: bool
) -> tuple[Repaired, ...]:
    from sessionproof.reference import guards
    from sessionproof.reference.repair import repair as mend

    if remove:
        return (guards.remove_guards(path, dry_run=not apply, progress=progress),)
    mended = mend(path, dry_run=not apply, progress=progress)
    if not install:
        return (mended,)
    return mended, guards.install_guards(path, dry_run=not apply, progress=progress)


def _show(done: tuple[Repaired, ...], console: Console, *, applied: bool) -> None:
    from sessionproof.cli.upkeep import say

    label = "done" if applied else "would"
    for one in done:
        for change in one.changes:
            say(console, f"{label:<8} {change}")
        if one.backup is not None:
            say(console, f"{'before':<8} {one.backup}")
    if not any(one.changes for one in done):
        say(console, "nothing to mend")
    elif not applied:
        say(console, "nothing was changed: --apply does it, after a copy was made")


def _to_json(done: tuple[Repaired, ...], *, applied: bool) -> dict[str, Any]:
    return {
        "applied": applied,
        "changes": [change for one in done for change in one.changes],
        "backups": [one.backup for one in done if one.backup is not None],
    }
