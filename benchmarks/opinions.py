"""How fast a history is exported for other checkers, beside writing the same bytes.

``python benchmarks/opinions.py`` makes the history of a correct store, and writes it in each form
to a file; then the same bytes again, from memory. Both take turns in rounds. Prints operations in
a second and bytes for each operation; medians over rounds, wall clock. ``--operations`` is the
size of the history, ``--location`` a folder for the files.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from made_history import made_history

from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.seed import generator
from sessionproof.engine.machine import facts
from sessionproof.history import elle, porcupine
from sessionproof.history.columns import History
from sessionproof.history.opinions import Export

FORMS: dict[str, Callable[..., Export]] = {
    "elle": elle.exported,
    "porcupine": porcupine.exported,
}
ROUNDS = 5


def written(pieces: Iterable[str], path: Path) -> float:
    """Seconds until all is written and the file closed."""
    start = monotonic_s()
    with path.open("wb") as file:
        file.writelines(piece.encode("ascii") for piece in pieces)
    return monotonic_s() - start


def measured(history: History, form: str, folder: Path, rounds: int, seed: int) -> None:
    """Print how long an export takes, and its bytes alone."""
    export = FORMS[form](history, atomic_batches=True)
    pieces = [*export.text]
    size = sum(map(len, pieces))
    chance = generator(seed, form)
    taken: dict[str, list[float]] = {"export": [], "bytes": []}
    for _ in range(rounds):
        for what in chance.sample([*taken], 2):
            made = FORMS[form](history, atomic_batches=True).text if what == "export" else pieces
            taken[what].append(written(made, folder / what))
    if (folder / "export").read_bytes() != (folder / "bytes").read_bytes():
        raise AssertionError(f"{form}: the same history was written in two ways")
    seconds = {what: statistics.median(times) for what, times in taken.items()}
    number = export.operations
    say(form, f"{number:,} operations, {size / number:,.0f} bytes each")
    for reason, many in export.left_out.items():
        say("", f"left out: {many:,} {reason}")
    say("  exported", f"{number / seconds['export']:,.0f} operations in a second")
    say("  its bytes alone", f"{number / seconds['bytes']:,.0f} operations in a second")


def say(what: str, value: str) -> None:
    """One line."""
    sys.stdout.write(f"{what:<28}{value}\n")


def main() -> int:
    """Print the machine's facts, then each form."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--operations", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--location", type=Path)
    chosen = parser.parse_args()
    made = made_history(chosen.operations, unknown=0.02, refused=0.02, seed=chosen.seed)
    with tempfile.TemporaryDirectory(dir=chosen.location) as directory:
        folder = Path(directory)
        for name, value in facts(folder).items():
            say(name, value)
        for form in FORMS:
            measured(made.history, form, folder, chosen.rounds, chosen.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
