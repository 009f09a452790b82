"""``sessionproof crash``: a store is recorded, crashed at every point, and judged; or looked at."""

from __future__ import annotations

from pathlib import Path

import click

from sessionproof.cli.spans import Span

_MODELS = ("kill", "power-ordered", "power-strict")


@click.group()
def crash() -> None:
    """Record what a store does to its files, and judge what crashes leave of them."""


@crash.command()
@click.argument("store")
@click.option(
    "--to",
    "folder",
    required=True,
    type=click.Path(path_type=Path),
    help="New or empty folder that the recording is put into.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the texts.")
@click.option(
    "--clients", type=click.IntRange(1, 2), default=1, show_default=True,
    help="Clients that use it at the same time.",
)  # fmt: skip
@click.option("--require", multiple=True, help="Judge by this claim, as durability=power.")
def record(store: str, *, folder: Path, seed: int, clients: int, require: tuple[str, ...]) -> None:
    """Record STORE, named as for run, while one client or two use it.

    Exit codes: 0 recorded, 2 bad usage or the store cannot be opened, 4 it cannot be traced here,
    130 interrupted.
    """
    from sessionproof.cli.crashes import record_store

    code = record_store(store, folder, seed=seed, clients=clients, require=require)
    click.get_current_context().exit(code)


@crash.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--store", help="Open the files with this store.  [default: the recorded one]")
@click.option(
    "--model", "models", multiple=True, type=click.Choice(_MODELS), help="Only this crash model."
)
@click.option(
    "--states",
    type=click.IntRange(0),
    default=1_000,
    show_default=True,
    help="How many states of each model are judged at most; 0 for all.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Which states.")
@click.option("-n", "--workers", type=click.IntRange(1, 64), help="Worker processes.")
@click.option(
    "--operation-deadline",
    type=Span(0.1),
    default=20.0,
    show_default=True,
    help="Seconds after which a call hangs.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the judgement as JSON, for programs.")
def judge(
    folder: Path,
    *,
    store: str | None,
    models: tuple[str, ...],
    states: int,
    seed: int,
    workers: int | None,
    operation_deadline: float,
    as_json: bool,
) -> None:
    """Judge what crashes leave of the recording in FOLDER, state by state.

    Exit codes: 0 nothing is wrong that the store claims to survive, 1 something is, 2 bad usage
    or the recording cannot be read, 4 it could not be told, 130 interrupted.
    """
    from sessionproof.cli.crashes import Wanted, judge_recording

    wanted = Wanted(
        store=store,
        models=models or _MODELS,
        states=states,
        seed=seed,
        workers=workers,
        operation_s=operation_deadline,
    )
    click.get_current_context().exit(judge_recording(folder, wanted, as_json=as_json))


@crash.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--point", type=click.IntRange(0), help="Show a crash after so many changes.")
@click.option(
    "--most",
    type=click.IntRange(1),
    default=40,
    show_default=True,
    help="How many changes before the crash are printed at most.",
)
def show(folder: Path, *, point: int | None, most: int) -> None:
    """Print the operations of the recording in FOLDER, or its changes around one crash point.

    Exit codes: 0 shown, 2 bad usage or the recording cannot be read, 130 interrupted.
    """
    from sessionproof.cli.crash_shown import show_recording

    click.get_current_context().exit(show_recording(folder, point=point, most=most))
