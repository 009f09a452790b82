"""The benchmark of the recorder runs, and says what it measured."""

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "history_recording.py"


def test_the_benchmark_runs_in_small(tmp_path):
    """Costs, sizes and times are printed; whether they are within the budget is not asked here."""
    ended = subprocess.run(
        [sys.executable, SCRIPT, "--rows", "1000", "--rounds", "3", "--location", tmp_path],
        check=False, capture_output=True, encoding="utf-8", timeout=120,
    )  # fmt: skip
    assert ended.returncode in {0, 1}, ended.stderr
    assert ended.stderr == ""
    for shown in (r"python +CPython", r"an append records in +-?[\d.]+ µs of at most 3",
                  r"a read of 100 texts in +-?[\d.]+ µs", r"1,000 recorded in +[\d.]+ s",
                  r"read shard by shard in +[\d.]+ s", r"they take +\d"):  # fmt: skip
        assert re.search(shown, ended.stdout), shown
    assert not list(tmp_path.iterdir())
