"""How fast histories are judged, on this machine.

``python benchmarks/checking.py`` makes histories of a correct store and prints how many operations
are judged in a second of processor time, the best of five times: the machine may be shared. Then a
large history is judged from disk, shard by shard, by a process of its own, whose peak of memory is
printed. ``--rows`` is the size of the first, ``--stored`` that of the large one, ``--location`` a
folder for it. Ends with 1 when a goal is missed; on a busy machine that says little.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for the histories

from made_history import made_history

from sessionproof.checks.history import judge_history
from sessionproof.checks.incidents import Judged
from sessionproof.contract.claims import Claims
from sessionproof.engine.machine import facts
from sessionproof.history import files
from sessionproof.history.columns import History

CLAIMS = Claims(atomic_batches=True, consistency="linearizable", handles="threads")
RATE = 2_000_000  # operations in a second of processor time
LONG_S = 0.1  # one session of a hundred thousand operations
MEMORY_MB = 4_096
SHARDS, PART = 16, 1_000_000
TIMES = 5


def main() -> int:
    """Print the machine's facts and the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--stored", type=int, default=10_000_000)
    parser.add_argument("--location", type=Path)
    parser.add_argument("--judge", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.judge:
        return _judge(chosen.judge)
    with tempfile.TemporaryDirectory(dir=chosen.location) as directory:
        for name, value in facts(Path(directory)).items():
            _say(name, value)
        missed = _in_memory(chosen.rows)
        missed |= chosen.stored > 0 and _from_disk(Path(directory), chosen.stored)
    return int(missed)


def _in_memory(rows: int) -> bool:
    """Judge histories that are in memory; whether a goal was missed."""
    missed = False
    kinds: dict[str, Callable[[], History]] = {
        "sessions of 100": lambda: made_history(rows).history,
        "batches, 5 % unknown": lambda: made_history(rows, batch=3, unknown=0.05).history,
        "sessions of 10,000": lambda: made_history(rows, per_session=10_000).history,
    }
    for name, make in kinds.items():
        history = make()
        rate = len(history) / _best(history)
        missed |= rate < RATE
        _say(name, f"{rate / 1e6:.2f} million operations a second, of {len(history):,}")
    long = made_history(rows // 10, per_session=rows // 10, unknown=0.05).history
    seconds = _best(long)
    _say("one session, 5 % unknown", f"{seconds * 1e3:.1f} ms, of {len(long):,} operations")
    return missed or seconds > LONG_S


def _best(history: History) -> float:
    """Seconds of processor time to judge it, the best of some."""
    taken = []
    for _ in range(TIMES):
        start = time.process_time()
        _right(judge_history(history, CLAIMS))
        taken.append(time.process_time() - start)
    return min(taken)


def _right(judged: Judged) -> None:
    """A correct store's history must be judged, and found right."""
    if judged.incidents or judged.unknown:
        raise AssertionError(judged)


def _from_disk(folder: Path, rows: int) -> bool:
    """Write a large history in parts, and let a process judge it; whether it held too much."""
    part = min(PART, rows)
    for number in range(rows // part):
        made = made_history(part, unknown=0.01, part=number)
        files.save(made.history, folder / f"part-{number}.npz", shards=SHARDS)
    size = sum(path.stat().st_size for path in folder.iterdir())
    _say("stored", f"{rows:,} operations in {size / 1e6:,.0f} MB")
    command = [sys.executable, __file__, "--judge", str(folder)]
    ended = subprocess.run(command, check=True, capture_output=True, encoding="utf-8")
    judged, seconds, held = map(float, ended.stdout.split())
    _say("judged from disk", f"{judged:,.0f} operations in {seconds:.1f} s of processor time, "
         f"at most {held:,.0f} MB held")  # fmt: skip
    return held > MEMORY_MB


def _judge(folder: Path) -> int:
    """What the other process does: print how many, how long, and how much memory at most."""
    start = time.process_time()
    judged = 0
    for shard in files.shards(folder):
        said = judge_history(shard, CLAIMS)
        _right(said)
        judged += said.examined["operations"]
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(f"{judged} {time.process_time() - start} {held}\n")
    return 0


def _say(what: str, value: str) -> None:
    sys.stdout.write(f"{what:<26}{value}\n")


if __name__ == "__main__":
    sys.exit(main())
