"""The lines of the reference's targets that one client or the file alone can show."""

from __future__ import annotations

import cProfile
import gc
import io
import os
import pstats
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sessionproof import Message
from sessionproof.bench.rounds import Arm, in_rounds, of_calls, sized
from sessionproof.bench.statistics import TooFewRounds, ratio
from sessionproof.contract.measurements import Ratio
from sessionproof.reference import ReferenceStore, statements
from sessionproof.reference.codec import encode_all
from sessionproof.reference.connections import connect

Durability = Literal["power", "process"]

Numbers: TypeAlias = "Sequence[float] | NDArray[np.float64]"

ROUNDS = 200
SMALL, LARGE = 1_000, 100_000
SYNCHRONOUS = {"power": "FULL", "process": "NORMAL"}
_MILLISECOND_NS = 1e6


def message(size: int = 200) -> list[Message]:
    """A batch of one message whose text has so many bytes."""
    return [Message("user", "x" * size, tokens=5)]


def filled(folder: Path, messages: int, *, durability: Durability = "process") -> ReferenceStore:
    """A store whose session ``s`` has so many messages."""
    store = ReferenceStore(
        tempfile.mkdtemp(dir=folder, prefix="sessionproof-"), durability=durability
    )
    batch = message() * statements.CHUNK
    for start in range(0, messages, statements.CHUNK):
        store.append("s", batch[: messages - start])
    return store


def compared(
    calls: dict[str, Callable[[], Any]], floor: str, *, rounds: int = ROUNDS, seed: int = 1
) -> dict[str, Ratio]:
    """Each call's cost as a multiple of the floor's, measured in turns."""
    arms = []
    for name, call in calls.items():
        run = of_calls(call, tuple)
        run(20)
        arms.append(Arm(name, run, sized(run)))
    seen = in_rounds(arms, rounds, seed=seed, lend=lambda turn: turn())
    return {
        name: judged(costs, seen.costs[floor])
        for name, costs in seen.costs.items()
        if name != floor
    }


def judged(costs: NDArray[np.float64], floor: NDArray[np.float64]) -> Ratio:
    """The ratio of the calm rounds, or of all where a disk or a busy machine leaves too few."""
    try:
        return ratio(costs, floor, seed=1)
    except TooFewRounds:
        return paired(costs, floor)


@contextmanager
def appends(folder: Path, durability: Durability) -> Iterator[dict[str, Callable[[], Any]]]:
    """The public append, and its statement on a raw connection to a file of its own."""
    with filled(folder, 200, durability=durability) as store, filled(folder, 200) as other:
        path = Path(other.tables().path)
        synchronous = SYNCHRONOUS[durability]
        with closing(connect(path, writes=True, synchronous=synchronous)) as raw:
            batch = message()
            values = statements.values_of_one(encode_all(batch)[0], 1, "s")
            sql = statements.INSERT_ONE
            yield {
                "store": lambda: store.append("s", batch),
                "raw": lambda: raw.execute(sql, values).fetchall(),
            }


@contextmanager
def reads(folder: Path, what: str) -> Iterator[dict[str, Callable[[], Any]]]:
    """``get`` or ``read_last`` of fifty messages, and the statement on a raw connection."""
    with filled(folder, 500) as store:
        path = Path(store.tables().path)
        with closing(connect(path, writes=False, synchronous="NORMAL")) as raw:
            if what == "get":
                yield {
                    "store": lambda: store.get("s"),
                    "raw": lambda: raw.execute(statements.GET, (1, "s")).fetchall(),
                }
            else:
                yield {
                    "store": lambda: store.read_last("s", 50),
                    "raw": lambda: raw.execute(statements.READ_LAST, ("s", 50)).fetchall(),
                }


@contextmanager
def sizes(folder: Path, what: str) -> Iterator[dict[str, Callable[[], Any]]]:
    """Appending or opening, with many messages ("store") and with few ("raw")."""
    with ExitStack() as stack:
        large, small = (stack.enter_context(filled(folder, n)) for n in (LARGE, SMALL))
        batch = message()
        if what == "append":
            yield {
                "store": lambda: large.append("s", batch),
                "raw": lambda: small.append("s", batch),
            }
            return
        folders = [Path(one.tables().path).parent for one in (large, small)]
        stack.close()  # or the first handle would keep the log in use
        yield {"store": lambda: reopened(folders[0]), "raw": lambda: reopened(folders[1])}


def reopened(folder: Path) -> None:
    """Open, which checks the schema, and close."""
    ReferenceStore(folder).close()


def open_ms(folder: Path) -> Ratio:
    """Milliseconds to open a large file and close it again."""
    with sizes(folder, "open") as calls:
        run = of_calls(calls["store"], tuple)
        run(5)
        seen = in_rounds([Arm("open", run)], ROUNDS, seed=1, lend=lambda turn: turn())
        return judged(seen.costs["open"], np.full(ROUNDS, _MILLISECOND_NS))


def verify_ms(folder: Path) -> Ratio:
    """Milliseconds to look at everything in a file of many sessions of a hundred messages."""
    with filled(folder, 0) as store:
        for number in range(LARGE // 100):
            store.append(f"s{number}", message() * 100)
        run = of_calls(lambda: store.verify(), tuple)
        run(2)
        seen = in_rounds([Arm("verify", run)], 20, seed=1, lend=lambda turn: turn())
    return judged(seen.costs["verify"], np.full(20, _MILLISECOND_NS))


@contextmanager
def digests(folder: Path) -> Iterator[dict[str, Callable[[], Any]]]:
    """The public append, and the same without a digest ("raw")."""
    with filled(folder, 200) as store:
        batch, own = message(), statements.digest

        def append(digest: Any) -> None:
            statements.digest = digest  # in both arms, so that it costs both the same
            try:
                store.append("s", batch)
            finally:
                statements.digest = own

        yield {"store": lambda: append(own), "raw": lambda: append(lambda _row, _time: None)}


def file_bytes(folder: Path, size: int) -> Ratio:
    """Bytes of the file for each byte of text, in sessions of a hundred messages, in turns."""
    with filled(folder, 0) as store:
        batch = message(size)
        empty = _pages(store)
        for _ in range(100):
            for number in range(20):
                store.append(f"session-{number}", batch)
        return exact((_pages(store) - empty) / (100 * 20 * size))


def _pages(store: ReferenceStore) -> int:
    with closing(sqlite3.connect(store.tables().path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        pages: int = db.execute("PRAGMA page_count").fetchone()[0]
    return pages * 4096


def explain_bytes(folder: Path, size: int) -> Iterator[str]:
    """The pages of each table and index, and what a bare table of the same texts takes."""
    with filled(folder, 0) as store, closing(sqlite3.connect(":memory:")) as bare:
        for number in range(1_000):
            store.append(f"session-{number % 10}", message(size))
        bare.execute("CREATE TABLE texts (text)")
        bare.executemany("INSERT INTO texts VALUES (?)", [("x" * size,)] * 1_000)
        pages = bare.execute("PRAGMA page_count").fetchone()[0]
        yield f"a table of one column, in memory: {(pages - 1) * 4.096 / size:.3f} × the payload"
        with closing(sqlite3.connect(store.tables().path)) as db:
            for name, kind, count, used in db.execute(
                "SELECT name, pagetype, count(*), sum(pgsize - unused) FROM dbstat "
                "GROUP BY name, pagetype ORDER BY count(*) DESC LIMIT 6"
            ):
                share = count * 4.096 / size
                full = used / count / 40.96
                yield f"{name}, {kind}: {share:.3f} × the payload, {full:.0f} % full"


def explain_memory(folder: Path) -> Iterator[str]:
    """What a connection keeps after each step towards a read."""
    steps = {
        "the first page": "PRAGMA user_version",
        "the schema": "SELECT 1 FROM sqlite_schema",
        "a session": "SELECT * FROM sessions LIMIT 1",
    }
    with filled(folder, 1_000) as store:
        path = store.tables().path
        opened = [sqlite3.connect(path) for _ in range(5)]
        for what, sql in steps.items():
            before = _resident()
            fresh = [sqlite3.connect(path) for _ in range(40)]
            for db in fresh:
                db.execute(sql).fetchall()
            yield f"raw connection that read {what}: {(_resident() - before) / 40 / 1e6:.3f} MB"
            opened += fresh
        for db in opened:
            db.close()
    yield f"as the store opens it, after a look-up and a read: {memory_mb(folder).value:.3f} MB"


def profiled(call: Callable[[], object]) -> list[str]:
    """The functions in which a call spends most time."""
    profiler, text = cProfile.Profile(), io.StringIO()
    profiler.runcall(call)
    pstats.Stats(profiler, stream=text).sort_stats("tottime").print_stats(15)
    return text.getvalue().splitlines()


def wal_bytes(folder: Path) -> Ratio:
    """Bytes of log for an append, over those of the plain design in ``legacy/enhanced.sql``."""
    number = 500
    with filled(folder, 500) as store:
        path = Path(store.tables().path)
        with closing(connect(path, writes=True, synchronous="NORMAL")) as raw:
            values = statements.values_of_one(encode_all(message())[0], 1, "s")
            own = _logged(raw, path, number, lambda: raw.execute(statements.INSERT_ONE, values))
    path = Path(tempfile.mkdtemp(dir=folder), "plain.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as plain:
        plain.execute("PRAGMA journal_mode = WAL")
        plain.executescript(
            (files("sessionproof") / "legacy" / "enhanced.sql").read_text("utf-8")
            + "INSERT INTO models (model_id, name) VALUES ('m', 'm');"
            "INSERT INTO sessions (session_id, model_id) VALUES ('s', 'm');"
        )
        for _ in range(500):
            _plain_append(plain)
        naive = _logged(plain, path, number, lambda: _plain_append(plain))
    return exact(own / naive)


def _plain_append(db: sqlite3.Connection) -> None:
    db.execute("BEGIN")
    number = db.execute(
        "SELECT coalesce(max(sequence_number), 0) + 1 FROM messages WHERE session_id = 's'"
    ).fetchone()[0]
    db.execute(
        "INSERT INTO messages (message_id, session_id, sequence_number, role, content,"
        " tokens_used) VALUES (lower(hex(randomblob(16))), 's', ?, 'user', ?, 5)",
        (number, "x" * 200),
    )
    db.execute("COMMIT")


def _logged(db: sqlite3.Connection, path: Path, number: int, append: Callable[[], Any]) -> float:
    """Bytes of the log for each of so many appends."""
    db.execute("PRAGMA wal_autocheckpoint = 0")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    for _ in range(number):
        result = append()
        if result is not None:
            result.fetchall()
    return path.with_name(f"{path.name}-wal").stat().st_size / number


def memory_mb(folder: Path) -> Ratio:
    """Megabytes that a reading connection keeps after it was used; each process measures once."""
    with filled(folder, 1_000) as store:
        path = store.tables().path
        seen = sorted(float(_child("memory", path)) for _ in range(5))
    return Ratio(value=seen[2], low=seen[0], high=seen[-1], rounds=5, of=5)


def measure_memory(path: str) -> float:
    """In a child: megabytes of resident memory for each of forty connections that have read."""
    opened: list[sqlite3.Connection] = []
    number = 40

    def use() -> None:
        db = connect(Path(path), writes=False, synchronous="NORMAL")
        db.execute(statements.READ_LAST, ("s", 50)).fetchall()
        db.execute(statements.GET, (1, "s")).fetchall()
        opened.append(db)

    for _ in range(5):  # what is there only once is paid for by these
        use()
    gc.collect()
    before = _resident()
    for _ in range(number):
        use()
    gc.collect()
    after = _resident()
    for db in opened:
        db.close()
    return (after - before) / number / 1e6


def _resident() -> int:
    pages = Path("/proc/self/statm").read_text("ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _child(*arguments: str) -> str:
    script = Path(__file__).with_name("reference_targets.py")
    command = [sys.executable, str(script), "--child", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def exact(value: float) -> Ratio:
    """A number that is the same each time."""
    return Ratio(value=value, low=value, high=value, rounds=1, of=1)


def paired(costs: Numbers, floors: Numbers) -> Ratio:
    """Cost over floor as the median of all rounds' ratios, with its 99 % interval.

    No round is left out: where clients wait for each other, the disturbed rounds are the finding.
    """
    logs = np.log(np.array(costs) / np.array(floors))
    draws = np.random.default_rng(1).integers(0, len(logs), (2_000, len(logs)))
    low, high = np.percentile(np.median(logs[draws], axis=1), (0.5, 99.5))
    return Ratio(
        value=float(np.exp(np.median(logs))),
        low=float(np.exp(low)),
        high=float(np.exp(high)),
        rounds=len(logs),
        of=len(logs),
    )
