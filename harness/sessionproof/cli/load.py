"""``sessionproof load``: many clients for minutes or millions of operations, judged afterwards."""

from __future__ import annotations

from pathlib import Path

import click

from sessionproof.cli.servers import Servers, server_options
from sessionproof.cli.spans import Span


@click.command()
@click.argument("store")
@server_options
@click.option(
    "--executor",
    default="processes",
    show_default=True,
    help="Who carries it out: threads, processes, or dask://HOST:PORT.",
)
@click.option("--clients", type=click.IntRange(2, 1024), default=4, show_default=True)
@click.option("--minutes", type=Span(0, min_open=True), help="How long.  [default: 1]")
@click.option("--operations", type=click.IntRange(1), help="So many operations, however long.")
@click.option("--mix", default="mixed", show_default=True, help="What clients do.")
@click.option(
    "--sessions", type=click.IntRange(1), help="In use at the same time.  [default: --clients]"
)
@click.option("--seed", type=click.IntRange(0), help="Draw the same programs: the printed seed.")
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    default=Path("sessionproof-load"),
    show_default=True,
    help="Folder for load.json and the history; a history in it is replaced.",
)
@click.option(
    "--location",
    type=click.Path(path_type=Path),
    help="Existing folder that all workers share; the data is put below it.",
)
@click.option("--require", multiple=True, help="Judge by this claim, as durability=process.")
@click.option("--operation-deadline", type=Span(0.1), help="Seconds after which a call hangs.")
def load(
    store: str,
    *,
    on: str | None,
    servers: int | None,
    executor: str,
    clients: int,
    minutes: float | None,
    operations: int | None,
    mix: str,
    sessions: int | None,
    seed: int | None,
    report: Path,
    location: Path | None,
    require: tuple[str, ...],
    operation_deadline: float | None,
) -> None:
    """Have clients of an executor work on STORE, record them, and judge what came of it.

    STORE is named as for run, and the workers must find it by this name. Exit codes: 0 all that
    is claimed holds, 1 it is broken, 2 bad usage or the store cannot be opened, 4 it could not be
    told, 130 interrupted.
    """
    from sessionproof.cli.loading import Asked, load_store

    if minutes is not None and operations is not None:
        raise click.UsageError("--minutes and --operations exclude each other: give one of them")
    asked = Asked(
        store=store,
        servers=Servers(kind=on, count=servers),
        executor=executor,
        clients=clients,
        seconds=60 * (1.0 if minutes is None else minutes),
        operations=operations,
        mix=mix,
        sessions=clients if sessions is None else sessions,
        seed=seed,
        report=report,
        location=location,
        require=require,
        operation_s=operation_deadline,
    )
    click.get_current_context().exit(load_store(asked))
