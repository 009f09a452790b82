"""What ``sessionproof crash show`` prints: the operations of a recording, or one crash point."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from sessionproof.cli.crashes import guarded, told
from sessionproof.cli.lines import cell, line
from sessionproof.contract.operations import as_call
from sessionproof.engine.plan import BadUsage
from sessionproof.faults.crashes.models import states_at
from sessionproof.faults.crashes.points import Facts, pending_at
from sessionproof.faults.crashes.states import MODELS, POWER_ORDERED, POWER_STRICT
from sessionproof.faults.recording import Recording
from sessionproof.faults.tracing.saving import load
from sessionproof.report.result import EXIT_HOLDS
from sessionproof.trials.crashes.steps import lane_of, said_of

_TEXT_CHARACTERS_MAX = 90
_AFTER = 6  # changes that are shown behind a crash
_POWER = (POWER_ORDERED, POWER_STRICT)


def show_recording(folder: Path, *, point: int | None, most: int) -> int:
    """Print the recording, or its changes around one point; answers the exit code."""
    return guarded(lambda: _show(folder, point, most))


def _show(folder: Path, point: int | None, most: int) -> int:
    console = Console()
    recording = load(folder)
    if point is None:
        console.print(_operations(recording, console))
    elif point > len(recording.changes):
        raise BadUsage(f"--point {point}: {folder} has {len(recording.changes)} changes")
    else:
        _show_point(recording, point, most, console)
    line(console, f"| {recording.store}: {told(recording)}", "bold")
    if recording.hidden:
        line(console, f"| cannot be judged: {recording.hidden}", "yellow")
    return EXIT_HOLDS


def _operations(recording: Recording, console: Console) -> Table:
    """One operation a line, with the changes between which a crash finds it in flight."""
    table = Table(box=box.SQUARE, header_style="bold", highlight=False)
    for name in ("client", "call", "ended", "asked after", "answered by"):
        right = name in {"asked after", "answered by"}
        table.add_column(name, overflow="fold", justify="right" if right else "left")
    for act in recording.acts:
        answered = "never" if act.answered is None else f"{act.answered + 1:,}"
        cells = (
            f"{act.client + 1}",
            as_call(act.operation),
            act.outcome.type,
            f"{act.after + 1:,}",
            answered,
        )
        table.add_row(*(cell(console, one, most=_TEXT_CHARACTERS_MAX) for one in cells))
    return table


def _show_point(recording: Recording, point: int, most: int, console: Console) -> None:
    facts = Facts(recording.changes)
    pending = {model: set(pending_at(facts, model, point).all) for model in _POWER}
    first = max(0, point - most)
    table = Table(box=box.SQUARE, header_style="bold", highlight=False)
    for name in ("change", "file", "what", *_POWER):
        table.add_column(name, overflow="fold", justify="right" if name == "change" else "left")
    for at in range(first, min(len(recording.changes), point + _AFTER)):
        if at == point:
            table.add_section()
        after = at >= point
        kept = ("later",) * 2 if after else tuple(
            "may be lost" if at in pending[model] else "" for model in _POWER
        )  # fmt: skip
        cells = (f"{at + 1:,}", lane_of(recording, at), said_of(recording, at), *kept)
        style = "dim" if after else None
        table.add_row(
            *(cell(console, one, most=_TEXT_CHARACTERS_MAX) for one in cells), style=style
        )
    console.print(table)
    if first:
        older = ", ".join(f"{sum(at < first for at in pending[one])} {one}" for one in _POWER)
        line(console, f"| {first:,} earlier changes are not shown (--most); may be lost: {older}")
    for act in recording.acts:
        if act.after < point and (act.answered is None or act.answered >= point):
            line(console, f"| in flight: {as_call(act.operation)}")
    done = sum(act.answered is not None and act.answered < point for act in recording.acts)
    line(console, f"| a crash after change {point:,}: {done:,} operations had been answered")
    for model in MODELS:
        manners = Counter(manner for manner, _ in states_at(facts, model, point))
        said = ", ".join(f"{number} {manner}" for manner, number in manners.items())
        number = manners.total()
        line(console, f"|   {model}: {number} state{'' if number == 1 else 's'} ({said})")
