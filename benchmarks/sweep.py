"""Measures a sweep among many sessions, and what limits cost an append.

``python benchmarks/sweep.py`` makes a million sessions with limits, lets 100 of them run out, and
sweeps; beside it, in the same rounds, the floor: an UPDATE of the status of 100 rows by their keys,
in one transaction. The same with nothing due, and with ten times as many due. Then appends of
a session with limits and of one without take turns. Times of their own say little on a shared
machine, ratios do.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import reference_lines as lines

from sessionproof.contract.clock import VirtualClock, monotonic_ns
from sessionproof.contract.seed import generator
from sessionproof.engine.machine import fast_folder
from sessionproof.reference import ReferenceStore
from sessionproof.reference.connections import connect

HOUR_US = 3_600_000_000
_FILL = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) "
    "INSERT INTO sessions (session_id, created_at_us, last_activity_us, idle_timeout_us, warn_us) "
    "SELECT 's' || i, ?2, ?2, ?3 + i, 300000000 FROM n"
)
_RUN_OUT = "UPDATE sessions SET hard_deadline_us = ? WHERE id = ?"
_EXPIRE = "UPDATE sessions SET status = 'expired' WHERE id = ?"
_REVIVE = "UPDATE sessions SET status = 'active', hard_deadline_us = NULL WHERE id = ?"


def milliseconds(call: Callable[[], object]) -> float:
    """How long a call takes."""
    start = monotonic_ns()
    call()
    return (monotonic_ns() - start) / 1e6


def sweeps(folder: Path, sessions: int, due: int, rounds: int) -> Iterator[str]:
    """A row of the table for each number of due sessions."""
    clock = VirtualClock()
    with ReferenceStore(folder, durability="process", clock=clock) as store:
        path = Path(store.tables().path)
        with closing(connect(path, writes=True, synchronous="NORMAL")) as raw:
            spent = milliseconds(lambda: filled(raw, sessions, clock.now_us()))
            yield f"{sessions:,} sessions made in {spent / 1000:.0f} s"
            yield ""
            yield "| due | sweep, ms | floor, ms | ratio |"
            yield "|---|---|---|---|"
            for number in (0, due, 10 * due):
                seen = [
                    compared(store, raw, clock.now_us(), number, sessions, turn)
                    for turn in range(rounds)
                ]
                swept, floor = (statistics.median(column) for column in zip(*seen, strict=True))
                ratio = f"{swept / floor:.2f}" if number else "-"
                yield f"| {number:,} | {swept:.2f} | {floor:.2f} | {ratio} |"


def filled(raw: sqlite3.Connection, sessions: int, now_us: int) -> None:
    """Sessions whose deadlines are spread, and none of which is due."""
    raw.execute(_FILL, (sessions, now_us, 2 * HOUR_US))


def compared(
    store: ReferenceStore,
    raw: sqlite3.Connection,
    now_us: int,
    due: int,
    sessions: int,
    turn: int,
) -> tuple[float, float]:
    """Milliseconds of a sweep and of its floor, which come first in turns."""
    chance = generator(1, "sweep", due, turn)
    chosen = chance.sample(range(1, sessions + 1), 2 * due)
    for row in chosen[:due]:
        raw.execute(_RUN_OUT, (now_us, row))

    def sweep() -> None:
        if len(store.sweep().expired) != due:
            raise AssertionError("the sweep told other sessions than those that were due")

    def floor() -> None:
        raw.execute("BEGIN IMMEDIATE")
        raw.executemany(_EXPIRE, [(row,) for row in chosen[due:]])
        raw.execute("COMMIT")

    calls = (sweep, floor) if turn % 2 else (floor, sweep)
    spent = {call: milliseconds(call) for call in calls}
    for row in chosen:
        raw.execute(_REVIVE, (row,))
    return spent[sweep], spent[floor]


def appends(folder: Path) -> Iterator[str]:
    """An append with limits over one without, on stores of their own."""
    with lines.filled(folder, 200) as without, lines.filled(folder, 200) as limited:
        limited.set_limits("s", idle_us=HOUR_US, hard_us=24 * HOUR_US)
        batch = lines.message()
        seen = lines.compared(
            {
                "with": lambda: limited.append("s", batch),
                "without": lambda: without.append("s", batch),
            },
            "without",
        )["with"]
        yield f"append with limits / without: {seen.value:.3f} ({seen.low:.3f} – {seen.high:.3f})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=1_000_000, help="how many are stored")
    parser.add_argument("--due", type=int, default=100, help="how many run out")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", default=None, help="where the data lies (default: in memory)")
    given = parser.parse_args()
    where = given.folder or fast_folder()
    with tempfile.TemporaryDirectory(prefix="sessionproof-", dir=where) as made:
        folder = Path(made)
        (folder / "sweeps").mkdir()
        for line in sweeps(folder / "sweeps", given.sessions, given.due, given.rounds):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        for line in appends(folder):
            sys.stdout.write(f"\n{line}\n")


if __name__ == "__main__":
    main()
