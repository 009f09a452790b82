"""Running the command as a user does, in a process of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Ran:
    """How the command ended; ``result`` is result.json, empty when none was written."""

    code: int
    out: str
    err: str
    result: dict

    def guarantee(self, name):
        """One row of the result."""
        return next(row for row in self.result["guarantees"] if row["id"] == name)


def environment():
    """This environment, with the stores of this folder on the import path."""
    return {**os.environ, "PYTHONPATH": str(HERE), "COLUMNS": "100"}


def command(*arguments):
    """The command as words."""
    return [sys.executable, "-m", "sessionproof", *map(str, arguments)]


def judge(folder, *arguments, cwd=None):
    """``sessionproof run`` with a report below ``folder``."""
    report = folder / "report"
    ended = subprocess.run(
        command("run", *arguments, "--report", report),
        check=False, capture_output=True, text=True, timeout=120, cwd=cwd or folder,
        env=environment(),
    )  # fmt: skip
    file = report / "result.json"
    result = json.loads(file.read_text("utf-8")) if file.exists() else {}
    return Ran(ended.returncode, ended.stdout, ended.stderr, result)


def quick(folder, store, *arguments, only="CORE-01"):
    """A short run of one guarantee."""
    return judge(
        folder, store, "--profile", "smoke", "--seed", 1, "-n", 1, "--only", only, *arguments
    )
