"""How many runs of the reference and of correct stores raised no alarm: a book that is kept.

``python benchmarks/false_alarms.py --minutes 60`` judges the reference and every benign store by
profile gate, each as ``sessionproof run`` does for a user, with seeds that the book has not for it
yet, and adds a line to ``reports/false_alarms.jsonl`` for each. Names choose some of the stores;
``--only-told`` runs nothing. It prints what the book says, and ends with 1 if any of it is broken.

A gate run is one store with one seed, all rows: ``--seeds`` of them share one process and what is
imported. Rows that a correct store breaks rightly are in ``fixtures/known_slow.py``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # for fixtures

from fixtures.known_slow import owned_up
from fixtures.registry import benign_stores
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
        yield (
            f"{name}: {runs} gate runs of {len({one.store for one in mine})} stores in "
            f"{hours:.1f} hours, {len(alarms)} false alarms, "
            f"{unknown.total()} times could not tell ({dict(unknown)})"
        )
        yield from (f"  broken: {alarm}" for alarm in alarms)


def _judged(store: str, first: int, seeds: int, workers: int) -> Entry:
    """Run it as a user would, and read what it said."""
    began = monotonic_s()
    with tempfile.TemporaryDirectory(prefix="alarms-") as folder:
        ended = subprocess.run(
            [sys.executable, "-m", "sessionproof", "run", store, "--profile", "gate", "--seed",
             str(first), "--seeds", str(seeds), "-n", str(workers), "--report", folder],
            cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", check=False,
        )  # fmt: skip
        if ended.returncode not in _ENDS:
            sys.exit(f"{store}: exit code {ended.returncode}\n{ended.stdout[-2000:]}")
        rows = json.loads((Path(folder) / "result.json").read_text("utf-8"))["guarantees"]
    by_verdict = {
        word: tuple(row["id"] for row in rows if row["verdict"] == word)
        for word in ("holds", "broken", "unknown")
    }
    return Entry(
        datetime.now(UTC).strftime("%Y-%m-%d"), _commit(), store, first, seeds,
        round(monotonic_s() - began, 1), dict(Counter(row["verdict"] for row in rows)),
        tuple(row for row in by_verdict["broken"] if row not in owned_up(store)),
        by_verdict["unknown"],
    )  # fmt: skip


def _commit() -> str:
    """The commit that is judged by; "unknown" outside of a checkout."""
    asked = ["git", "-C", str(ROOT), "rev-parse", "--short=10", "HEAD"]
    said = subprocess.run(asked, capture_output=True, encoding="utf-8", check=False)
    return said.stdout.strip() or "unknown"


def due(entries: list[Entry], stores: list[str]) -> str:
    """Whose turn it is: the reference's as often as all others', and these have equally many."""
    runs = Counter(dict.fromkeys(stores, 0))
    for one in entries:
        runs[one.store] += one.seeds
    others = [store for store in stores if store != REFERENCE]
    behind = runs[REFERENCE] <= sum(runs[store] for store in others)
    if not others or (REFERENCE in stores and behind):
        return REFERENCE
    return min(others, key=lambda store: runs[store])


def main() -> None:
    """Judge until the minutes are over, and tell what the book says."""
    formatter = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter)
    parser.add_argument("stores", nargs="*", default=[REFERENCE, *benign_stores()])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seeds", type=int, default=5, help="gate runs for each line")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only-told", action="store_true")
    given = parser.parse_args()
    entries, until = read(), monotonic_s() + 60 * given.minutes
    while not given.only_told and monotonic_s() < until:
        store = due(entries, given.stores)
        tried = [one.first + one.seeds for one in entries if one.store == store]
        entry = _judged(store, max(tried, default=1), given.seeds, given.workers)
        entries.append(entry)
        with BOOK.open("a", encoding="utf-8") as book:
            book.write(json.dumps(asdict(entry)) + "\n")
        sys.stdout.write(f"{store}, from {entry.first}: {entry.seconds} s, {entry.verdicts}\n")
        sys.stdout.flush()
    sys.stdout.write("\n".join(told(entries)) + "\n")
    sys.exit(1 if any(one.broken for one in entries) else 0)


if __name__ == "__main__":
    main()
