"""Measures the session manager: its six operations, and the room that its sessions take.

``python benchmarks/session_manager.py`` prints two Markdown tables. The first has milliseconds of
single calls on a manager with ``--sessions`` stored sessions, for both durabilities, beside what
the design that it replaces had promised. The second has the size of the file at 100 to 100,000
sessions with a first message, a chat id, a parent id and one key of metadata, beside that of a bare
table of the same texts with an index on the expiry. Times depend on the disk below ``--folder``.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from sessionproof.contract.clock import VirtualClock, monotonic_ns
from sessionproof.contract.managing import ManagedSession
from sessionproof.contract.message import Json
from sessionproof.engine.machine import facts
from sessionproof.reference.claimed import Durability
from sessionproof.reference.managing import SessionManager

SIZES = (100, 1_000, 10_000, 100_000)
CALLS = 1_000
CLEANUPS, OVER = 30, 100
MINUTE_US = 60_000_000
PROMISED_MS = {
    "generate_session_id": 5, "create_session": 10, "get_session, in the step": 10,
    "get_session, written": 10, "update_parent_id": 10, "delete_session": 10,
    f"cleanup of {OVER}": 50,
}  # fmt: skip
_BARE = (
    "CREATE TABLE sessions (session_id TEXT PRIMARY KEY, first_user_message TEXT, chat_id TEXT, "
    "parent_id TEXT, metadata TEXT, created_at INTEGER, last_accessed INTEGER, expires_at INTEGER)"
)


@dataclass
class Bench:
    """A manager with sessions, on a clock that is moved for it."""

    manager: SessionManager
    clock: VirtualClock
    ids: list[str]

    def made(self, number: int) -> list[str]:
        """The ids of so many further sessions, with all facts."""
        return [one.session_id for one in map(self._make, range(number))]

    def _make(self, number: int) -> ManagedSession:
        made = self.manager.create_session(first_message(number), chat_id=uuid_like(number))
        changes: dict[str, Json] = {
            "parent_id": uuid_like(number + 1),
            "metadata": {"user": f"user-{number}"},
        }
        self.manager.update_session(made.session_id, changes)
        return made


def first_message(number: int) -> str:
    """A question as users ask it."""
    return f"How do I read line {number} of a very long file?"


def uuid_like(number: int) -> str:
    """As long as the ids of providers are."""
    return f"{number:08x}-1111-4222-8333-444444444444"


def milliseconds(call: Callable[[], object]) -> float:
    """How long a call takes."""
    start = monotonic_ns()
    call()
    return (monotonic_ns() - start) / 1e6


def times(bench: Bench) -> Iterator[tuple[str, list[float]]]:
    """The milliseconds of the calls of each operation, by its name."""
    manager, clock, ids = bench.manager, bench.clock, bench.ids
    some = [ids[number * 7 % len(ids)] for number in range(CALLS)]
    texts = [first_message(number) for number in range(CALLS)]
    yield (
        "generate_session_id",
        [milliseconds(partial(manager.generate_session_id, text)) for text in texts],
    )
    made: list[ManagedSession] = []
    yield (
        "create_session",
        [milliseconds(lambda: made.append(manager.create_session(texts[0]))) for _ in texts],
    )
    fresh = [one.session_id for one in made]
    yield (
        "get_session, in the step",
        [milliseconds(partial(manager.get_session, one)) for one in some],
    )
    clock.move(MINUTE_US)
    yield (
        "get_session, written",
        [milliseconds(partial(manager.get_session, one)) for one in fresh],
    )
    yield (
        "update_parent_id",
        [milliseconds(partial(manager.update_parent_id, one, uuid_like(0))) for one in some],
    )
    yield (
        "delete_session",
        [milliseconds(partial(manager.delete_session, one)) for one in fresh],
    )
    yield f"cleanup of {OVER}", [_clean_up(bench) for _ in range(CLEANUPS)]


def _clean_up(bench: Bench) -> float:
    for one in bench.made(OVER):
        bench.manager.store.set_limits(one, hard_us=1)
    bench.clock.move(1)
    removed: list[int] = []
    spent = milliseconds(lambda: removed.append(bench.manager.cleanup()))
    if removed != [OVER]:
        raise AssertionError(f"{removed} sessions were cleaned up, and not {OVER}")
    return spent


def table_of_times(folder: Path, sessions: int) -> Iterator[str]:
    """A row for each operation."""
    seen: dict[str, list[str]] = {name: [] for name in PROMISED_MS}
    both: tuple[Durability, ...] = ("power", "process")
    for durability in both:
        clock = VirtualClock()
        place = tempfile.mkdtemp(dir=folder)
        with SessionManager(
            place,
            cleanup_interval_us=None,
            clock=clock,
            durability=durability,
        ) as manager:
            bench = Bench(manager, clock, [])
            bench.ids = bench.made(sessions)
            for name, spent in times(bench):
                p50, p99 = np.percentile(spent, (50, 99))
                seen[name] += [f"{p50:.3f}", f"{p99:.3f}"]
    yield "| operation | promised, ms | power p50 | power p99 | process p50 | process p99 |"
    yield "|---|---|---|---|---|---|"
    for name, cells in seen.items():
        yield f"| {name} | < {PROMISED_MS[name]} | {' | '.join(cells)} |"


def table_of_sizes(folder: Path) -> Iterator[str]:
    """A row for each number of sessions."""
    clock = VirtualClock()
    yield "| sessions | file, KB | bytes a session | bare table, KB | ratio |"
    yield "|---|---|---|---|---|"
    with SessionManager(
        tempfile.mkdtemp(dir=folder), cleanup_interval_us=None, clock=clock, durability="process"
    ) as manager:
        bench = Bench(manager, clock, [])
        path = Path(manager.store.tables().path)
        empty = size_of(path)
        for size in SIZES:
            bench.ids += bench.made(size - len(bench.ids))
            seen, bare = size_of(path), size_of(bare_table(folder, manager.get_all_sessions()))
            yield (
                f"| {size:,} | {seen / 1e3:,.0f} | {(seen - empty) / size:.0f} | "
                f"{bare / 1e3:,.0f} | {seen / bare:.2f} |"
            )


def bare_table(folder: Path, sessions: Sequence[ManagedSession]) -> Path:
    """A file with the same, and nothing else."""
    path = folder / f"bare-{len(sessions)}.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute(_BARE)
        db.execute("CREATE INDEX by_expiry ON sessions (expires_at)")
        db.executemany(
            "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (one.session_id, one.first_user_message, one.chat_id, one.parent_id,
                 str(one.metadata), one.created_at_us, one.last_accessed_us, one.expires_at_us)
                for one in sessions
            ],
        )  # fmt: skip
        db.commit()
    return path


def size_of(path: Path) -> int:
    """The bytes of a database, whose log is emptied before."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return path.stat().st_size


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=10_000, help="how many are stored")
    parser.add_argument("--folder", default=None, help="where the data lies")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sessionproof-", dir=given.folder) as made:
        folder = Path(made)
        sys.stdout.write("; ".join(f"{name} {value}" for name, value in facts(folder).items()))
        sys.stdout.write(f"; {given.sessions:,} sessions\n\n")
        for table in (table_of_times(folder, given.sessions), table_of_sizes(folder)):
            sys.stdout.writelines(f"{line}\n" for line in table)
            sys.stdout.write("\n")


if __name__ == "__main__":
    main()
