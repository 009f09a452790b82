"""``sessionproof bench peers``: the reference beside every other store that is installed."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option("--profile", default="gate", show_default=True, help="smoke, gate or deep.")
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    default=Path("sessionproof-peers"),
    show_default=True,
    help="Folder for peers.md, peers.json and peers.html, and for all that was measured.",
)
@click.option("--seed", type=click.IntRange(0), help="Repeat a measurement by its seed.")
@click.option(
    "--location",
    type=click.Path(path_type=Path),
    help="Existing folder below which the stores' data is put.  [default: memory, else temporary]",
)
def peers(profile: str, report: Path, seed: int | None, location: Path | None) -> None:
    """Measure the reference and all registered stores, and say where it is not ahead.

    Stores whose packages are not installed are listed with the reason. Exit codes: 0 the reference
    was measured, 2 bad usage or it was not, 130 interrupted.
    """
    from sessionproof.cli.benchmarks.peers_measured import measure_peers

    code = measure_peers(profile=profile, report=report, seed=seed, location=location)
    click.get_current_context().exit(code)
