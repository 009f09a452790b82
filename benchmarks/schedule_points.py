"""What control costs: a point, a switch, and a whole execution.

``python benchmarks/schedule_points.py`` prints microseconds of processor time for statements of
``sqlite3`` without control, by a thread that is not managed, and by a managed one beside another
that could go on; of a switch from one thread to another; and executions in a second of a program
of two clients, for stores of ``tests/schedule/scheduled_stores.py`` and the reference. Of several
turns the least counts: others at work only add to it.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "schedule"))  # for the stores

from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.lookup import StoreSpec, find_store
from sessionproof.contract.message import Message
from sessionproof.engine.machine import fast_folder
from sessionproof.schedule.control import Controller
from sessionproof.schedule.databases import controlled_sqlite
from sessionproof.schedule.decisions import Decision, Point, Usual
from sessionproof.schedule.points import controlled
from sessionproof.schedule.program import Setup
from sessionproof.schedule.runner import Runner
from sessionproof.schedule.strategies import RandomWalk
from sessionproof.workload.speech import Speech

TURNS = 15
STATEMENTS = 2_000  # in a turn
EXECUTIONS = 400
STORES = ("Immediate", "ImmediateWal", "Json", "Writer", "Pooled")
Use = Callable[[], None]


class InTurn:
    """Always another than who decides."""

    def pick(self, decision: Decision) -> int:
        """The next."""
        others = [one for one in decision.ready if one != decision.current]
        return others[0] if others else decision.usual


def main() -> int:
    """Print two tables in Markdown."""
    root = Path(tempfile.mkdtemp(dir=fast_folder())).resolve()
    try:
        lines = ["| what | µs |", "|---|---:|"]
        lines += [f"| {name} | {seconds * 1e6:.2f} |" for name, seconds in _costs()]
        lines += ["", "| store | points | executions in a second |", "|---|---:|---:|"]
        sys.stdout.write("\n".join(lines) + "\n")
        with controlled([root]):
            import scheduled_stores

            stores: dict[str, Any] = {name: scheduled_stores.CORRECT[name] for name in STORES}
            for name, store in stores.items():
                _print_rate(name, StoreSpec(name, store), store.handles, root)
            for kind in ("threads", "shared"):
                _print_rate(f"reference, {kind}", find_store("reference"), kind, root)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return 0


def _costs() -> list[tuple[str, float]]:
    plain = _statements()
    with controlled_sqlite():
        free = _statements()
        points = _managed(_statements, beside=True)
    alone = _managed(lambda: _each(_point_of_nothing), beside=False)
    beside = _managed(lambda: _each(_point_of_nothing), beside=True)
    return [
        ("a statement of sqlite3", plain),
        ("the same on a controlled connection, by a thread that is not managed", free),
        ("the same by a managed thread, another one could go on", points),
        ("a point alone, nobody else could go on", alone),
        ("a point alone, another could go on", beside),
        ("a switch to another thread", _switches()),
    ]


def _statements() -> float:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.execute("CREATE TABLE t (x)")
    least = _each(lambda: db.execute("INSERT INTO t VALUES (1)"))
    db.close()
    return least


def _each(use: Callable[[], object]) -> float:
    """Seconds of this thread's processor time for one, the least of several turns."""
    turns = []
    for _ in range(TURNS):
        begun_s = time.thread_time()
        for _ in range(STATEMENTS):
            use()
        turns.append((time.thread_time() - begun_s) / STATEMENTS)
        _controller.steps.clear()
    return min(turns)


_controller = Controller()
_POINT = Point("a point", ("db", "none"))


def _point_of_nothing() -> None:
    _controller.point(_POINT)


def _managed(use: Callable[[], float], *, beside: bool) -> float:
    """What it answers in a managed thread; ``beside`` another that waits for its turn."""
    out: list[float] = []
    _play(Usual(), [lambda: out.append(use()), *([lambda: None] if beside else [])])
    return out[0]


def _switches() -> float:
    number = 4_000

    def walk() -> None:
        for _ in range(number):
            _controller.point(_POINT)

    turns = []
    for _ in range(3):
        begun_s = monotonic_s()
        _play(InTurn(), [walk, walk])
        turns.append((monotonic_s() - begun_s) / (2 * number))
    return min(turns)


def _play(strategy: Any, uses: list[Use]) -> None:
    _controller.begin(strategy)
    threads = []
    for number, use in enumerate(uses):
        task = _controller.add(number, f"task {number}")
        threads.append(threading.Thread(target=_controller.work, args=(task, use)))
        threads[-1].start()
    _controller.run(set(range(len(uses))))
    for one in threads:
        one.join()


def _print_rate(name: str, spec: StoreSpec, kind: Any, root: Path) -> None:
    from played_stores import TWO, locations

    folder = root / name.replace(", ", "-")
    folder.mkdir()
    speech = Speech(Message("user", "x"), counted=False)
    runner = Runner(Setup(spec, kind, 2, speech), locations(folder))
    runner.run(TWO, Usual())
    begun_s, points = monotonic_s(), 0
    for seed in range(EXECUTIONS):
        points += runner.run(TWO, RandomWalk(seed)).reached
    rate = EXECUTIONS / (monotonic_s() - begun_s)
    runner.close()
    sys.stdout.write(f"| {name} | {points / EXECUTIONS:.1f} | {rate:.0f} |\n")


if __name__ == "__main__":
    sys.exit(main())
