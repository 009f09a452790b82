"""``sessionproof export`` and ``import``: sessions into files, and out of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sessionproof.cli.places import StoredFiles

if TYPE_CHECKING:
    from rich.console import Console

    from sessionproof.reference.exchange.exporting import Exported
    from sessionproof.reference.exchange.importing import Imported

_FORMS = ("full", "chat", "csv")
_LIBRARIES = ("openai-agents", "langchain")


@click.command()
@click.argument("path", type=StoredFiles())
@click.option(
    "--to",
    "target",
    required=True,
    type=click.Path(path_type=Path),
    help="New file to write; for csv a new folder.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMS),
    default="full",
    show_default=True,
    help="Everything as JSON Lines, chats of OpenAI's API as JSON Lines, or a folder of CSV.",
)
@click.option("--session", "sessions", multiple=True, help="This session; may be given again.")
@click.option("--owner", help="The sessions of this owner.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written, for programs.")
def export(
    path: Path,
    *,
    target: Path,
    form: str,
    sessions: tuple[str, ...],
    owner: str | None,
    as_json: bool,
) -> None:
    """Write the sessions of PATH, a directory with sessions.db or such a file, to a new file.

    PATH is only read, may be in use, and what is written is one moment of it. Exit codes:
    0 written, 2 refused, 130 interrupted.
    """
    from sessionproof.cli.upkeep import carried_out
    from sessionproof.reference.exchange.exporting import export_file

    code = carried_out(
        lambda progress: export_file(
            path, target, form=form, session_ids=sessions, owner=owner, told=progress
        ),
        as_json=as_json,
        to_json=lambda done: {
            "file": str(done.path), "sessions": done.sessions, "messages": done.messages,
            "left_out": dict(done.left_out),
        },
        show=_show_exported,
        code=lambda _: 0,
        interrupted="nothing was written",
    )  # fmt: skip
    click.get_current_context().exit(code)


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "directory",
    required=True,
    type=StoredFiles(),
    help="Existing directory; its sessions.db is made where there is none.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice((*_FORMS, *_LIBRARIES)),
    help="What FILE is.  [default: what it looks like]",
)
@click.option("--skip-existing", is_flag=True, help="Leave sessions alone whose ids are taken.")
@click.option("--json", "as_json", is_flag=True, help="Print what was stored, for programs.")
def import_sessions(
    file: Path, *, directory: Path, form: str | None, skip_existing: bool, as_json: bool
) -> None:
    """Store the sessions of FILE: an export, chats as JSON Lines, or another library's database.

    FILE is only read, and all of it before anything is stored. Exit codes: 0 stored, 2 refused,
    130 interrupted.
    """
    from sessionproof.cli.upkeep import Progress, carried_out
    from sessionproof.reference import ReferenceStore
    from sessionproof.reference.exchange import importing

    def work(progress: Progress) -> Imported:
        importing.source_of(file, form)  # before a database is made for nothing
        with ReferenceStore(directory) as store:
            return importing.import_sessions(
                store,
                file,
                form=form,
                existing="skip" if skip_existing else "refuse",
                told=progress,
            )

    code = carried_out(
        work,
        as_json=as_json,
        to_json=_imported_json,
        show=_show_imported,
        code=lambda _: 0,
        interrupted="each session is there whole, or not at all",
    )
    click.get_current_context().exit(code)


def _show_exported(done: Exported, console: Console) -> None:
    from sessionproof.cli.upkeep import say

    say(console, f"written   {done.path}")
    say(console, f"          {done.messages:,} messages of {done.sessions:,} sessions")
    for what, number in done.left_out.items():
        say(console, f"left out  {what}: {number:,}")


def _show_imported(done: Imported, console: Console) -> None:
    from sessionproof.cli.upkeep import say

    say(
        console, f"stored    {done.messages:,} messages of {done.sessions:,} sessions ({done.form})"
    )
    if done.skipped:
        say(console, f"skipped   {done.skipped:,} sessions that are there already")
    for note in done.notes:
        say(console, f"left out  {note}")


def _imported_json(done: Imported) -> dict[str, Any]:
    return {
        "format": done.form,
        "sessions": done.sessions,
        "messages": done.messages,
        "skipped": done.skipped,
        "notes": list(done.notes),
    }
