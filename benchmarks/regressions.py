"""How often the gates are wrong on this machine: null runs, and slowdowns that are put in.

``python benchmarks/regressions.py compare`` has Gate A compare ``slowed_store`` with itself, and
with itself made slower by 2, 5, 10, 20 and 100 %, as ``bench compare`` does, in turns; every
second comparison beside a process that keeps a core busy (``--machine`` has one kind alone).
``nights`` records runs of the same
store, half of them beside such a process, each in a fresh process, and draws histories from them
with replacement: a night, its confirmation and the fifteen nights before. Both print, for each
slowdown, how often something was called slower. ``trend_delay.py`` does the same for the trend.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from functools import reduce
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from burning import burning

from sessionproof.bench.arms.arm import Arm as Versioned
from sessionproof.bench.rounds import Arm, in_rounds
from sessionproof.bench.statistics import ratio
from sessionproof.bench.tracking.archived import ArchivedRun
from sessionproof.bench.tracking.compared import Comparison, Side
from sessionproof.bench.tracking.nights import AGREEING, ONE_CLIENT, confirmed, judged
from sessionproof.bench.tracking.pairs import is_open
from sessionproof.bench.tracking.pairs import judged as judge_pairs
from sessionproof.contract.claims import claims_to_json
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.measurements import Latency, Ratio, Speed
from sessionproof.contract.message import Message, to_json
from sessionproof.contract.seed import derive, generator
from sessionproof.engine.comparing import EFFORTS, compared
from sessionproof.engine.machine import fast_folder
from sessionproof.reference import ReferenceStore

SPAWN = multiprocessing.get_context("spawn")
SLOWER = (2, 5, 10, 20, 100)
OPERATIONS = ("append", "read_last")
STORE = "slowed_store:Store"
EARLIER = 15
PAIRS = EFFORTS["gate"].pairs
ROUNDS = 200
MESSAGES = 1_000


@contextmanager
def versions() -> Iterator[dict[int, Side]]:
    """The store in all its versions, by how many percent they are slower."""
    with tempfile.TemporaryDirectory(prefix="sessionproof-") as folder:
        sides = {}
        for percent in (0, *SLOWER):
            own = Path(folder, f"by-{percent:03}")  # names of one length: memory lies alike
            own.mkdir()
            (own / "slowed_by.py").write_text(f"PERCENT = {percent}\n", "utf-8")
            here = str(Path(__file__).parent)
            sides[percent] = Side(asked=f"+{percent} %", store=STORE, path=(str(own), here))
        yield sides


def neighbours(machine: str) -> Iterator[tuple[str, Any]]:
    """A quiet machine and a busy one, in turns, or one of them; what to work within."""
    for kind in cycle(("quiet", "busy") if machine == "both" else (machine,)):
        yield kind, burning() if kind == "busy" else nullcontext()


def compare(given: argparse.Namespace) -> None:
    """Gate A: so many null comparisons, and some for each slowdown."""
    jobs = _jobs(given)
    kinds = {percent: neighbours(given.machine) for percent in (0, *SLOWER)}
    found: dict[tuple[int, str], list[Comparison]] = defaultdict(list)
    began = monotonic_s()
    with suppress(KeyboardInterrupt), versions() as sides:  # what is known then is told
        for number, percent in enumerate(jobs, start=1):
            machine, beside = next(kinds[percent])
            with beside:
                one = compared(
                    sides[0], sides[percent], profile=given.profile, only=OPERATIONS,
                    seed=derive(given.seed, "comparison", number),
                )  # fmt: skip
            if one.interrupted:
                break
            found[percent, machine].append(one)
            rows = ", ".join(f"{row.operation} {row.verdict}" for row in one.rows)
            note(f"{number} of {len(jobs)}, {monotonic_s() - began:.0f} s: +{percent} %, {rows}")
    say("| slower by | machine | comparisons | operations | slower | undecided | same | faster "
        "| estimate | widths | seconds |")  # fmt: skip
    say("|---" * 11 + "|")
    for (percent, machine), some in sorted(found.items()):
        say(_compared_line(percent, machine, some))
    say("")
    say("| slower by | pairs of processes | drawn anew | slower | undecided | same | faster |")
    say("|---" * 7 + "|")
    for percent in (0, *SLOWER):
        every = [one for kind in ("quiet", "busy") for one in found.get((percent, kind), [])]
        if every:
            say(_redrawn_line(percent, every, given.draws, np.random.default_rng(given.seed)))


def _redrawn_line(
    percent: int, every: Sequence[Comparison], draws: int, draw: np.random.Generator
) -> str:
    """Comparisons made of pairs that are drawn from all of them, with replacement.

    Each pair is of processes of its own, so any of them might have met; open ones are doubled.
    """
    pools = [
        [pair for one in every for row in one.rows if row.operation == name for pair in row.pairs]
        for name in OPERATIONS
    ]
    verdicts: Counter[str] = Counter()
    for number in range(draws):
        pool = pools[number % len(pools)]
        pairs = [pool[at] for at in draw.integers(len(pool), size=PAIRS)]
        row = judge_pairs("", pairs)
        if is_open(row):
            more = [pool[at] for at in draw.integers(len(pool), size=PAIRS)]
            row = judge_pairs("", [*pairs, *more])
        verdicts[row.verdict] += 1
    counts = (verdicts[one] for one in ("slower", "undecided", "same", "faster"))
    cells = (f"{percent} %", sum(map(len, pools)), draws, *counts)
    return "| " + " | ".join(map(str, cells)) + " |"


def _jobs(given: argparse.Namespace) -> list[int]:
    """By how many percent each run is slower, in an order that is drawn."""
    slow = [one for one in SLOWER for _ in range(given.five if one == 5 else given.slow)]
    jobs = [0] * given.null + slow
    generator(given.seed, "order").shuffle(jobs)
    return jobs


def _compared_line(percent: int, machine: str, some: Sequence[Comparison]) -> str:
    rows = [row for one in some for row in one.rows]
    verdicts = Counter(row.verdict for row in rows)
    ratios = [row.ratio for row in rows if row.ratio is not None]
    values = sorted(100 * (one.value - 1) for one in ratios)
    widths = [100 * (one.high / one.low - 1) for one in ratios]
    cells = (
        f"{percent} %", machine, len(some), len(rows), verdicts["slower"], verdicts["undecided"],
        verdicts["same"], verdicts["faster"],
        f"{values[0]:+.1f} … {median(values):+.1f} … {values[-1]:+.1f} %",
        f"{median(widths):.1f}, at most {max(widths):.1f} %",
        f"{median(one.seconds for one in some):.1f}",
    )  # fmt: skip
    return "| " + " | ".join(map(str, cells)) + " |"


def one_run(path: Sequence[str], seed: int) -> dict[str, float]:
    """The ratios of one run to the floor, in this process, as PERF-01 measures them."""
    sys.path[:0] = path
    with tempfile.TemporaryDirectory(prefix="sessionproof-", dir=fast_folder()) as folder:
        arm = Versioned(
            {
                "store": STORE, "root": folder, "url": None, "namespace": None,
                "claims": claims_to_json(ReferenceStore.claims),
                "capabilities": ["get", "read_last"],
                "message": to_json(Message("user", "x")), "pool": "words of a chat " * 300,
            }
        )  # fmt: skip
        arm.load(MESSAGES, 0)
        arms = []
        for operation in OPERATIONS:
            arm.ready(operation)
            for side in ("store", "floor"):
                size = arm.size(operation, side)
                arms.append(Arm(f"{operation} {side}", _run_of(arm, operation, side), size))
        costs = in_rounds(arms, ROUNDS, seed=seed, lend=lambda action: action()).costs
        arm.close()
        return {
            operation: ratio(
                costs[f"{operation} store"], costs[f"{operation} floor"], seed=seed
            ).value
            for operation in OPERATIONS
        }


def _run_of(arm: Versioned, operation: str, side: str) -> Any:
    return lambda number: arm.run(operation, side, number)


def nights(given: argparse.Namespace) -> None:
    """Gate B: histories drawn from recorded runs."""
    recorded = _recorded(given)
    if given.out is not None:
        text = json.dumps({f"{percent} {how}": runs for (percent, how), runs in recorded.items()})
        given.out.write_text(text + "\n", "utf-8")
    draw = np.random.default_rng(given.seed)
    null = [run for how in ("quiet", "busy") for run in recorded.get((0, how), [])]
    say("| slower by | runs recorded | draws | slower in one run | slower in all three |")
    say("|---|---|---|---|---|")
    for percent in (0, *SLOWER):
        runs = [run for how in ("quiet", "busy") for run in recorded.get((percent, how), [])]
        once, every = _drawn(runs, null, given.draws, draw)
        say(f"| {percent} % | {len(runs)} | {given.draws} | {100 * once / given.draws:.2f} % "
            f"| {100 * every / given.draws:.2f} % |")  # fmt: skip


def _recorded(given: argparse.Namespace) -> dict[tuple[int, str], list[dict[str, float]]]:
    recorded: dict[tuple[int, str], list[dict[str, float]]] = defaultdict(list)
    jobs = _jobs(given)
    kinds = {percent: neighbours(given.machine) for percent in (0, *SLOWER)}
    with versions() as sides:
        for number, percent in enumerate(jobs, start=1):
            how, beside = next(kinds[percent])
            seed = derive(given.seed, "run", number)
            with beside, ProcessPoolExecutor(1, mp_context=SPAWN) as fresh:
                recorded[percent, how].append(
                    fresh.submit(one_run, sides[percent].path, seed).result()
                )
            if number % 10 == 0:
                note(f"{number} of {len(jobs)} runs")
    return recorded


def _drawn(
    runs: Sequence[dict[str, float]],
    null: Sequence[dict[str, float]],
    draws: int,
    draw: np.random.Generator,
) -> tuple[int, int]:
    """How often a night of these runs is above its history: once, and confirmed."""
    once = every = 0
    for _ in range(draws):
        operation = OPERATIONS[draw.integers(len(OPERATIONS))]
        earlier = [null[at][operation] for at in draw.integers(len(null), size=EARLIER)]
        three = draw.choice(len(runs), size=1 + AGREEING, replace=False)  # each is another one
        first, *further = (_as_run(operation, runs[at][operation]) for at in three)
        night = judged(first, [_as_run(operation, one) for one in earlier])
        once += bool(night.above)
        every += bool(reduce(confirmed, further, night).slower)
    return once, every


def _as_run(operation: str, value: float) -> ArchivedRun:
    """A run of this one ratio."""
    speed = Speed(
        operation=operation, clients=ONE_CLIENT, floor="raw SQLite", per_second=1,
        latency=Latency(p50_us=1, p95_us=1, p99_us=1, p999_us=1, max_us=1, calls=1),
        ratio=Ratio(value=value, low=value, high=value, rounds=ROUNDS, of=ROUNDS),
    )  # fmt: skip
    return ArchivedRun(
        store=STORE, version=None, commit=None, started_at="2026-01-01T00:00:00Z",
        sessionproof="0", profile="gate", seed=0, machine={}, speeds=(speed,),
    )  # fmt: skip


def say(line: str) -> None:
    """Print at once: the whole takes minutes."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def note(line: str) -> None:
    """Progress, beside what is printed."""
    sys.stderr.write(line + "\n")


def main() -> None:
    """Read the arguments, and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["compare", "nights"])
    parser.add_argument("--null", type=int, default=100, help="runs without a slowdown")
    parser.add_argument("--slow", type=int, default=20, help="runs of each slowdown")
    parser.add_argument("--five", type=int, default=20, help="runs that are slower by 5 %%")
    parser.add_argument("--machine", choices=["quiet", "busy", "both"], default="both")
    parser.add_argument(
        "--draws", type=int, default=5_000, help="histories, and comparisons drawn anew"
    )
    parser.add_argument("--profile", default="gate", help="of the comparisons")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="a file for the recorded ratios, for nights")
    given = parser.parse_args()
    if min(given.null, given.slow, given.five, given.draws) < 1:
        parser.error("--null, --slow, --five and --draws must be at least 1")
    (compare if given.what == "compare" else nights)(given)


if __name__ == "__main__":
    main()
