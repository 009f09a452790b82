"""A regression in the history of a project is found, named by its commit, and explained."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from fixtures.regressions.repository import STATEMENT, STORE, SUBJECT, planted
from fixtures.regressions.runs import nights, stepped
from sessionproof.bench.tracking.archived import Commit
from sessionproof.bench.tracking.differences import differences
from sessionproof.bench.tracking.trend import trends
from sessionproof.reference import ReferenceStore
from sessionproof.trials.causes import asking, writing
from sessionproof.trials.causes.counting import causes_of

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture
def sessionproof(tmp_path):
    """Runs the command in a folder, as a nightly job does; what it printed, and its exit code."""

    def run(folder, *words):
        return subprocess.run(
            [sys.executable, "-m", "sessionproof", "bench", *words], cwd=folder, check=False,
            capture_output=True, text=True, timeout=300,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip

    return run


@needs_git
def test_a_planted_statement_is_named_with_its_commit(tmp_path, monkeypatch):
    """Causes are counted at the commits themselves; the ratios of the nights are made."""
    monkeypatch.setattr(asking, "MESSAGES", 100)
    monkeypatch.setattr(writing, "why_not", lambda: "strace was left out")
    project = planted(tmp_path / "project", commits=12, after_slow=4)
    counted = {}
    for commit in (project.commits[0], project.slow):
        project.check_out(commit)
        (counted[commit],) = causes_of(
            STORE, ReferenceStore.claims, ["append", "read", "close"], ["append"],
            folder=tmp_path, path=[str(project.folder)], profile=False,
        )  # fmt: skip
    before, after = counted.values()
    (said,) = differences(before, after)
    assert said.startswith("one statement more a call")
    assert said.endswith(STATEMENT)

    runs, slow_at = nights({"append": stepped(12, 7, 0.9)}), project.commits.index(project.slow)
    told = [
        replace(
            run, commit=replace(run.commit, id=commit), between=(Commit(id=commit),),
            causes=(after if at >= slow_at else before,),
        )
        for at, (run, commit) in enumerate(zip(runs, project.commits, strict=True))
    ]  # fmt: skip
    (trend,) = trends(told, find=lambda values: [7] if len(values) > 7 else [])
    (change,) = [change for line in trend.rows[0].lines for change in line.changes]
    assert [one.id for one in change.commits] == [project.slow]
    assert differences(*change.causes) == (said,)


@needs_git
@pytest.mark.night
def test_a_regression_of_ten_commits_ago_is_found_from_the_archive(tmp_path, sessionproof):
    """Every commit is measured for the archive, and one report names the commit and the cause."""
    pytest.importorskip("otava")
    project = planted(tmp_path / "project")
    archive, nightly, slower = tmp_path / "archive.db", tmp_path / "nightly", []
    for commit in project.commits:
        project.check_out(commit)
        ran = sessionproof(
            project.folder, "run", STORE, "--profile", "smoke",
            "--archive", str(archive), "--report", str(nightly),
        )  # fmt: skip
        assert ran.returncode in (0, 3, 4), ran.stderr  # 4: a busy machine hid the second run
        (night,) = json.loads((nightly / "nights.json").read_text("utf-8"))["stores"]
        verdicts = {(row["operation"], row["clients"]): row["verdict"] for row in night["rows"]}
        if verdicts["append", "one client"] == "slower":
            assert ran.returncode == 3
            slower.append(commit)
    since = project.commits[project.commits.index(project.slow) :]
    assert slower[0] in since[:3]  # that night, or soon after a night that could not tell
    assert {*slower} <= {*since}

    report = tmp_path / "trend"
    ran = sessionproof(
        project.folder, "trend", "--archive", str(archive), STORE, "--report", str(report)
    )
    assert ran.returncode == 0, ran.stderr
    for name in ("trend.md", "trend.html"):
        text = (report / name).read_text("utf-8")
        assert project.slow[:10] in text
        assert SUBJECT in text
        assert "one statement more a call" in text
    changes = [
        change
        for store in json.loads((report / "trend.json").read_text("utf-8"))["stores"]
        for trend in store["trends"]
        if (trend["operation"], trend["clients"]) == ("append", "one client")
        for line in trend["lines"]
        for change in line["changes"]
    ]
    shares = {change["share"]: change for change in changes}
    *others, largest = sorted(shares, key=abs)
    assert [one["id"] for one in shares[largest]["commits"]] == [project.slow]
    assert max(map(abs, others), default=0.0) < largest / 5  # what noise of short runs may show
