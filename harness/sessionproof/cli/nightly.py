"""``sessionproof nightly``: judge stores for hours, and say what is new since the nights before."""

from __future__ import annotations

from pathlib import Path

import click

from sessionproof.cli.judging import judging_options
from sessionproof.cli.servers import Servers, server_options
from sessionproof.cli.spans import Budget

BUDGET_LEAST_S = 30.0


@click.command()
@click.argument("stores", nargs=-1, required=True, metavar="STORE [STORE …]")
@server_options
@click.option(
    "--budget",
    type=Budget(BUDGET_LEAST_S),
    default="6h",
    show_default=True,
    help="The time that the night may take, as 6h, 1h30m or 45m.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("sessionproof-nightly"),
    show_default=True,
    help="Folder that keeps the nights, their seeds, speeds and the page.",
)
@click.option(
    "--resume/--fresh",
    default=None,
    help="Go on with the night that was interrupted, or begin a new one.  "
    "[default: go on, if the same was asked less than 18 hours ago]",
)
@click.option("--profile", default="gate", show_default=True, help="smoke, gate or deep.")
@click.option("-n", "--workers", type=click.IntRange(1, 64), help="Worker processes of a run.")
@click.option("--seed", type=click.IntRange(0), help="Repeat the areas of a night by its seed.")
@judging_options
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    help="TOML file of known breaks of the one store: they do not fail the night.",
)
@click.option(
    "--location",
    type=click.Path(path_type=Path),
    help="Existing folder below which the stores' data is put.  [default: memory, else temporary]",
)
def nightly(
    stores: tuple[str, ...],
    *,
    on: str | None,
    servers: int | None,
    budget: float,
    folder: Path,
    resume: bool | None,
    profile: str,
    workers: int | None,
    seed: int | None,
    only: tuple[str, ...],
    require: tuple[str, ...],
    accept_unknown: tuple[str, ...],
    baseline: Path | None,
    location: Path | None,
) -> None:
    """Judge each STORE for hours with ever new seeds, and say what is new, mended and flaky.

    A STORE is named as for run. Seeds that broke something before are tried first; then races,
    crashes, damage, timeouts, size and speed share the time. Exit codes: 0 all that was judged
    holds, 1 something is broken, 2 bad usage or a store cannot be opened, 3 slower than usual,
    4 something could not be told, 5 nothing was examined, 130 interrupted: the same command goes
    on.
    """
    if baseline is not None and len(stores) > 1:
        raise click.UsageError("--baseline is about one store: give each a night of its own")
    from sessionproof.cli.nights import Wanted, judge_all_night

    code = judge_all_night(
        Wanted(
            stores=stores,
            servers=Servers(kind=on, count=servers),
            budget_s=budget,
            folder=folder,
            resume=resume,
            profile=profile,
            workers=workers,
            seed=seed,
            only=only,
            require=require,
            accept_unknown=accept_unknown,
            baseline=baseline,
            location=location,
        )
    )
    click.get_current_context().exit(code)
