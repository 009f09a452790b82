"""``sessionproof bench`` and its commands. Heavy imports wait until a command needs them."""

from __future__ import annotations

from pathlib import Path

import click

from sessionproof.cli.benchmarks.compare import compare
from sessionproof.cli.benchmarks.trend import trend
from sessionproof.cli.servers import Servers, server_options


@click.group()
def bench() -> None:
    """Measure stores, compare two versions of one, and watch speed over time."""


@bench.command()
@click.argument("stores", nargs=-1, required=True, metavar="STORE [STORE …]")
@server_options
@click.option("--profile", default="gate", show_default=True, help="smoke, gate or deep.")
@click.option("--scale", is_flag=True, help="Measure also how costs grow; takes longer.")
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    default=Path("sessionproof-performance"),
    show_default=True,
    help="Folder for performance.md, performance.json and performance.html.",
)
@click.option("--seed", type=click.IntRange(0), help="Repeat a measurement by its seed.")
@click.option(
    "--location",
    type=click.Path(path_type=Path),
    help="Existing folder below which the stores' data is put.  [default: memory, else temporary]",
)
def run(
    stores: tuple[str, ...],
    *,
    on: str | None,
    servers: int | None,
    profile: str,
    scale: bool,
    report: Path,
    seed: int | None,
    location: Path | None,
) -> None:
    """Measure each STORE, and print their performance tables side by side.

    A STORE is named as for run, and all need their packages in this environment.
    Exit codes: 0 all were measured, 2 bad usage or one could not be measured, 130 interrupted.
    """
    from sessionproof.cli.benchmarks.run import measure

    code = measure(
        stores,
        servers=Servers(kind=on, count=servers),
        profile=profile,
        scale=scale,
        report=report,
        seed=seed,
        location=location,
    )
    click.get_current_context().exit(code)


bench.add_command(compare)
bench.add_command(trend)
