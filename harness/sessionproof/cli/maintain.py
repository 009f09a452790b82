"""``sessionproof maintain``: upkeep of a store, once or for as long as it runs."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sessionproof.cli.places import place_of, schema_option, where

if TYPE_CHECKING:
    from rich.console import Console

    from sessionproof.reference.chores.plan import Plan
    from sessionproof.reference.chores.runs import Run


@click.command()
@click.argument("path", type=where)
@schema_option
@click.option("--once", is_flag=True, help="Do what is due and end; so it is without --daemon.")
@click.option("--daemon", is_flag=True, help="Go on until SIGTERM or Ctrl-C.")
@click.option("--all", "all_now", is_flag=True, help="Do all of it now, due or not.")
@click.option(
    "--backups",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Existing folder: make backups, try them.",
)
@click.option(
    "--keep", type=click.IntRange(1), default=30, show_default=True, help="Backups that stay."
)
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON, for programs.")
def maintain(
    path: Path | str,
    *,
    schema: str | None,
    once: bool,
    daemon: bool,
    all_now: bool,
    backups: Path | None,
    keep: int,
    as_json: bool,
) -> None:
    """Do the upkeep of PATH, a directory with sessions.db, which others may use meanwhile.

    Or of postgresql://…, a schema on a server.

    Sweep, search index, statistics, free pages, verify, backups and drills, log, health: each on
    its interval, and by one process only. Exit codes: 0 done, or ended by SIGTERM, 1 a task failed
    or found something wrong, 2 refused, 130 interrupted.
    """
    from sessionproof.cli.upkeep import carried_out
    from sessionproof.reference.chores.plan import Plan

    if daemon and (once or all_now or as_json):
        raise click.UsageError("--daemon goes with none of --once, --all and --json")
    plan = Plan(backups=None if backups is None else backups.absolute(), keep=keep)
    if daemon:
        code = carried_out(
            lambda _progress: _go_on(path, schema, plan),
            as_json=False,
            to_json=lambda _: {},
            show=lambda _, _console: None,
            code=lambda _: 0,
            interrupted="the task under way was given up",
        )
    else:
        code = carried_out(
            lambda progress: _once(path, schema, plan, progress, all_now=all_now),
            as_json=as_json,
            to_json=_to_json,
            show=_show,
            code=lambda runs: int(any(run.failed for run in runs)),
            interrupted="what was done is done",
        )
    click.get_current_context().exit(code)


def _once(
    path: Path | str, schema: str | None, plan: Plan, progress: Any, *, all_now: bool
) -> tuple[Run, ...]:
    with _opened(path, schema) as (store, due_runs):
        return tuple(due_runs(store, plan, all_now=all_now, told=progress))


def _go_on(path: Path | str, schema: str | None, plan: Plan) -> None:
    import logging

    from sessionproof.reference.maintenance import Maintenance

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    ended = threading.Event()

    def end(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_IGN)  # who sends it twice does not spoil the good end
        ended.set()

    with _opened(path, schema) as (store, _), Maintenance(store, plan=plan) as upkeep:
        signal.signal(signal.SIGTERM, end)
        click.echo(f"upkeep of {upkeep.where} goes on until SIGTERM or Ctrl-C", err=True)
        ended.wait()


@contextmanager
def _opened(path: Path | str, schema: str | None) -> Iterator[tuple[Any, Callable[..., Any]]]:
    """The store, and what does its upkeep; nothing is ever made by a wrong name."""
    place = place_of(path, schema)
    if place is None:
        from sessionproof.reference.maintenance import due_runs
        from sessionproof.reference.store import ReferenceStore

        with ReferenceStore(_directory(Path(path)), preset="cli") as store:
            yield store, due_runs
        return
    from sessionproof.reference.postgres import maintenance
    from sessionproof.reference.postgres.store import PostgresStore

    with place.connected(writes=False) as db:
        place.require(db)
    with PostgresStore(url=place.url, schema=place.schema, preset="cli") as on_server:
        yield on_server, maintenance.due_runs


def _directory(path: Path) -> Path:
    """The directory of a database that is there: nothing is ever made by a wrong path."""
    from sessionproof.contract.errors import Refused
    from sessionproof.reference.files import present
    from sessionproof.reference.opening import FILE

    file = present(path)
    if file.name != FILE:
        raise Refused(f"{file} is not named {FILE}: name a directory of the reference store")
    return file.parent


def _show(runs: tuple[Run, ...], console: Console) -> None:
    from sessionproof.cli.upkeep import say

    for run in runs:
        say(console, f"{'FAILED' if run.failed else 'done  '}  {run.task}: {run.text}")
    if not runs:
        say(console, "nothing was due, or another process is at it")


def _to_json(runs: tuple[Run, ...]) -> dict[str, Any]:
    names = ("task", "started_at_us", "ended_at_us", "failed", "text")
    return {"runs": [{name: getattr(run, name) for name in names} for run in runs]}
