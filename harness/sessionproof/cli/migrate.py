"""``sessionproof migrate`` and ``rollback``: what came of an old file, and the way back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sessionproof.cli.places import StoredFiles

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from rich.console import Console

    from sessionproof.contract.upkeep import Migrated
    from sessionproof.reference.rollback import RolledBack

_ANSWER_HELP = "Print the answer as JSON, for programs."


@click.command()
@click.argument("file", type=StoredFiles())
@click.option(
    "--to", "directory", required=True, type=click.Path(path_type=Path),
    help="Existing directory of the new store.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only say what would be taken over.")
@click.option(
    "--zone", default="UTC", show_default=True, callback=lambda _ctx, _option, name: _zone(name),
    help="Time zone of times without one, as Europe/Berlin.",
)  # fmt: skip
@click.option(
    "--role", "roles", multiple=True, metavar="WORD=ROLE",
    callback=lambda _ctx, _option, pairs: _roles(pairs),
    help="What a word of the old file means, as ai=assistant; may be repeated.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help=_ANSWER_HELP)
@click.pass_context
def migrate(
    ctx: click.Context,
    file: Path,
    *,
    directory: Path,
    dry_run: bool,
    zone: ZoneInfo,
    roles: dict[str, str],
    as_json: bool,
) -> None:
    """Take over FILE, of a legacy schema or an earlier release, into a store's directory.

    FILE is only read; when it is the directory's own sessions.db, it is kept in the folder
    migrated/ and replaced. To migrate again changes nothing.

    Exit codes: 0 done, or there was nothing to do, 2 refused, 130 interrupted.
    """
    from dataclasses import asdict

    from sessionproof.cli.upkeep import carried_out
    from sessionproof.reference.legacy.values import Manner
    from sessionproof.reference.migrate import migrate as take_over

    ctx.exit(
        carried_out(
            lambda told: take_over(
                file, directory, dry_run=dry_run, manner=Manner(zone, roles), progress=told
            ),
            as_json=as_json,
            to_json=lambda answer: asdict(answer) | {"dry_run": dry_run},
            show=lambda answer, console: _show(answer, console, directory, dry_run=dry_run),
            code=lambda _: 0,
        )
    )


@click.command()
@click.argument("directory", type=StoredFiles())
@click.option("--dry-run", is_flag=True, help="Only say what would be put back.")
@click.option("--json", "as_json", is_flag=True, help=_ANSWER_HELP)
@click.pass_context
def rollback(ctx: click.Context, directory: Path, *, dry_run: bool, as_json: bool) -> None:
    """Take the migration into DIRECTORY back: the old file is where it was, byte for byte.

    What was written since is kept in a copy that the answer names.

    Exit codes: 0 done, 2 refused, 130 interrupted.
    """
    from sessionproof.cli.upkeep import carried_out
    from sessionproof.reference.rollback import rollback as roll_back

    def to_json(answer: RolledBack) -> dict[str, Any]:
        kept = None if answer.kept is None else str(answer.kept)
        return {"file": str(answer.file), "kept": kept, "dry_run": dry_run}

    ctx.exit(
        carried_out(
            lambda told: roll_back(directory, dry_run=dry_run, progress=told),
            as_json=as_json,
            to_json=to_json,
            show=lambda answer, console: _show_back(answer, console, dry_run=dry_run),
            code=lambda _: 0,
            interrupted="roll back again to come to the end",
        )
    )


def _zone(name: str) -> ZoneInfo:
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:  # it is not found, or its name is a path
        raise click.BadParameter(f"{name} is no time zone, as Europe/Berlin is one") from error


def _roles(pairs: tuple[str, ...]) -> dict[str, str]:
    from sessionproof.reference.codec import ROLES

    roles = {}
    for pair in pairs:
        word, _, role = pair.rpartition("=")
        if not word or role not in ROLES:
            known = ", ".join(sorted(ROLES))
            raise click.BadParameter(f"{pair} is not WORD=ROLE with a role of {known}")
        roles[word] = role
    return roles


def _show(answer: Migrated, console: Console, directory: Path, *, dry_run: bool) -> None:
    from sessionproof.cli.upkeep import say
    from sessionproof.reference.legacy.kept import ASIDE, FOLDER

    counts = f"{_some(answer.sessions, 'session')} with {_some(answer.messages, 'message')}"
    if not answer.changed:
        say(console, f"nothing to do: {directory} has {counts} already")
        return
    did = "would be taken over" if dry_run else f"taken over into {directory}"
    say(console, f"{counts} {did}, {_some(answer.set_aside, 'row')} put aside")
    for note in answer.notes:
        say(console, f"  {note}")
    if not dry_run:
        aside = directory / FOLDER / ASIDE
        if aside.exists():
            say(console, f"  what was put aside or corrected: {aside}")
        say(console, f"  the way back: sessionproof rollback {directory}")


def _some(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _show_back(answer: RolledBack, console: Console, *, dry_run: bool) -> None:
    from sessionproof.cli.upkeep import say

    say(console, f"{answer.file} {'would be' if dry_run else 'is'} what it was, byte for byte")
    if answer.kept is not None:
        say(console, f"  the new store, with all that was written since: {answer.kept}")
