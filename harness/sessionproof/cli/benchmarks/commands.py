"""``sessionproof bench`` and its commands. Heavy imports wait until a command needs them."""

from __future__ import annotations

from pathlib import Path

import click

from sessionproof.cli.benchmarks.archive import export_runs, import_runs, merge_archives
from sessionproof.cli.benchmarks.compare import compare
from sessionproof.cli.benchmarks.peers import peers
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
@click.option(
    "--archive",
    type=click.Path(path_type=Path),
    help="Keep the runs in this archive, and hold each against the runs before it.",
)
@click.option(
    "--commit", metavar="ID", help="The commit that is measured.  [default: that of this folder]"
)
@click.option("--no-gate", is_flag=True, help="With --archive: keep the runs, and judge nothing.")
@click.option(
    "--causes/--no-causes",
    default=True,
    help="With --archive: count what the calls do, too.  [default: --causes]",
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
    archive: Path | None,
    commit: str | None,
    no_gate: bool,
    causes: bool,
) -> None:
    """Measure each STORE, and print their performance tables side by side.

    A STORE is named as for run, and all need their packages in this environment. With --archive,
    what lies above the limit that the last 15 runs give is measured up to twice more, by fresh
    processes. Exit codes: 0 all were measured, 2 bad usage or one could not be measured, 3 all
    three runs of an operation are slower than usual, 4 further runs could not tell,
    130 interrupted.
    """
    if archive is None and (commit is not None or no_gate):
        raise click.UsageError("--commit and --no-gate say how runs are kept: give --archive, too")
    from sessionproof.cli.benchmarks.keeping import Keeping
    from sessionproof.cli.benchmarks.run import measure

    code = measure(
        stores,
        servers=Servers(kind=on, count=servers),
        profile=profile,
        scale=scale,
        report=report,
        seed=seed,
        location=location,
        keeping=None
        if archive is None
        else Keeping(archive=archive, commit=commit, gate=not no_gate, causes=causes),
    )
    click.get_current_context().exit(code)


bench.add_command(compare)
bench.add_command(export_runs)
bench.add_command(import_runs)
bench.add_command(merge_archives)
bench.add_command(peers)
bench.add_command(trend)
