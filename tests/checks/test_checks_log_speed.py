"""The benchmark of judging runs, and says what it measured."""

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "checking.py"


def test_the_benchmark_runs_in_small(tmp_path):
    """Rates, times and memory are printed; whether the goals are met is not asked here."""
    ended = subprocess.run(
        [sys.executable, SCRIPT, "--rows", "2000", "--stored", "4000", "--location", tmp_path],
        check=False, capture_output=True, encoding="utf-8", timeout=120,
    )  # fmt: skip
    assert ended.returncode in {0, 1}, ended.stderr
    assert ended.stderr == ""
    for shown in (r"python +CPython", r"sessions of 100 +[\d.]+ million operations a second",
                  r"one session, 5 % unknown +[\d.]+ ms", r"stored +4,000 operations",
                  r"judged from disk +4,040 operations in [\d.]+ s"):  # fmt: skip
        assert re.search(shown, ended.stdout), shown
    assert not list(tmp_path.iterdir())
