"""The program of a process that counts: ``python -m sessionproof.trials.causes.counted_main``.

It answers lines as an arm does (``bench.arms.arm_main``), with the methods of ``counted.Counted``.
"""

from __future__ import annotations

from sessionproof.bench.arms.arm_main import answer_all
from sessionproof.host.server import begun
from sessionproof.trials.causes.counted import Counted


def main() -> None:
    """Take the pipes, then the import path that the command line gives, then serve."""
    answer_all(begun("sessionproof.trials.causes.counted_main"), Counted)


if __name__ == "__main__":
    main()
