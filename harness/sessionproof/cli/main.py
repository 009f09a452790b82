"""``sessionproof``: the command line. Heavy imports wait until a command needs them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from sessionproof import __version__
from sessionproof.cli.backup import backup
from sessionproof.cli.benchmarks.commands import bench
from sessionproof.cli.browse import browse
from sessionproof.cli.compare import compare
from sessionproof.cli.crash import crash
from sessionproof.cli.drill import drill
from sessionproof.cli.explain import explain
from sessionproof.cli.export import export, import_sessions
from sessionproof.cli.health import health
from sessionproof.cli.history import history
from sessionproof.cli.judging import judging_options
from sessionproof.cli.load import load
from sessionproof.cli.maintain import maintain
from sessionproof.cli.migrate import migrate, rollback
from sessionproof.cli.nightly import nightly
from sessionproof.cli.places import StoredFiles
from sessionproof.cli.recover import recover
from sessionproof.cli.repair import repair
from sessionproof.cli.restore import restore
from sessionproof.cli.scoreboard import scoreboard
from sessionproof.cli.servers import Servers, server_options
from sessionproof.cli.sessions import sessions
from sessionproof.cli.shards import shards
from sessionproof.cli.snapshots import snapshots
from sessionproof.cli.spans import Span
from sessionproof.cli.stores import stores
from sessionproof.cli.verify import verify
from sessionproof.report.plain import for_terminal

_ONLY_HELP: Any = getattr(click.exceptions, "NoArgsIsHelpError", ())
"""What newer releases of click raise where a group is called without a command: its help."""


def entry() -> None:
    """Run the command: a mistake in its use is one line and exit code 2, never a traceback."""
    try:
        code = main(standalone_mode=False)
        sys.stdout.flush()
    except _ONLY_HELP as error:
        click.echo(error.format_message(), err=True)
        code = 2
    except click.UsageError as error:
        hint = f"{error.ctx.command_path} --help" if error.ctx else "sessionproof --help"
        click.echo(f"sessionproof: {_in_one_line(_mistake(error))} (see {hint})", err=True)
        code = 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("sessionproof: interrupted", err=True)
        code = 130
    except OSError as error:
        code = _cannot_be_used(error)
    sys.exit(code)


def _cannot_be_used(error: OSError) -> int:
    """Say what the system refused: an answer without room for it never passes for a verdict."""
    from sessionproof.cli.upkeep import give_up_stdout, refused_by_system

    said = refused_by_system(error)
    if error.filename is None:
        said = f"the answer, or a file, cannot be written: {error.strerror or error}"
    try:
        sys.stdout.flush()
    except OSError:
        give_up_stdout()
    if isinstance(error, BrokenPipeError):  # who reads has enough
        return 1
    click.echo(f"sessionproof: {_in_one_line(said)}", err=True)
    return 2


def _mistake(error: click.UsageError) -> str:
    """What was wrong; an address in a command's place is not shown, as it may hold a password."""
    said = error.format_message()
    if said.startswith("No such command") and "://" in said:
        return "a command is missing before the store's address"
    return said


def _in_one_line(text: str) -> str:
    """The text as no terminal and no CI log obeys it: parts of it may come from a file."""
    return for_terminal(text.replace("\n", " ").replace("\t", " "), sys.stderr.encoding or "utf-8")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sessionproof")
def main() -> None:
    """Judge chat-session stores: what they lose, duplicate, reorder or orphan."""
    # A store named module:attr is looked for where the command was started, as python -m does.
    try:
        here = os.getcwd()  # noqa: PTH109 - sys.path holds strings
    except FileNotFoundError:
        raise click.UsageError("the current folder is gone: go to one that is there") from None
    if here not in sys.path:
        sys.path.insert(0, here)


@main.command()
@click.argument("store")
@server_options
@click.option(
    "--profile", default="gate", show_default=True, help="How thorough: smoke, gate or deep."
)
@click.option("-n", "--workers", type=click.IntRange(1, 64), help="Worker processes.")
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    default=Path("sessionproof-report"),
    show_default=True,
    help="Folder for result.json, index.html and junit.xml.",
)
@click.option("--seed", type=click.IntRange(0), help="Repeat a run: the seed that it printed.")
@click.option(
    "--seeds",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="Judge with so many seeds, from --seed on: how often does it break?",
)
@judging_options
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    help="TOML file of known breaks with their reasons: they do not fail the run.",
)
@click.option(
    "--location",
    type=click.Path(path_type=Path),
    help="Existing folder below which the store's data is put.  [default: memory, else temporary]",
)
@click.option(
    "--size",
    type=click.IntRange(100, 10_000_000),
    help="The largest number of messages at which growth is measured.  [default: the profile's]",
)
@click.option(
    "--memory",
    type=click.IntRange(0),
    help="MiB for each process of the store, 0 for no limit.  "
    "[default: an eighth of the machine's, at least 2048]",
)
@click.option("--timings", is_flag=True, help="Print at the end where the time went.")
@click.option(
    "--operation-deadline",
    type=Span(0.1),
    help="Seconds after which a call hangs.  [default: 20, of deep 60]",
)
@click.option(
    "--test-deadline",
    type=Span(1),
    help="Seconds after which a test is ended.  [default: 90, of deep 600]",
)
def run(
    store: str,
    *,
    on: str | None,
    servers: int | None,
    profile: str,
    workers: int | None,
    report: Path,
    seed: int | None,
    seeds: int,
    only: tuple[str, ...],
    require: tuple[str, ...],
    accept_unknown: tuple[str, ...],
    baseline: Path | None,
    location: Path | None,
    size: int | None,
    memory: int | None,
    timings: bool,
    operation_deadline: float | None,
    test_deadline: float | None,
) -> None:
    """Judge STORE: reference, module:attr, a known store, cmd:COMMAND, or postgresql://….

    Exit codes: 0 all claimed guarantees hold, or their breaks are in the baseline, 1 one is broken,
    or the baseline has a stale entry, 2 bad usage or the store cannot be opened, 4 one could not
    be judged, 5 nothing was examined, 130 interrupted.
    """
    from sessionproof.cli.run import judge

    code = judge(
        store,
        servers=Servers(kind=on, count=servers),
        profile=profile,
        workers=workers,
        report=report,
        seed=seed,
        seeds=seeds,
        only=only,
        require=require,
        accept_unknown=accept_unknown,
        baseline=baseline,
        location=location,
        size=size,
        memory=None if memory is None else memory * 1024 * 1024,
        timings=timings,
        operation_s=operation_deadline,
        test_s=test_deadline,
    )
    click.get_current_context().exit(code)


@main.command("new-adapter")
@click.argument("name", default="mystore")
@click.option("--async", "asynchronous", is_flag=True, help="Write one with async methods.")
def new_adapter(name: str, *, asynchronous: bool) -> None:
    """Write an adapter that runs at once to NAME, a file or a module, and print what to run next.

    An existing file is never changed. Exit codes: 0 written, 2 bad usage.
    """
    from sessionproof.cli.new_adapter import write_adapter
    from sessionproof.engine.plan import BadUsage

    try:
        command = write_adapter(name, asynchronous=asynchronous)
    except BadUsage as error:
        raise click.UsageError(str(error)) from None
    click.echo(command)


@main.command()
@click.argument("file", type=StoredFiles())
@click.option("--json", "as_json", is_flag=True, help="Print the audit as JSON, for programs.")
def audit(file: Path, *, as_json: bool) -> None:
    """Audit FILE, an SQLite database of chat sessions, without changing it.

    Exit codes: 0 nothing is wrong, 1 something is, 2 bad usage, or the file cannot be read or not
    be checked in full, 130 interrupted.
    """
    from sessionproof.cli.audit import examine_file

    click.get_current_context().exit(examine_file(file, as_json=as_json))


main.add_command(bench)
main.add_command(history)
main.add_command(load)
main.add_command(scoreboard)
main.add_command(nightly)
main.add_command(compare)
main.add_command(crash)
main.add_command(backup)
main.add_command(restore)
main.add_command(recover)
main.add_command(drill)
main.add_command(migrate)
main.add_command(rollback)
main.add_command(verify)
main.add_command(repair)
main.add_command(health)
main.add_command(maintain)
main.add_command(explain)
main.add_command(sessions)
main.add_command(export)
main.add_command(import_sessions)
main.add_command(browse)
main.add_command(snapshots)
main.add_command(shards)
main.add_command(stores)
