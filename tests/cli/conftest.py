"""What tests of commands share."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "bench"))  # made runs of benchmarks


@pytest.fixture
def run(tmp_path):
    """Run a command: exit code, stdout, stderr."""

    def command(*words):
        ended = subprocess.run(
            [sys.executable, "-m", "sessionproof", *map(str, words)],
            check=False, capture_output=True, encoding="utf-8", timeout=60, cwd=tmp_path,
            env={**os.environ, "COLUMNS": "100"},
        )  # fmt: skip
        assert "Traceback" not in ended.stderr
        return ended.returncode, ended.stdout, ended.stderr

    return command
