"""``sessionproof load``: many clients for minutes or millions of operations, judged afterwards."""

from __future__ import annotations

from pathlib import Path

import click

from sessionproof.cli.servers import Servers, server_options
from sessionproof.cli.spans import Span

RATE_MOST = 100_000.0  # no machine offers more from here
_MINUTES = {False: 1.0, True: 0.25}  # with rates each takes so long


@click.command()
@click.argument("store")
@server_options
@click.option(
    "--executor",
    default="processes",
    show_default=True,
    help="Who carries it out: threads, processes, or dask://HOST:PORT.",
)
@click.option(
    "--clients", type=click.IntRange(2, 1024), default=4, show_default=True,
    help="Clients at work at the same time.",
)  # fmt: skip
@click.option("--minutes", type=Span(0, min_open=True), help="How long.  [default: 1]")
@click.option("--operations", type=click.IntRange(1), help="So many operations, however long.")
@click.option(
    "--rate",
    "rates",
    type=click.FloatRange(0, RATE_MOST, min_open=True),
    multiple=True,
    help="So many operations a second, whatever the store answers; several times: one after the "
    "other, each for --minutes.  [default for these: 0.25]",
)
@click.option(
    "--mix",
    default="mixed",
    show_default=True,
    help="What clients do: mixed, hot, batches, counts, writes or pages.",
)
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
@click.option(
    "--operation-deadline",
    type=Span(0.1),
    help="Seconds after which a call hangs.  [default: 20]",
)
def load(
    store: str,
    *,
    on: str | None,
    servers: int | None,
    executor: str,
    clients: int,
    minutes: float | None,
    operations: int | None,
    rates: tuple[float, ...],
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
    if rates and operations is not None:
        raise click.UsageError("--rate and --operations exclude each other: give one of them")
    if len(set(rates)) < len(rates):
        raise click.UsageError("--rate is given twice with the same number: give each once")
    asked = Asked(
        store=store,
        servers=Servers(kind=on, count=servers),
        executor=executor,
        clients=clients,
        seconds=60 * (_MINUTES[bool(rates)] if minutes is None else minutes),
        operations=operations,
        rates=rates,
        mix=mix,
        sessions=clients if sessions is None else sessions,
        seed=seed,
        report=report,
        location=location,
        require=require,
        operation_s=operation_deadline,
    )
    click.get_current_context().exit(load_store(asked))
