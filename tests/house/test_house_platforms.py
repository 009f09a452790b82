"""Systems that are not here: what is imported there, and what a run says of what they lack."""

import subprocess
import sys
from pathlib import Path

import pytest

from sessionproof.engine.plan import BadUsage, described
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
