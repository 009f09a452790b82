"""How often the comparison of two versions is wrong on this machine.

``python benchmarks/null_comparisons.py`` compares the reference store's append with itself, and
with itself made slower, in the way that a change is judged: each comparison in a fresh process, on
fresh files in memory, in rounds, with durability "process" and "power" in turns. It prints how
many of the equal ones were called slower or faster, which are false alarms, and how many of the
slower ones were found. ``--burn`` keeps one core busy meanwhile.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

from burning import burning

from sessionproof.bench.compare import LEAST_ROUNDS, MOST_ROUNDS, Comparison, until_decided
from sessionproof.bench.rounds import Arm, Run, in_rounds, of_calls, sized
from sessionproof.bench.statistics import TooFewRounds
from sessionproof.contract.message import Message
from sessionproof.contract.seed import derive, generator
from sessionproof.engine.machine import fast_folder
from sessionproof.reference import ReferenceStore

SPAWN = multiprocessing.get_context("spawn")
DURABILITIES = ("process", "power")
LONG = 3_000  # rounds that show how large a slowdown really is
LONG_RUNS = 3
TRIED_SPINS = 400
TEXT = "How do I reverse a list in Python without changing the one that I have? " * 2


@dataclass(frozen=True)
class Job:
    """One comparison. ``spins`` is the extra work in each call of head: turns of an empty loop."""

    seed: int
    durability: str
    spins: int = 0
    least: int = LEAST_ROUNDS
    most: int = MOST_ROUNDS


def comparison(job: Job) -> Comparison | None:
    """Compare head with base in this process; None when too few rounds were calm."""
    with tempfile.TemporaryDirectory(prefix="sessionproof-", dir=fast_folder()) as folder:
        order = ["base", "head"]
        generator(job.seed, "opening").shuffle(order)  # it decides which lies where in memory
        stores = {name: opened(Path(folder, name), job.durability) for name in order}
        with closing(stores["base"]), closing(stores["head"]):
            runs = {
                "base": appends(stores["base"].append),
                "head": appends(slowed(stores["head"].append, job.spins)),
            }
            # Both are sized, so that both have done as much: a hundred calls more cost 0.3 %.
            batch = min([sized(run) for run in runs.values()])
            try:
                return until_decided(
                    partial(_measure, runs, batch, job.seed, count()),
                    seed=job.seed, least=job.least, most=job.most,
                )  # fmt: skip
            except TooFewRounds:
                return None


def _measure(
    runs: dict[str, Run], batch: int, seed: int, turns: Iterator[int], rounds: int
) -> tuple[Any, Any]:
    arms = [Arm(name, run, batch) for name, run in runs.items()]
    seed = derive(seed, next(turns))
    costs = in_rounds(arms, rounds, seed=seed, lend=lambda action: action()).costs
    return costs["head"], costs["base"]


def opened(path: Path, durability: Any) -> ReferenceStore:
    """A store on a location of its own."""
    path.mkdir()
    return ReferenceStore(path, durability=durability)


def appends(append: Callable[..., Any]) -> Run:
    """Appends of one message each to one session."""
    numbers = count()
    return of_calls(append, lambda: ("s1", [Message("user", f"{TEXT}{next(numbers)}")]))


def slowed(call: Callable[..., Any], spins: int) -> Callable[..., Any]:
    """The call after so many turns of an empty loop; itself for none."""

    def slow(*given: Any) -> Any:
        for _ in range(spins):
            pass
        return call(*given)

    return slow if spins else call


def in_fresh_process(job: Job) -> Comparison | None:
    """The comparison, in an interpreter of its own."""
    with ProcessPoolExecutor(1, mp_context=SPAWN) as one:
        return one.submit(comparison, job).result()


def size_of(spins: int, durability: str) -> float:
    """The cost of so many spins in percent of an append, as the median of long runs."""
    jobs = (Job(seed, durability, spins, LONG, LONG) for seed in range(LONG_RUNS))
    found = [one.ratio.value for one in map(in_fresh_process, jobs) if one is not None]
    if not found:
        sys.exit("the machine is too busy to tell how large the slowdown is: try again later")
    return 100 * (median(found) - 1)


def spins_for(percent: float, durability: str) -> int:
    """How many spins cost about so many percent of an append; prints what they really cost."""
    spins = TRIED_SPINS
    for _ in range(2):  # the first ones of a loop are cheaper than the rest
        spins = max(1, round(spins * percent / max(size_of(spins, durability), 0.1)))
    say(f"{durability}: {spins} spins cost {size_of(spins, durability):.2f} % of an append")
    return spins


def told(found: Sequence[Comparison | None]) -> str:
    """The verdicts, and what their intervals were like."""
    verdicts = Counter("undecided" if one is None else one.verdict for one in found)
    ratios = sorted((one.ratio for one in found if one is not None), key=lambda one: one.value)
    words = ", ".join(f"{number} {verdict}" for verdict, number in verdicts.most_common())
    if not ratios:
        return words
    widths = sorted(100 * (one.high / one.low - 1) for one in ratios)
    calm = 100 * sum(one.rounds for one in ratios) / sum(one.of for one in ratios)
    low, high = (100 * (one.value - 1) for one in (ratios[0], ratios[-1]))
    rounds = sorted(one.of for one in ratios)
    return (
        f"{words}; estimates {low:+.1f} to {high:+.1f} %, median "
        f"{100 * (median(one.value for one in ratios) - 1):+.1f} %; width of the intervals "
        f"{median(widths):.1f} %, at most {widths[-1]:.1f} %; {calm:.0f} % of rounds calm; "
        f"rounds {median(rounds):.0f}, at most {rounds[-1]}"
    )


def main() -> None:
    """Find the spins, then compare; a line when each kind is done."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--comparisons", type=int, default=100, help="of each kind")
    parser.add_argument("--slow", type=float, default=5.0, help="by how many percent head is slow")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--burn", action="store_true", help="keep one core busy meanwhile")
    given = parser.parse_args()
    if given.comparisons < 1 or given.slow <= 0:
        parser.error("--comparisons and --slow must be above zero")
    spins = {durability: spins_for(given.slow, durability) for durability in DURABILITIES}
    jobs = [
        Job(derive(given.seed, number), DURABILITIES[number % 2])
        for number in range(given.comparisons)
    ]
    slow = [Job(derive(one.seed, "slow"), one.durability, spins[one.durability]) for one in jobs]
    if given.burn:
        with burning():
            compare(jobs, slow)
    else:
        compare(jobs, slow)


def compare(equal: Sequence[Job], slow: Sequence[Job]) -> None:
    """Carry the comparisons out, equal and slower ones in turns, and print what was found."""
    found: dict[str, list[Comparison | None]] = {"equal": [], "slow": []}
    for pair in zip(equal, slow, strict=True):
        for name, job in zip(found, pair, strict=True):
            found[name].append(in_fresh_process(job))
    alarms = sum(one is not None and one.verdict in ("slower", "faster") for one in found["equal"])
    right = sum(one is not None and one.verdict == "slower" for one in found["slow"])
    say(f"false alarms: {alarms} of {len(equal)} ({told(found['equal'])})")
    say(f"slow ones found: {right} of {len(slow)} ({told(found['slow'])})")


def say(line: str) -> None:
    """Print at once: the whole takes minutes."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
