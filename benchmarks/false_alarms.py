"""How many runs of the reference and of correct stores raised no alarm: a book that is kept.

``python benchmarks/false_alarms.py --minutes 60`` judges the reference and every benign store by
profile gate, each as ``sessionproof run`` does for a user, with seeds that the book has not for it
yet, and adds a line to ``reports/false_alarms.jsonl`` for each. Names choose some of the stores;
``--only-told`` runs nothing. It prints what the book says, and ends with 1 if any of it is broken.

A gate run is one store with one seed, all rows: ``--seeds`` of them share one process and what is
imported, and ``--jobs`` such processes run beside each other. What is judged must not change
meanwhile: install a clone, not editable, into an environment of its own, and call the clone's
script there. Rows that a correct store breaks rightly are in ``fixtures/known_weak.py``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

sys.path.insert(0, str(Path(__file__).parents[1]))  # for fixtures

from fixtures.known_weak import owned_up
from fixtures.registry import SERVED, benign_stores
from sessionproof.contract.clock import monotonic_s

ROOT = Path(__file__).parents[1]
BOOK = ROOT / "reports" / "false_alarms.jsonl"
REFERENCE = "reference"
_ENDS = (0, 1, 4)  # of a run that judged what there was to judge


@dataclass(frozen=True)
class Entry:
    """What one run with seeds ``first`` to ``first + seeds - 1`` said of a store."""

    at: str
    commit: str
    store: str
    first: int
    seeds: int
    seconds: float
    verdicts: dict[str, int]
    broken: tuple[str, ...]
    unknown: tuple[str, ...]
    python: str = "3.11"


def read(book: Path = BOOK) -> list[Entry]:
    """All entries, in the order in which they were made."""
    if not book.exists():
        return []
    lines = book.read_text("utf-8").splitlines()
    return [Entry(**json.loads(line)) for line in lines]


def told(entries: list[Entry]) -> Iterator[str]:
    """What the book says, a line for each kind of store."""
    for name, kind in (("the reference", True), ("benign stores", False)):
        mine = [one for one in entries if (one.store == REFERENCE) == kind]
        runs, hours = sum(one.seeds for one in mine), sum(one.seconds for one in mine) / 3600
        alarms = [f"{one.store} {row}" for one in mine for row in one.broken]
        unknown = Counter(row for one in mine for row in one.unknown)
        on = sorted({one.python for one in mine}, key=lambda version: (len(version), version))
        yield (
            f"{name}: {runs} gate runs of {len({one.store for one in mine})} stores in "
            f"{hours:.1f} hours, on Python {', '.join(on)}, {len(alarms)} false alarms, "
            f"{unknown.total()} times could not tell ({dict(unknown)})"
        )
        yield from (f"  broken: {alarm}" for alarm in alarms)


def _judged(store: str, first: int, seeds: int, workers: int) -> Entry:
    """Run it as a user would, and read what it said; raises RuntimeError if it said nothing."""
    began = monotonic_s()
    with tempfile.TemporaryDirectory(prefix="alarms-") as folder:
        ended = subprocess.run(
            [sys.executable, "-m", "sessionproof", "run", store, "--profile", "gate", "--seed",
             str(first), "--seeds", str(seeds), "-n", str(workers), "--report", folder],
            cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", check=False,
        )  # fmt: skip
        if ended.returncode not in _ENDS:
            raise RuntimeError(f"{store}: exit code {ended.returncode}\n{ended.stdout[-2000:]}")
        rows = json.loads((Path(folder) / "result.json").read_text("utf-8"))["guarantees"]
    by_verdict = {
        word: tuple(row["id"] for row in rows if row["verdict"] == word)
        for word in ("holds", "broken", "unknown")
    }
    return Entry(
        datetime.now(UTC).strftime("%Y-%m-%d"), _commit(), store, first, seeds,
        round(monotonic_s() - began, 1), dict(Counter(row["verdict"] for row in rows)),
        tuple(row for row in by_verdict["broken"] if row not in owned_up(store)),
        by_verdict["unknown"], ".".join(platform.python_version_tuple()[:2]),
    )  # fmt: skip


def _commit() -> str:
    """The commit that is judged by; "unknown" outside of a checkout."""
    asked = ["git", "-C", str(ROOT), "rev-parse", "--short=10", "HEAD"]
    said = subprocess.run(asked, capture_output=True, encoding="utf-8", check=False)
    return said.stdout.strip() or "unknown"


def due(entries: list[Entry], stores: list[str]) -> tuple[str, int]:
    """Whose turn it is, and the first seed that nobody has tried with it.

    The reference's turn is as often as that of all others, and these have equally many.
    """
    runs, free = Counter(dict.fromkeys(stores, 0)), dict.fromkeys(stores, 1)
    for one in entries:
        runs[one.store] += one.seeds
        free[one.store] = max(free.get(one.store, 1), one.first + one.seeds)
    others = [store for store in stores if store != REFERENCE]
    behind = runs[REFERENCE] <= sum(runs[store] for store in others)
    if not others or (REFERENCE in stores and behind):
        return REFERENCE, free[REFERENCE]
    store = min(others, key=lambda store: runs[store])
    return store, free[store]


class Turns:
    """The book, and what is being judged: each thread takes its next turn, and writes it down."""

    def __init__(self, stores: list[str], seeds: int, book: Path = BOOK) -> None:
        self.entries = read(book)
        self._stores, self._seeds, self._book = stores, seeds, book
        self._under_way: list[Entry] = []
        self._lock = Lock()

    def take(self, until: float, workers: int) -> None:
        """Judge whose turn it is, again and again, until the time is over."""
        while monotonic_s() < until:
            with self._lock:
                store, first = due([*self.entries, *self._under_way], self._stores)
                begun = Entry("", "", store, first, self._seeds, 0.0, {}, (), ())
                self._under_way.append(begun)
            entry = _judged(store, first, self._seeds, workers)
            with self._lock:
                self._under_way.remove(begun)
                self.entries.append(entry)
                with self._book.open("a", encoding="utf-8") as book:
                    book.write(json.dumps(asdict(entry)) + "\n")
                sys.stdout.write(f"{store}, from {first}: {entry.seconds} s, {entry.verdicts}\n")
                sys.stdout.flush()


def main() -> None:
    """Judge until the minutes are over, and tell what the book says."""
    formatter = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter)
    whole = [store for store in benign_stores() if not store.startswith(SERVED)]
    parser.add_argument("stores", nargs="*", default=[REFERENCE, *whole])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seeds", type=int, default=5, help="gate runs for each line")
    parser.add_argument("--jobs", type=int, default=1, help="processes beside each other")
    parser.add_argument("--workers", type=int, default=2, help="of each of them")
    parser.add_argument("--only-told", action="store_true")
    given = parser.parse_args()
    turns = Turns(given.stores, given.seeds)
    if not given.only_told:
        until = monotonic_s() + 60 * given.minutes
        with ThreadPoolExecutor(given.jobs) as pool:
            taken = [pool.submit(turns.take, until, given.workers) for _ in range(given.jobs)]
        for one in taken:
            one.result()
    sys.stdout.write("\n".join(told(turns.entries)) + "\n")
    sys.exit(1 if any(one.broken for one in turns.entries) else 0)


if __name__ == "__main__":
    main()
