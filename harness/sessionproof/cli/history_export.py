"""``sessionproof history export``: a history as other checkers read it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from rich.console import Console

from sessionproof.cli.histories import guarded, number_of
from sessionproof.cli.lines import line
from sessionproof.history import elle, files, porcupine
from sessionproof.history.format import HistoryError, reading, whole_file
from sessionproof.history.opinions import Export
from sessionproof.history.parts import taken
from sessionproof.history.transactions import from_lines
from sessionproof.report.result import EXIT_HOLDS

_TRANSACTIONS = ".jsonl"
Checker = Literal["elle", "porcupine"]


def export_history(
    path: Path, *, to: Checker, session: str | None, output: Path | None, atomic_batches: bool
) -> int:
    """Write the history to a file, whole or not at all, or to stdout; answers the exit code."""
    return guarded(lambda: _export(path, to, session, output, atomic_batches))


def _export(
    path: Path,
    to: Checker,
    session: str | None,
    output: Path | None,
    atomic_batches: bool,
) -> int:
    if path.suffix == _TRANSACTIONS:
        made = _of_transactions(path, to, session)
    else:
        made = _of_history(path, to, session, atomic_batches=atomic_batches)
    if not made.operations:
        raise HistoryError(f"{path} has no operation that {to} can be told{_without(made)}")
    if output is None:
        _print(made.text)
    else:
        with whole_file(output) as file:
            file.writelines(piece.encode("ascii") for piece in made.text)
    errors = Console(stderr=True)
    many = "operation" if made.operations == 1 else "operations"
    line(errors, f"| {made.operations:,} {many} for {to}")
    for reason, number in made.left_out.items():
        line(errors, f"| left out: {number:,} {reason}")
    return EXIT_HOLDS


def _of_history(path: Path, to: Checker, session: str | None, *, atomic_batches: bool) -> Export:
    history = files.read(path)
    if session is not None:
        history = taken(history, history.rows["session"] == number_of(session, history, path))
    if to == "elle":
        return elle.exported(history, atomic_batches=atomic_batches)
    return porcupine.exported(history, atomic_batches=atomic_batches)


def _of_transactions(path: Path, to: Checker, session: str | None) -> Export:
    if to != "elle":
        raise HistoryError(f"{path} has transactions over several sessions: use --to elle")
    if session is not None:
        raise HistoryError(f"{path} has transactions over several sessions: leave --session away")
    with reading(path):
        return elle.of_transactions(from_lines(path.read_text("utf-8")))


def _without(made: Export) -> str:
    """What it has instead, on the same line."""
    if not made.left_out:
        return ""
    return ": only " + ", ".join(f"{many:,} {reason}" for reason, many in made.left_out.items())


def _print(text: Iterator[str]) -> None:
    for piece in text:
        sys.stdout.write(piece)
    sys.stdout.flush()
