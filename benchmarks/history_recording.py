"""What recording costs an operation, and how long a large history takes to be read.

``python benchmarks/history_recording.py`` lets a client call a store that does nothing, recorded
and not recorded in turns, in batches: what the recorder adds is the difference of the two. Then it
records a history, and reads it shard by shard. Prints microseconds for each operation (medians
over rounds, wall clock), seconds, and the most memory that the process held. ``--rows`` is the
size of that history, ``--location`` a folder for it. Ends with 1 when an operation costs more than
its budget; on a busy machine that says little.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from sessionproof.contract.clock import monotonic_ns, monotonic_s
from sessionproof.contract.seed import generator
from sessionproof.engine.machine import facts
from sessionproof.history import files
from sessionproof.history.columns import F, Phase, Type
from sessionproof.history.journal import Journal
from sessionproof.history.tokens import text_of

BUDGET_US = 3.0
BATCH, ROUNDS = 500, 200
READ = 100  # messages that a read answers
SESSIONS, SHARDS = 1_000, 16

Turn = Callable[[], int]


class Nothing:
    """A store that does nothing, and answers what was there all the time."""

    def __init__(self) -> None:
        self._texts = [text_of(number << 8) for number in range(1, READ + 1)]

    def append(self, session: int, number: int) -> None:
        """Keep nothing."""

    def read(self, _session: int) -> list[str]:
        """The same texts each time."""
        return self._texts


def turns(store: Nothing, journal: Journal) -> dict[str, Turn]:
    """What takes turns, by name: each makes a batch of calls and answers its nanoseconds."""

    def bare_appends() -> int:
        start = monotonic_ns()
        for number in range(1, BATCH + 1):
            store.append(0, number)
        return monotonic_ns() - start

    def appends() -> int:
        start = monotonic_ns()
        for number in range(1, BATCH + 1):
            slot = journal.invoke(F.APPEND, 0, number << 8, 1, Phase.LOAD)
            store.append(0, number)
            journal.complete(slot, Type.OK)
        return monotonic_ns() - start

    def bare_reads() -> int:
        start = monotonic_ns()
        for _ in range(BATCH):
            store.read(0)
        return monotonic_ns() - start

    def reads() -> int:
        start = monotonic_ns()
        for number in range(1, BATCH + 1):
            slot = journal.invoke(F.READ, 0, number << 8)
            journal.answered(slot, store.read(0))
        journal.settle()  # what is put off is part of the price
        return monotonic_ns() - start

    return {"append bare": bare_appends, "append": appends, "read bare": bare_reads, "read": reads}


def measured(folder: Path, rounds: int, seed: int) -> dict[str, float]:
    """Microseconds of one call of each kind: medians over rounds, in an order drawn for each."""
    chance = generator(seed, "turns")
    with Journal(folder, 0) as journal:
        runs = turns(Nothing(), journal)
        taken: dict[str, list[int]] = {name: [] for name in runs}
        for _ in range(rounds):
            for name in chance.sample([*runs], len(runs)):
                taken[name].append(runs[name]())
    return {name: statistics.median(times) / BATCH / 1e3 for name, times in taken.items()}


def recorded(folder: Path, rows: int) -> None:
    """Record so many operations over many sessions, sealed in shards: two appends, then a read."""
    with Journal(folder, 0, shards=SHARDS) as journal:
        for number in range(1, rows + 1):
            if number % 3:
                slot = journal.invoke(F.APPEND, number % SESSIONS, number << 8, 1)
                journal.complete(slot, Type.OK)
            else:
                slot = journal.invoke(F.READ, number % SESSIONS, number << 8)
                journal.answered(slot, (256, 512, 768))


def timed(what: str, run: Callable[[], object]) -> None:
    """Run it, and print its seconds and the most memory held so far."""
    start = monotonic_s()
    run()
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    say(what, f"{monotonic_s() - start:.2f} s, at most {held:,.0f} MB held so far")


def say(what: str, value: str) -> None:
    """One line."""
    sys.stdout.write(f"{what:<28}{value}\n")


def main() -> int:
    """Print the machine's facts, the costs, and how long writing and reading took."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--location", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.location) as directory:
        folder = Path(directory)
        for name, value in facts(folder).items():
            say(name, value)
        costs = measured(folder / "costs", chosen.rounds, chosen.seed)
        adds = {name: costs[name] - costs[f"{name} bare"] for name in ("append", "read")}
        say("an append records in", f"{adds['append']:.2f} µs of at most {BUDGET_US:g}")
        say(f"a read of {READ} texts in", f"{adds['read']:.2f} µs, of which "
            f"{adds['read'] / READ:.3f} µs a message")  # fmt: skip
        rows = chosen.rows
        timed(f"{rows:,} recorded in", lambda: recorded(folder / "large", rows))
        size = sum(path.stat().st_size for path in (folder / "large").iterdir())
        say("they take", f"{size / 1e6:,.0f} MB, {size / rows:.0f} bytes each")
        timed(
            "read shard by shard in", lambda: [len(one) for one in files.shards(folder / "large")]
        )
        timed("read as a whole in", lambda: files.load(folder / "large"))
    return int(adds["append"] > BUDGET_US)


if __name__ == "__main__":
    sys.exit(main())
