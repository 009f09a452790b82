"""Commands of pages, run as a reader would, and what they print beside what is shown."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path


def shell(command: str, folder: Path, *, timeout: float = 120) -> tuple[int, str]:
    """The exit code and all that was printed; this environment's commands are on PATH."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "SESSIONPROOF_", "HYPOTHESIS_"))
    }
    here = Path(sys.executable).parent
    environment["PATH"] = f"{here}{os.pathsep}{environment['PATH']}"
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command], cwd=folder, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, check=False, encoding="utf-8", timeout=timeout,
        env={**environment, "PYTHONUTF8": "1", "COLUMNS": "80"},
    )  # fmt: skip
    return ended.returncode, ended.stdout


def shape(line: str) -> str:
    """A line without what differs from run to run: amounts, widths, roles, what was chosen."""
    line = re.sub(r"(--seed \d+).*", r"\1", line.replace(" --profile smoke", ""))
    line = re.sub(r"\d[\d,.]*", "0", line)
    line = re.sub(r"'(user|assistant|system|tool|developer)'", "'role'", line)
    return re.sub(r"[─\s]+", " ", line).strip()


def assert_shown(block: str, printed: str) -> None:
    """Every line of the pasted output is in what was printed, in the same order; … is a gap."""
    lines = iter(map(shape, printed.splitlines()))
    for line in block.splitlines():
        if line != "…":
            assert any(shape(line) == one for one in lines), f"not printed: {line}\n{printed}"
