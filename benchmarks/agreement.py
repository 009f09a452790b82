"""Whether the judges of histories agree, on many drawn histories; and how fast the search is.

``python benchmarks/agreement.py --histories 100000`` draws small histories, some with one planted
fault, and asks the linear pass, the search, and a method that shares no code with them and tries
every order. The linear pass alone judges pages that were answered during a deletion. What was drawn
and what was found is printed, and each disagreement; then the time of the search on sessions of 60
operations. Exit code 1 on a disagreement, or on a fault without its name.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "checks"))

from drawn_histories import Shape, drawn, history_of
from opinions import opinions, shown
from simulated_store import FAULTS, Store

from sessionproof.checks.search import judge_session
from sessionproof.contract.seed import generator

_PART = 500
_SESSIONS = 200


def asked(first: int, number: int) -> tuple[Counter[str], Counter[str], Counter[str], list[str]]:
    """What came of so many seeds: verdicts, what was drawn and what was bad by fault, disputes."""
    verdicts: Counter[str] = Counter()
    bad: Counter[str] = Counter()
    drawn_by: Counter[str] = Counter()
    wrong = []
    for seed in range(first, first + number):
        one = opinions(seed)
        fault = one.drawn.fault or "none"
        drawn_by[fault] += 1
        verdicts["good" if one.tried else "bad"] += 1
        verdicts["undecided by the linear pass"] += one.first is None
        verdicts["undecided by the search"] += one.searched is None
        bad[fault] += not one.tried
        verdicts["found by the linear pass alone"] += one.finer
        verdicts["disagreements"] += not one.agree
        unnamed = one.agree and not one.tried and one.first is False and not one.named
        verdicts["without their name"] += unnamed
        if unnamed or not one.agree:
            wrong.append(f"seed {seed}\n{shown(one)}")
    return verdicts, drawn_by, bad, wrong


def speed(*, faults: bool) -> str:
    """The time of the search on sessions of 60 operations, with clearing, of 8 clients."""
    shape = Shape(most=61, least=60, clients=8, unknown=0.05, refused=0.02, removals=0.3)
    spent = []
    undecided = 0
    for seed in range(_SESSIONS):
        random = generator(seed, "sessions")
        fault = random.choice(FAULTS) if faults else ""
        one = drawn(random, Store(clears=True), shape=shape, fault=fault)
        every = frozenset(at for at, act in enumerate(one.acts) if act.answer is not None)
        history = history_of(replace(one, kept=every))
        start = time.process_time()
        judged = judge_session(history, 0, creates=True, limit_s=10.0)
        spent.append((time.process_time() - start) * 1e3)
        undecided += bool(judged.unknown)
    most = max(spent)
    return (
        f"median {statistics.median(spent):.2f} ms, worst {most:.0f} ms of processor time, "
        f"{undecided} of {_SESSIONS} undecided"
    )


def main() -> int:
    """Ask, print, and answer the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=10_000, help="how many to draw")
    parser.add_argument("--first", type=int, default=1_000_000, help="the first seed")
    parser.add_argument("--processes", type=int, default=1, help="how many draw at once")
    arguments = parser.parse_args()
    end = arguments.first + arguments.histories
    parts = range(arguments.first, end, _PART)
    sizes = [min(_PART, end - first) for first in parts]
    verdicts: Counter[str] = Counter()
    drawn_by: Counter[str] = Counter()
    bad: Counter[str] = Counter()
    with ProcessPoolExecutor(arguments.processes) as pool:
        for some, these, found, wrong in pool.map(asked, parts, sizes):
            verdicts += some
            drawn_by += these
            bad += found
            for text in wrong:
                sys.stdout.write(f"{text}\n\n")
    words = ("good", "bad", "undecided by the linear pass", "undecided by the search")
    for word in (*words, "found by the linear pass alone"):
        sys.stdout.write(f"{word:<32}{verdicts[word]:>8}\n")
    for fault, number in sorted(drawn_by.items()):
        sys.stdout.write(f"  {fault:<12}{number:>8} drawn{bad[fault]:>8} not linearizable\n")
    for word in ("disagreements", "without their name"):
        sys.stdout.write(f"{word:<32}{verdicts[word]:>8}\n")
    sys.stdout.write(f"60 operations, correct store: {speed(faults=False)}\n")
    sys.stdout.write(f"60 operations, one fault:     {speed(faults=True)}\n")
    return 1 if verdicts["disagreements"] or verdicts["without their name"] else 0


if __name__ == "__main__":
    sys.exit(main())
