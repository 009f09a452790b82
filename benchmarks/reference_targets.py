"""Measures every target of the reference store, as ratios within one run.

``python benchmarks/reference_targets.py`` prints a Markdown table: what was measured with its 99 %
interval, the target, the moonshot, and whether they are met. Times of their own say little on a
shared machine, so both sides of a ratio take turns in random order. ``--line NAME`` measures that
line alone (repeatable), ``--profile NAME`` says where the time of a line goes, and
``--trace-choices`` measures what was decided against: how writers share a connection, how rows
become messages, how long a process waits for a lock. Lines that sync lie below ``--folder``, on
whose disk they depend; the others lie in memory where there is room, as the disk's own work would
hide what is compared.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import reference_choices as choices
import reference_clients as clients
import reference_lines as lines

from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.measurements import Ratio
from sessionproof.engine.machine import facts, fast_folder

_PROFILED = 3_000


@dataclass(frozen=True, kw_only=True)
class Line:
    """One target.

    ``more``: the larger the better. ``syncs``: the disk counts. ``explained`` says where it goes.
    """

    axis: str
    target: float
    moonshot: float
    measure: Callable[[Path], Ratio]
    more: bool = False
    unit: str = "×"
    syncs: bool = False
    explained: Callable[[Path], Iterable[str]] | None = None


def against(
    arms: Callable[[Path], AbstractContextManager[dict[str, Callable[[], object]]]], folder: Path
) -> Ratio:
    """The store's call over the raw one."""
    with arms(folder) as calls:
        return lines.compared(calls, "raw")["store"]


def threads(durability: lines.Durability, floor: str, each: int, folder: Path) -> Ratio:
    """Throughput of ten threads over that of the same on other connections."""
    with clients.thread_arms(folder, durability, each) as arms:
        seen = clients.in_blocks({name: arms[name] for name in ("store", floor)})
    return lines.paired([one.cost for one in seen[floor]], [one.cost for one in seen["store"]])


def threads_p99(folder: Path) -> Ratio:
    """Milliseconds below which 99 of 100 appends of ten threads stay."""
    with clients.thread_arms(folder, "process", 300) as arms:
        seen = clients.in_blocks({"store": arms["store"]})
    return lines.paired([one.p99 for one in seen["store"]], [1e6] * len(seen["store"]))


def processes(folder: Path) -> Ratio:
    """The 99th percentile of four processes over that of SQLite's own waiting."""
    with clients.process_arms(folder, {"store": "store", "busy": "busy"}, 250) as arms:
        seen = clients.in_blocks(arms, blocks=20)
    return lines.paired([one.p99 for one in seen["store"]], [one.p99 for one in seen["busy"]])


def explain_calls(
    arms: Callable[[Path], AbstractContextManager[dict[str, Callable[[], object]]]], folder: Path
) -> Iterable[str]:
    """Where the time of many calls goes."""
    with arms(folder) as calls:
        return lines.profiled(lambda: [calls["store"]() for _ in range(_PROFILED)])


def _of_calls(axis: str, target: float, moonshot: float, arms: Callable[..., object]) -> Line:
    return Line(
        axis=axis, target=target, moonshot=moonshot, syncs="power" in axis,
        measure=partial(against, arms), explained=partial(explain_calls, arms),
    )  # fmt: skip


LINES: dict[str, Line] = {
    "append": _of_calls(
        "append, process / its statement", 1.6, 1.25, partial(lines.appends, durability="process")
    ),
    "append-power": _of_calls(
        "append, power / its statement", 1.6, 1.25, partial(lines.appends, durability="power")
    ),
    "digests": _of_calls("append / append without digests", 1.05, 1.02, lines.digests),
    "verify": Line(
        axis="verify 100k messages of 200 B", target=250, moonshot=165, unit="ms",
        measure=lines.verify_ms,
    ),
    "get": _of_calls("get / its statement", 3, 2, partial(lines.reads, what="get")),
    "last-50": _of_calls("last 50 / its statement", 1.3, 1.1, partial(lines.reads, what="last")),
    "threads-full": Line(
        axis="10 threads, power: appends a second / connection a thread with busy_timeout",
        target=3, moonshot=7, more=True, syncs=True,
        measure=partial(threads, "power", "own", 30),
        explained=partial(clients.explain_threads, durability="power"),
    ),
    "threads-normal": Line(
        axis="10 threads, process: appends a second / one connection behind a lock",
        target=1, moonshot=1.5, more=True, measure=partial(threads, "process", "lock", 300),
        explained=partial(clients.explain_threads, durability="process"),
    ),
    "threads-p99": Line(
        axis="10 threads, process: p99", target=15, moonshot=15, unit="ms", measure=threads_p99,
    ),
    "processes": Line(
        axis="4 processes that think 1 ms: p99 / busy_timeout", target=0.6, moonshot=0.4,
        measure=processes,
    ),
    "bytes-200": Line(
        axis="bytes of file / payload, 200 B", target=1.45, moonshot=1.3,
        measure=partial(lines.file_bytes, size=200),
        explained=partial(lines.explain_bytes, size=200),
    ),
    "bytes-4k": Line(
        axis="bytes of file / payload, 4 kB", target=1.06, moonshot=1.03,
        measure=partial(lines.file_bytes, size=4096),
        explained=partial(lines.explain_bytes, size=4096),
    ),
    "wal": Line(
        axis="bytes of log an append / the plain design", target=0.35, moonshot=0.3,
        measure=lines.wal_bytes,
    ),
    "memory": Line(
        axis="memory of a reader that is idle", target=0.2, moonshot=0.12, unit="MB",
        measure=lines.memory_mb, explained=lines.explain_memory,
    ),
    "growth": _of_calls(
        "append at 100k messages / at 1k", 1.3, 1.1, partial(lines.sizes, what="append")
    ),
    "open": Line(
        axis="open, check the schema, close, at 100k messages", target=5, moonshot=1, unit="ms",
        measure=lines.open_ms,
        explained=partial(explain_calls, partial(lines.sizes, what="open")),
    ),
    "open-growth": _of_calls(
        "open at 100k messages / at 1k", 1.3, 1.1, partial(lines.sizes, what="open")
    ),
}  # fmt: skip


def row(line: Line, seen: Ratio) -> str:
    """The line of the table."""

    def met(bound: float) -> bool:
        return seen.value >= bound if line.more else seen.value <= bound

    word = "moonshot" if met(line.moonshot) else "met" if met(line.target) else "**missed**"
    sign = "≥" if line.more else "≤"
    interval = f"{seen.low:.2f} – {seen.high:.2f}" if seen.of > 1 else "exact"
    return (
        f"| {line.axis} | {seen.value:.2f} {line.unit} | {interval} | {seen.rounds} of {seen.of} "
        f"| {sign} {line.target:g} | {sign} {line.moonshot:g} | {word} |"
    )


def table(names: list[str], disk: Path, memory: Path) -> Iterator[str]:
    """The table, a row as soon as it is measured."""
    yield "| axis | measured | 99 % interval | rounds | target | moonshot | |"
    yield "|---|---|---|---|---|---|---|"
    for name in names:
        line = LINES[name]
        yield row(line, line.measure(disk if line.syncs else memory))


def explanation(line: Line, disk: Path, memory: Path) -> Iterable[str]:
    """Where the time or the room of a line goes."""
    if line.explained is None:
        return ["nothing is known of what this line is made of: see --trace-choices"]
    return line.explained(disk if line.syncs else memory)


def say(text: str) -> None:
    """A line on standard output, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    """Measure and print."""
    if sys.argv[1:3] == ["--child", "memory"]:
        say(str(lines.measure_memory(sys.argv[3])))
        return
    if sys.argv[1:3] == ["--child", "client"]:
        clients.client(*sys.argv[3:6])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--line", action="append", choices=LINES, help="this line alone")
    parser.add_argument("--profile", choices=LINES, metavar="LINE", help="where its time goes")
    parser.add_argument("--trace-choices", action="store_true", help="what was decided against")
    parser.add_argument("--folder", default=tempfile.gettempdir(), help="where the data lies")
    given = parser.parse_args()
    start = monotonic_s()
    with ExitStack() as stack:
        disk, memory = (
            Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="sessionproof-", dir=where))
            )
            for where in (given.folder, fast_folder() or given.folder)
        )
        for what, how in facts(disk).items():
            say(f"- {what}: {how}")
        say("")
        if given.profile:
            texts = explanation(LINES[given.profile], disk, memory)
        elif given.trace_choices:
            texts = choices.tables(disk, memory)
        else:
            texts = table(given.line or list(LINES), disk, memory)
        for text in texts:
            say(text)
    say(f"\n{monotonic_s() - start:.0f} s")


if __name__ == "__main__":
    main()
