"""Many clients of the reference at once, in blocks that alternate in random order."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from reference_lines import SYNCHRONOUS, Durability, filled, message, profiled

from sessionproof.contract.clock import monotonic_ns
from sessionproof.contract.seed import generator
from sessionproof.reference import ReferenceStore, statements
from sessionproof.reference.codec import encode_all
from sessionproof.reference.connections import connect
from sessionproof.reference.grouping import Writer, _Turn

THREADS, PROCESSES = 10, 4
BLOCKS = 15
_THINK_S = 0.001

Append = Callable[[int], Any]
"""Appends a message of 200 bytes to the session of a client, whose number is given."""


@dataclass(frozen=True)
class Block:
    """What came of a block: nanoseconds of wall clock an append, and of each single append."""

    cost: float
    calls: NDArray[np.int64]

    @property
    def p99(self) -> float:
        """The slowest hundredth begins here, in nanoseconds."""
        return float(np.percentile(self.calls, 99))


def in_blocks(
    arms: Mapping[str, Callable[[], Block]], *, blocks: int = BLOCKS, seed: int = 1
) -> dict[str, list[Block]]:
    """Let the arms take turns, each once a round, in an order drawn anew."""
    draw = generator(seed, "blocks")
    seen: dict[str, list[Block]] = {name: [] for name in arms}
    for _ in range(blocks):
        for name in draw.sample(list(arms), len(arms)):
            seen[name].append(arms[name]())
    return seen


def by_threads(append: Append, each: int) -> Block:
    """Ten threads, each of which appends so often."""
    times: list[list[int]] = [[] for _ in range(THREADS)]
    together = threading.Barrier(THREADS + 1)

    def client(number: int) -> None:
        mine = times[number]
        together.wait()
        for _ in range(each):
            start = monotonic_ns()
            append(number)
            mine.append(monotonic_ns() - start)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    together.wait()
    start = monotonic_ns()
    for thread in threads:
        thread.join()
    spent = monotonic_ns() - start
    return Block(spent / (THREADS * each), np.concatenate(times).astype(np.int64))


def _prepared(folder: Path, durability: Durability, stack: ExitStack) -> ReferenceStore:
    store = stack.enter_context(filled(folder, 50, durability=durability))
    for number in range(THREADS):
        store.append(f"s{number}", message())
    return store


@contextmanager
def thread_arms(
    folder: Path, durability: Durability, each: int
) -> Iterator[dict[str, Callable[[], Block]]]:
    """The public store; a connection for each thread; one connection behind a lock."""
    rows = [
        statements.values_of_one(encode_all(message())[0], 1, f"s{number}")
        for number in range(THREADS)
    ]
    synchronous, sql = SYNCHRONOUS[durability], statements.INSERT_ONE
    with ExitStack() as stack:
        stores = [_prepared(folder, durability, stack) for _ in range(3)]
        paths = [Path(store.tables().path) for store in stores]
        one, *own = (
            stack.enter_context(closing(connect(path, writes=True, synchronous=synchronous)))
            for path in (paths[1], *[paths[2]] * THREADS)
        )
        for db in own:
            db.execute("PRAGMA busy_timeout = 60000")
        lock = threading.Lock()
        batch = message()

        def with_lock(number: int) -> None:
            with lock:
                one.execute(sql, rows[number]).fetchall()

        yield {
            "store": lambda: by_threads(lambda n: stores[0].append(f"s{n}", batch), each),
            "lock": lambda: by_threads(with_lock, each),
            "own": lambda: by_threads(lambda n: own[n].execute(sql, rows[n]).fetchall(), each),
        }


def explain_threads(folder: Path, durability: Durability) -> Iterator[str]:
    """Where one of the ten threads spends its time, and how large the groups are."""
    sizes: list[int] = []

    class Counting(Writer):
        def _outcomes(self, works: Any) -> Any:
            sizes.append(len(works))
            return super()._outcomes(works)

    each = 300 if durability == "process" else 50
    texts: list[str] = []
    with writer_arms(folder, durability, each, {"store": Counting}) as arms:
        block = arms["store"]()
        led, done = sum(sizes), THREADS * each
        yield f"{1e9 / block.cost:.0f} appends a second, {done - led} of {done} without a queue"
        yield f"{led} in {len(sizes)} groups, {led / max(1, len(sizes)):.1f} on average"
    with ExitStack() as stack:
        store, batch = _prepared(folder, durability, stack), message()

        def append(number: int) -> None:
            store.append(f"s{number}", batch)

        others = threading.Thread(target=by_threads, args=(append, each))
        others.start()
        texts += profiled(lambda: [append(0) for _ in range(each)])
        others.join()
    yield from texts


class LockAlone(Writer):
    """Every operation its own transaction, behind a lock."""

    def run(self, work: Any) -> Any:
        """See ``Writer.run``."""
        with self._lock:
            return self._alone(work)


class ByThread(Writer):
    """A thread of its own carries out what waits; a lone client writes itself."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._wanted = threading.Semaphore(0)
        self._served: deque[_Turn] = deque()
        threading.Thread(target=self._serve, daemon=True).start()

    def run(self, work: Any) -> Any:
        """See ``Writer.run``."""
        if not self._served and self._lock.acquire(blocking=False):
            try:
                return self._alone(work)
            finally:
                self._lock.release()
        turn = _Turn(work)
        self._served.append(turn)
        self._wanted.release()
        turn.gate.acquire()
        assert turn.outcome is not None
        return turn.outcome.told()

    def _serve(self) -> None:
        while not self.ended:
            self._wanted.acquire()
            while self._served:
                with self._lock:
                    group = [self._served.popleft() for _ in range(min(64, len(self._served)))]
                    outcomes = self._outcomes([turn.work for turn in group])
                for turn, outcome in zip(group, outcomes, strict=True):
                    turn.outcome = outcome
                    turn.gate.release()

    def close(self) -> None:
        """See ``Writer.close``."""
        super().close()
        self._wanted.release()


class Staying(Writer):
    """Whoever leads carries out up to four groups before it hands on."""

    def _lead(self, first: _Turn) -> None:
        super()._lead(first)
        for _ in range(3):
            if self._queue:
                turn = self._queue.popleft()
                super()._lead(turn)
                turn.gate.release()


@contextmanager
def writer_arms(
    folder: Path, durability: Durability, each: int, writers: Mapping[str, type[Writer]]
) -> Iterator[dict[str, Callable[[], Block]]]:
    """The public store on each of these ways to share the one writing connection."""
    batch = message()
    with ExitStack() as stack:
        arms = {}
        for name, writer in writers.items():
            store = _prepared(folder, durability, stack)
            path = Path(store.tables().path)
            store._writer.close()
            store._writer = writer(
                lambda path=path: connect(path, writes=True, synchronous=SYNCHRONOUS[durability])
            )
            arms[name] = lambda store=store: by_threads(
                lambda n: store.append(f"s{n}", batch), each
            )
        yield arms


@contextmanager
def process_arms(
    folder: Path, kinds: Mapping[str, str], each: int
) -> Iterator[dict[str, Callable[[], Block]]]:
    """Four processes for each kind of writer; each appends, thinks a millisecond, and so on."""
    with ExitStack() as stack:
        arms = {}
        for name, kind in kinds.items():
            store = _prepared(folder, "process", stack)
            where = str(Path(store.tables().path).parent)
            started = [_started(kind, where, number, stack) for number in range(PROCESSES)]
            arms[name] = lambda started=started: _by_processes(started, each)
        yield arms


def _started(kind: str, where: str, number: int, stack: ExitStack) -> subprocess.Popen[str]:
    script = Path(__file__).with_name("reference_targets.py")
    process = subprocess.Popen(
        [sys.executable, str(script), "--child", "client", kind, where, str(number)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    stack.enter_context(process)
    stack.callback(lambda: process.stdin and process.stdin.close())
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def _by_processes(started: list[subprocess.Popen[str]], each: int) -> Block:
    start = monotonic_ns()
    for process in started:
        assert process.stdin is not None
        process.stdin.write(f"{each}\n")
        process.stdin.flush()
    times = [json.loads(process.stdout.readline()) for process in started if process.stdout]
    spent = monotonic_ns() - start
    return Block(spent / (PROCESSES * each), np.concatenate(times).astype(np.int64))


def client(kind: str, where: str, number: str) -> None:
    """In a child: for each line of standard input, so many appends with pauses for thought.

    ``kind`` is ``store``, ``busy`` (SQLite's own waiting), or the longest pause in microseconds.
    """
    batch, name = message(), f"s{number}"
    values = statements.values_of_one(encode_all(batch)[0], 1, name)
    with ReferenceStore(where, durability="process") as store:
        append: Callable[[], Any] = lambda: store.append(name, batch)  # noqa: E731
        if kind == "busy":
            db = connect(Path(store.tables().path), writes=True, synchronous="NORMAL")
            append = lambda: db.execute(statements.INSERT_ONE, values).fetchall()  # noqa: E731
        elif kind != "store":
            from sessionproof.reference import connections

            connections._LONGEST_PAUSE_S = int(kind) / 1e6
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        for line in sys.stdin:
            times = []
            for _ in range(int(line)):
                start = monotonic_ns()
                append()
                times.append(monotonic_ns() - start)
                time.sleep(_THINK_S)
            sys.stdout.write(json.dumps(times) + "\n")
            sys.stdout.flush()
