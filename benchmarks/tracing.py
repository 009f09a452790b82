"""How fast traces are read, and what recording a store costs, on this machine.

``python benchmarks/tracing.py`` writes a trace of a million calls as strace would (``--calls``),
turns it into changes, and prints calls in a second of processor time and the peak of memory. Then
a store is recorded (``--store``), a few times, and the seconds are printed, the best and the worst.
Ends with 1 when a goal is missed; on a busy machine that says little of the seconds.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from sessionproof.contract.claims import Claims
from sessionproof.contract.lookup import find_store
from sessionproof.contract.message import Message
from sessionproof.contract.operations import Append, Create, Program, Reopen
from sessionproof.engine.machine import facts
from sessionproof.faults.tracing.arguments import escaped
from sessionproof.faults.tracing.calls import calls
from sessionproof.faults.tracing.following import follow
from sessionproof.faults.tracing.recorder import record
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.profiles import Deadlines

MEMORY_MB = 500
RECORDED_S = 1.5  # thirty operations of the reference, in two processes
OPERATIONS, TIMES = 30, 5
PIPE = "pipe:[7]"


def main() -> int:
    """Print the machine's facts and the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--store", default="reference")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        for name, value in facts(folder).items():
            _say(name, value)
        missed = _read(folder, chosen.calls)
        missed |= _recorded(folder, chosen.store)
    return int(missed)


def _read(folder: Path, number: int) -> bool:
    root, trace = folder / "location", folder / "trace"
    root.mkdir()
    with trace.open("w", encoding="ascii") as file:
        file.writelines(_lines(root, number))
    began = time.process_time()
    with trace.open(encoding="ascii") as lines:
        followed = follow(
            calls(lines), root=root, started_in=root, pipes={PIPE: 0}, clients={},
            data=folder / "data.bin",
        )  # fmt: skip
    spent = time.process_time() - began
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    _say("a trace", f"{trace.stat().st_size / 1e6:.0f} MB, {len(followed.changes):,} changes")
    _say("read", f"{number / spent:,.0f} calls a second, {spent:.1f} s for {number:,}")
    _say("peak of memory", f"{peak_mb:.0f} MB (goal {MEMORY_MB})")
    return peak_mb > MEMORY_MB


def _lines(root: Path, number: int) -> Iterator[str]:
    """A store that appends a line of 100 bytes, syncs, answers, and reads."""
    path, pipe, data = escaped(f"{root}/log"), escaped(PIPE), "\\x61" * 100
    yield f'7 openat(AT_FDCWD, "{path}", O_RDWR|O_CREAT|O_APPEND, 0644) = 3<{path}>\n'
    for _ in range(number // 4):
        yield f'7 write(3<{path}>, "{data}", 100) = 100\n'
        yield f"7 fsync(3<{path}>)                        = 0\n"
        yield f'7 write(4<{pipe}>, "\\x7b\\x7d\\x0a", 3) = 3\n'
        yield "7 read(0x5, 0x7ffe82e6c278, 0x340)  = 0x40\n"


def _recorded(folder: Path, name: str) -> bool:
    spec = find_store(name)
    store = StoreUnderTest(spec, spec.claims or Claims(), parent=folder, deadlines=Deadlines())
    seconds = []
    for at in range(TIMES):
        began = time.perf_counter()
        recording = record(
            store, [_program()], folder=folder / str(at), sessions=(), deadline_s=300.0
        )
        seconds.append(time.perf_counter() - began)
    text = f"{min(seconds):.2f} s at best, {max(seconds):.2f} s at worst (goal {RECORDED_S:g} s)"
    _say(f"{name}, {len(recording.acts)} operations", f"{text}, {len(recording.changes)} changes")
    return min(seconds) > RECORDED_S


def _program() -> Program:
    appends = [Append("s0", (Message("user", f"text {at} " * 10),)) for at in range(OPERATIONS)]
    half = OPERATIONS // 2
    return (Create("s0"), *appends[:half], Reopen(), *appends[half:])


def _say(name: str, value: object) -> None:
    sys.stdout.write(f"{name:<32} {value}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
