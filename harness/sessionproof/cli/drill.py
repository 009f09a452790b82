"""``sessionproof drill``: the newest backups are tried, before they are needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sessionproof.cli.places import StoredFiles

if TYPE_CHECKING:
    from rich.console import Console

    from sessionproof.reference.drill import Drill

_PROBLEMS_MAX = 5


@click.command()
@click.argument("folder", type=StoredFiles())
@click.option("--json", "as_json", is_flag=True, help="Print what was found, for programs.")
def drill(folder: Path, *, as_json: bool) -> None:
    """Restore the newest backup of each file in FOLDER into a temporary place, and read it all.

    Exit codes: 0 all went well, 1 a drill failed, 2 refused, 130 interrupted.
    """
    from sessionproof.cli.upkeep import carried_out
    from sessionproof.reference.drill import drilled

    code = carried_out(
        lambda progress: drilled(folder, progress=progress),
        as_json=as_json,
        to_json=lambda drills: {"drills": [_to_json(one) for one in drills]},
        show=_show,
        code=lambda drills: int(any(one.problems for one in drills)),
    )
    click.get_current_context().exit(code)


def _show(drills: tuple[Drill, ...], console: Console) -> None:
    from sessionproof.cli.upkeep import say

    for one in drills:
        say(console, f"{'FAILED' if one.problems else 'good  '}  {one.backup}")
        if one.messages is not None:
            say(console, f"read    {one.sessions:,} sessions, {one.messages:,} messages")
        elif one.rows:
            say(console, "rows    " + ", ".join(f"{n:,} {name}" for name, n in one.rows.items()))
        for problem in one.problems[:_PROBLEMS_MAX]:
            say(console, f"problem {problem}")
        if len(one.problems) > _PROBLEMS_MAX:
            say(console, f"problem {len(one.problems) - _PROBLEMS_MAX} more with --json")
        if one.problems:
            say(console, f"instead {one.good or 'there is no good backup of this file'}")


def _to_json(one: Drill) -> dict[str, Any]:
    return {
        "backup": str(one.backup),
        "rows": dict(one.rows),
        "sessions": one.sessions,
        "messages": one.messages,
        "problems": list(one.problems),
        "good": str(one.good) if one.good else None,
    }
