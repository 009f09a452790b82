"""Measures what it costs that a store knows how its calls are, and what a look at its health takes.

``python benchmarks/health.py`` lets one handle append, and get, with its times noted and without,
in turns of twenty calls; then it looks at the health of a store of so many messages, and verifies
it. Times of their own say little on a shared machine, ratios do.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from sessionproof import Message
from sessionproof.contract.clock import monotonic_ns
from sessionproof.contract.seed import generator
from sessionproof.engine.machine import fast_folder
from sessionproof.reference import ReferenceStore

_CALLS = 20


class WithoutTimes(ReferenceStore):
    """The same, and nobody notes how long a call takes."""

    def _read(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        return self._readers.run(work)

    def _write(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        return self._writer.run(work)


def nanoseconds(call: Callable[[], object]) -> float:
    """How long one of twenty calls takes."""
    start = monotonic_ns()
    for _ in range(_CALLS):
        call()
    return (monotonic_ns() - start) / _CALLS


def paces(folder: Path, rounds: int) -> Iterator[str]:
    """A row for each operation: with, without, and what is between them."""
    message = [Message("user", "x" * 200)]
    random = generator(0, "turns")
    yield "| operation | noted, µs | not noted, µs | ratio | difference, µs |"
    yield "|---|---|---|---|---|"
    (folder / "noted").mkdir()
    (folder / "bare").mkdir()
    with (
        ReferenceStore(folder / "noted", durability="process") as noted,
        WithoutTimes(folder / "bare", durability="process") as bare,
    ):
        calls = {
            "append": lambda store: store.append("s", message),
            "get": lambda store: store.get("s"),
        }
        for name, call in calls.items():
            seen = []
            for _ in range(rounds):
                arms = {"noted": noted, "bare": bare}
                order = random.sample(sorted(arms), 2)
                took = {arm: nanoseconds(partial(call, arms[arm])) for arm in order}
                seen.append((took["noted"], took["bare"]))
            one, other = (statistics.median(column) / 1e3 for column in zip(*seen, strict=True))
            ratio = statistics.median(a / b for a, b in seen)
            between = statistics.median(a - b for a, b in seen) / 1e3
            yield f"| {name} | {one:.1f} | {other:.1f} | {ratio:.3f} | {between:.2f} |"


def looks(folder: Path, messages: int) -> Iterator[str]:
    """How long health and verify take for a few and for many messages."""
    yield "| messages | health, ms | verify, ms |"
    yield "|---|---|---|"
    with ReferenceStore(folder, durability="process") as store:
        there = 0
        for number in (1_000, messages):
            while there < number:
                batch = [Message("user", "x" * 200, tokens=50) for _ in range(500)]
                store.append(f"s{there}", batch)
                there += 500
            took = [
                statistics.median(_milliseconds(look) for _ in range(5))
                for look in (store.health, store.verify)
            ]
            yield f"| {there:,} | {took[0]:.1f} | {took[1]:.1f} |"


def _milliseconds(call: Callable[[], object]) -> float:
    start = monotonic_ns()
    call()
    return (monotonic_ns() - start) / 1e6


def main(arguments: list[str]) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description="What health costs.")
    parser.add_argument("--rounds", type=int, default=500, help="turns of each arm")
    parser.add_argument("--messages", type=int, default=100_000, help="of the larger store")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=fast_folder()) as folder:
        for place, table in (("paces", paces), ("looks", looks)):
            (Path(folder) / place).mkdir()
            amount = given.rounds if place == "paces" else given.messages
            for line in table(Path(folder) / place, amount):
                sys.stdout.write(f"{line}\n")
                sys.stdout.flush()
            sys.stdout.write("\n")


if __name__ == "__main__":
    main(sys.argv[1:])
