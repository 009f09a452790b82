"""Measures what snapshots of the reference cost, as docs/lifecycle.md names it.

``python benchmarks/snapshots.py`` takes and restores a session of 20 messages and one of so many,
the median of five, and says how much room a snapshot takes beside the texts that it holds, and how
long one append that is made meanwhile waits at most.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from sessionproof import Message
from sessionproof.contract.clock import monotonic_ns
from sessionproof.contract.seed import generator
from sessionproof.engine.machine import fast_folder
from sessionproof.reference import ReferenceStore

_ROUNDS = 5
_WORDS = 13  # of seven letters: about 90 bytes


def texts(number: int) -> list[str]:
    """Texts of words, which compress as those of chats do, and not as one letter would."""
    random = generator(0, "texts")
    words = ["".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=6)) for _ in range(2_000)]
    return [" ".join(random.choices(words, k=_WORDS)) for _ in range(number)]


def rows(folder: Path, number: int) -> Iterator[str]:
    """A row for a session of so many messages."""
    said = texts(number)
    with ReferenceStore(folder, durability="process") as store:
        for first in range(0, number, 500):
            store.append("s", [Message("user", text) for text in said[first : first + 500]])
        took, waits, restored = [], [], []
        for _ in range(_ROUNDS):
            with _Beside(store) as beside:
                start = monotonic_ns()
                made = store.snapshot("s", keep=1)
                took.append((monotonic_ns() - start) / 1e6)
            waits.append(beside.longest_ms)
            store.delete("s")
            start = monotonic_ns()
            store.restore_snapshot(made)
            restored.append((monotonic_ns() - start) / 1e6)
    with closing(sqlite3.connect(folder / "sessions.db")) as db:
        (size,) = db.execute("SELECT max(length(body)) FROM snapshots").fetchone()
    cells = [statistics.median(one) for one in (took, restored, waits)]
    yield (
        f"| {number:,} | {sum(map(len, said)) / 1e6:.2g} | {size / 1e6:.2g} | "
        + " | ".join(f"{one:.2g}" for one in cells)
        + " |"
    )


class _Beside:
    """Another thread that appends to another session; the longest of its appends."""

    def __init__(self, store: ReferenceStore) -> None:
        self._store = store
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._append)
        self.longest_ms = 0.0

    def __enter__(self) -> _Beside:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _append(self) -> None:
        while not self._end.is_set():
            start = monotonic_ns()
            self._store.append("other", [Message("user", "x")])
            self.longest_ms = max(self.longest_ms, (monotonic_ns() - start) / 1e6)
            self._end.wait(0.001)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000, help="of the larger session")
    most = parser.parse_args().messages
    titles = (
        "messages",
        "texts, MB",
        "snapshot, MB",
        "taken, ms",
        "restored, ms",
        "an append waits, ms",
    )
    sys.stdout.write(f"| {' | '.join(titles)} |\n{'|---' * len(titles)}|\n")
    for number in (20, most):
        with tempfile.TemporaryDirectory(dir=fast_folder()) as folder:
            for line in rows(Path(folder), number):
                sys.stdout.write(f"{line}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
