"""Systems that are not here: what is imported there, and what a run says of what they lack."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sessionproof.contract.verdicts import Verdict
from sessionproof.engine.plan import BadUsage, described
from sessionproof.report.result import EXIT_UNKNOWN
from sessionproof.report.write import RESULT, read_result
from sessionproof.workload.profiles import PROFILES

SCRIPT = Path(__file__).with_name("bare_system.py")
FIRST = (
    "sessionproof",
    "sessionproof.plugin",
    "sessionproof.cli.main",
    "sessionproof_suites.test_core",
)
EVERYTHING = ("sessionproof.*", "sessionproof_suites.*")


@pytest.mark.parametrize(
    "modules", [FIRST, pytest.param(EVERYTHING, marks=pytest.mark.night)], ids=["first", "all"]
)
def test_every_module_can_be_imported_on_windows(modules):
    """The plugin loads in every pytest beside it: what Linux alone has is asked for late."""
    ended = subprocess.run(
        [sys.executable, SCRIPT, *modules], capture_output=True, check=False, encoding="utf-8",
        timeout=120,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_a_run_on_windows_ends_with_a_line(tmp_path, monkeypatch):
    """Where no store can be judged, the command says so and what to do instead."""
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(BadUsage, match="run this in WSL"):
        described("reference", PROFILES["smoke"].deadlines, tmp_path)


@pytest.mark.night
def test_a_run_on_macos_says_what_it_lacks(tmp_path):
    """Where calls cannot be traced nothing breaks: rows hold, or name what needs Linux."""
    answer = subprocess.run(
        [
            sys.executable, "-m", "sessionproof", "run", "reference", "--profile", "smoke",
            "--report", tmp_path,
        ],
        capture_output=True, check=False, encoding="utf-8", timeout=900,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).with_name("macos"))},
    )  # fmt: skip
    assert answer.returncode == EXIT_UNKNOWN, answer.stdout + answer.stderr
    rows = read_result(tmp_path / RESULT).guarantees
    assert not [row.id for row in rows if row.verdict is Verdict.BROKEN]
    unknown = [row for row in rows if row.verdict is Verdict.UNKNOWN]
    assert {row.id for row in unknown} >= {"DUR-02", "DUR-03", "DUR-07"}
    for row in unknown:
        assert "Linux" in row.reason, row
