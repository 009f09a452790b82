"""A report that cannot be written: the verdicts are told, and none passes for green."""

import subprocess
import sys
from pathlib import Path

import pytest
from commands import environment, judge, quick

from sessionproof.engine.judge import LOG
from sessionproof.engine.reproduce import FOLDER

ROOT = Path(__file__).parents[2]
MEMORY = "sessionproof.oracle.memory:MemoryStore"


@pytest.mark.parametrize("taken", ["junit.xml", pytest.param(LOG, marks=pytest.mark.night)])
def test_the_verdict_is_printed_where_the_report_cannot_be_written(tmp_path, taken):
    """Whichever of its files has no room: it is named, and the exit code is no verdict."""
    (tmp_path / "report" / taken).mkdir(parents=True)
    ran = quick(tmp_path, MEMORY)
    assert ran.code == 2
    assert "✓ The one guarantee that was judged holds." in ran.out
    assert "report:" not in ran.out
    assert ran.err.splitlines()[-1].startswith(
        f"sessionproof: {tmp_path / 'report' / taken} cannot"
    )
    assert ran.result["guarantees"], "what could be written is there"


def test_findings_are_told_where_their_reproducers_cannot_be_written(tmp_path):
    """The rest of the report is written."""
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / FOLDER).touch()
    store = "fixtures.mutants.core:DropsTheLastOfThree"
    ran = judge(
        tmp_path, store, "--profile", "smoke", "--seed", 1, "-n", 1, "--only", "CORE-01", cwd=ROOT
    )
    assert ran.code == 2
    assert "broken" in ran.out
    assert "cannot be written: File exists" in ran.err
    assert ran.guarantee("CORE-01")["verdict"] == "broken"
    assert (tmp_path / "report" / "index.html").exists()


@pytest.mark.night
def test_a_plain_pytest_run_tells_its_verdict_too(tmp_path):
    """It does not end in an error of pytest's."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "report" / "junit.xml").mkdir(parents=True)
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--pyargs", "sessionproof_suites",
         "--store", MEMORY, "--store-profile", "smoke", "--store-seed", "1",
         "--store-report", "report", "-k", "repetition"],
        check=False, capture_output=True, text=True, timeout=120, cwd=tmp_path, env=environment(),
    )  # fmt: skip
    assert ended.returncode == 2, ended
    assert "✓ The one guarantee that was judged holds." in ended.stdout
    assert "junit.xml cannot be written: Is a directory" in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr
