"""A CI job shows the summary of a run, however the run was started."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

QUICK = "test_nothing_is_shared_with_the_caller"
FORMS = {
    "run": [
        "sessionproof", "run", "reference", "-n", "1", "--profile", "smoke", "--only", "CORE-12",
    ],
    "pytest": [
        "pytest", "--pyargs", "sessionproof_suites", "-p", "no:cacheprovider", "--store",
        "reference", "--store-profile", "smoke", "-k", QUICK,
    ],
}  # fmt: skip


@pytest.mark.parametrize("form", ["run", pytest.param("pytest", marks=pytest.mark.night)])
def test_a_job_gets_the_summary_of_a_run(form, tmp_path):
    """The command and a plain pytest append the report's summary to the job's, once."""
    job = tmp_path / "job.md"
    job.write_text("before\n", "utf-8")
    ended = subprocess.run(
        [sys.executable, "-m", *FORMS[form]],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "GITHUB_STEP_SUMMARY": str(job)},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    written = (tmp_path / "sessionproof-report" / "summary.md").read_text("utf-8")
    assert job.read_text("utf-8") == f"before\n\n{written}"
    assert "| CORE-12 | ✓ holds |" in written
    assert "one guarantee that was judged holds" in written


@pytest.mark.night
def test_a_job_without_room_does_not_fail_the_run(tmp_path):
    """A summary that cannot be written is told in one line, and the exit code stays."""
    ended = subprocess.run(
        [sys.executable, "-m", *FORMS["run"]],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "GITHUB_STEP_SUMMARY": str(tmp_path)},
    )  # fmt: skip
    assert ended.returncode == 0
    assert "sessionproof: the summary could not be appended to GITHUB_STEP_SUMMARY" in ended.stderr
    assert "Traceback" not in ended.stderr
