"""``sessionproof scoreboard``: many stores side by side on one offline page."""

from __future__ import annotations

from pathlib import Path

import click

from sessionproof.cli.spans import Span

JOBS_MOST = 64


@click.command()
@click.argument("stores", nargs=-1, metavar="[STORE]...")
@click.option("--also", multiple=True, help="A store beside those that are judged without a name.")
@click.option(
    "--isolated", is_flag=True, help="Install each store into a virtual environment of its own."
)
@click.option(
    "--environments",
    type=click.Path(path_type=Path),
    help="With --isolated: keep the environments in this folder, and use what is there.",
)
@click.option("--profile", default="smoke", show_default=True, help="smoke, gate or deep.")
@click.option("--seed", type=click.IntRange(0), help="Repeat a board by its seed.")
@click.option(
    "--jobs", type=click.IntRange(1, JOBS_MOST), help="Stores at a time.  [default: cores]"
)
@click.option(
    "--deadline",
    type=Span(1),
    help="Seconds that one store may take.  [default: 900 with smoke, else the profile's]",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    help="Folder for the board.  [default: sessionproof-scoreboard; with --from that folder]",
)
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    help="Write the pages anew from the data in this folder, and judge nothing.",
)
def scoreboard(
    stores: tuple[str, ...],
    *,
    also: tuple[str, ...],
    isolated: bool,
    environments: Path | None,
    profile: str,
    seed: int | None,
    jobs: int | None,
    deadline: float | None,
    report: Path | None,
    source: Path | None,
) -> None:
    """Judge many stores and write one page of them: each STORE, or all that can be judged here.

    STORE is as for run, or NAME=STORE. Exit codes: 0 the board was written, whatever it says,
    2 bad usage, 130 interrupted (the board has what was judged until then).
    """
    from sessionproof.cli.gathered import Wanted, judge_many, write_again

    if source is not None:
        if stores or also or isolated:
            raise click.UsageError("--from judges nothing: leave out the stores and --isolated")
        code = write_again(source, report or source)
    else:
        if environments is not None and not isolated:
            raise click.UsageError("--environments goes with --isolated")
        wanted = Wanted(
            stores=stores,
            also=also,
            isolated=isolated,
            environments=environments,
            profile=profile,
            seed=seed,
            jobs=jobs,
            deadline_s=deadline,
            report=report or Path("sessionproof-scoreboard"),
        )
        code = judge_many(wanted)
    click.get_current_context().exit(code)
