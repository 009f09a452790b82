"""How often the verdicts on growth are right while another process burns a core.

``python benchmarks/growth_under_load.py`` judges the reference store and every mutant of growth so
many times (``--times``), in sizes of the smoke profile, below the temporary folder. A verdict is
right when the reference holds and a mutant is broken, undecided when it could not be told, and
wrong otherwise. ``--idle`` leaves the other process out.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from burning import burning

from fixtures.registry import judged, mutants
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.verdicts import Verdict

ROWS = ("SCALE-01", "SCALE-02")


def word(store: str, row: str, right: Verdict, seed: int) -> str:
    """What came of one judgement of one store."""
    with tempfile.TemporaryDirectory(prefix="growth-") as directory:
        records = judged(store, row, directory=Path(directory), seed=seed)
    verdicts = {record.verdict for record in records}
    if right is Verdict.BROKEN and Verdict.BROKEN in verdicts:
        return "right"
    if Verdict.UNKNOWN in verdicts:
        return "undecided"
    return "right" if verdicts == {right} else "wrong"


def main() -> int:
    """Judge all, print a line for each store; 1 when a verdict was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="judgements of each store")
    parser.add_argument("--idle", action="store_true", help="no other process")
    arguments = parser.parse_args()
    cases = [("reference", row, Verdict.HOLDS) for row in ROWS]
    cases += [(one.store, one.guarantee, Verdict.BROKEN) for one in mutants()
              if one.guarantee in ROWS]  # fmt: skip
    wrong = 0
    with nullcontext() if arguments.idle else burning():
        for store, row, right in cases:
            start = monotonic_s()
            words = Counter(word(store, row, right, seed) for seed in range(arguments.times))
            seconds = (monotonic_s() - start) / arguments.times
            counts = ", ".join(f"{words[one]} {one}" for one in ("right", "undecided", "wrong"))
            name = store.rpartition(":")[2]
            sys.stdout.write(f"{row} {name:<28}{counts}, {seconds:.1f} s each\n")
            wrong += words["wrong"]
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
