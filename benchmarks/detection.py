"""How often a store that breaks under concurrent clients is caught, over many seeds.

``python benchmarks/detection.py`` judges each concurrent mutant by its own row, within the share
of time that a profile has for it, once for each seed, and prints how often it was caught, how long
that took, and which clients caught it. It ends with 1 when a mutant is caught less often than in
99 of 100 runs. Names of mutants choose some of them; ``--seeds`` says how many runs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))  # for fixtures

from fixtures.registry import Mutant, judged, mutants
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.guarantees import CONCURRENT
from sessionproof.contract.lookup import find_store
from sessionproof.contract.verdicts import Finding, Verdict
from sessionproof.engine.machine import fast_folder
from sessionproof.trials.together import ROWS
from sessionproof.workload.profiles import PROFILES, Profile

LEAST = 0.99
KINDS = {"on one handle": "shared", "process": "processes", "task": "tasks", "thread": "threads"}


@dataclass(frozen=True)
class Run:
    """One judgement: whether the mutant was caught, by whom, and after how many seconds."""

    caught: bool
    seconds: float
    kind: str = ""
    reason: str = ""


def main() -> int:
    """Judge the mutants that are named, or all, and print a line for each."""
    arguments = _arguments()
    # Nothing is made smaller: what counts is whether it is found at all.
    profile = replace(PROFILES[arguments.profile], shrink_s=0.0)
    chosen = [
        one for one in concurrent() if not arguments.mutants or _name(one) in arguments.mutants
    ]
    unknown = set(arguments.mutants) - set(map(_name, chosen))
    if unknown:
        sys.stderr.write(f"no concurrent mutant is called {', '.join(sorted(unknown))}\n")
        return 2
    sys.stdout.write(f"{'mutant':<26}{'row':<9}{'caught':>10}{'median':>9}  by\n")
    rates = []
    for one in chosen:
        runs = [judge(one, seed, profile) for seed in range(arguments.seeds)]
        rates.append(sum(run.caught for run in runs) / len(runs))
        sys.stdout.write(f"{line(one, runs)}\n")
        sys.stdout.flush()
    low = sum(rate < LEAST for rate in rates)
    sys.stdout.write(f"{len(rates)} mutants, {low} caught in less than {LEAST:.0%} of the runs\n")
    return int(low > 0)


def concurrent() -> Iterator[Mutant]:
    """The mutants that are judged by histories of many clients."""
    for one in mutants():
        claims = find_store(one.store).claims
        named = one.store.startswith("fixtures.mutants.conc_")
        if named and one.guarantee in ROWS and claims is not None and CONCURRENT.made(claims):
            yield one


def judge(mutant: Mutant, seed: int, profile: Profile) -> Run:
    """Judge a mutant by its own row, on a location of its own."""
    start = monotonic_s()
    with tempfile.TemporaryDirectory(dir=fast_folder(), ignore_cleanup_errors=True) as folder:
        records = judged(
            mutant.store, mutant.guarantee, directory=Path(folder), seed=seed, profile=profile
        )
    seconds = monotonic_s() - start
    last = records[-1]
    if last.verdict is not Verdict.BROKEN:
        return Run(False, seconds, reason=last.reason or str(last.verdict))
    return Run(True, seconds, kind_of(last.findings[0]))


def kind_of(finding: Finding) -> str:
    """Which clients found it, by the words of the finding."""
    return next((kind for words, kind in KINDS.items() if words in finding.did), "one client")


def line(mutant: Mutant, runs: Sequence[Run]) -> str:
    """A mutant's line: how often it was caught, the median time of these runs, and by whom."""
    caught = [run for run in runs if run.caught]
    took = f"{median(run.seconds for run in caught):.2f} s" if caught else "-"
    kinds = Counter(run.kind for run in caught).most_common()
    by = ", ".join(f"{kind} {number}" for kind, number in kinds)
    missed = Counter(run.reason for run in runs if not run.caught).most_common(1)
    why = f"; missed: {missed[0][0]}" if missed else ""
    often = f"{len(caught)}/{len(runs)}"
    return f"{_name(mutant):<26}{mutant.guarantee:<9}{often:>10}{took:>9}  {by}{why}"


def _name(mutant: Mutant) -> str:
    return mutant.store.rpartition(":")[2]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mutants", nargs="*", metavar="MUTANT", help="names of mutants, else all")
    parser.add_argument("--seeds", type=int, default=100, help="runs of each")
    parser.add_argument("--profile", choices=[*PROFILES], default="gate")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
