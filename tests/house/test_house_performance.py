"""The action's measuring: what is compared, what is kept on a branch, and what never fails a job.

The bench is played by a module of a few lines, so that these tests measure nothing; what is real
are the steps, git, and origin. One test, for the night, goes through all of it with a real store.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from house_action import PUSH
from house_pages import ROOT, blocks
from house_project import JUDGED, Project, commit, git

CHANGE = {**PUSH, "GITHUB_EVENT_NAME": "pull_request", "GITHUB_REF": "refs/pull/1/merge",
          "github.base_ref": "main"}  # fmt: skip
BENCH = r"""
import json, os, sys
from pathlib import Path

words = sys.argv[1:]
Path(os.environ["CALLS"]).open("a").write(" ".join(words) + "\n")
assert "GITHUB_STEP_SUMMARY" not in os.environ, "the job's page is the action's"
given = dict(zip(words, words[1:]))
archive = Path(given.get("--archive", "none"))
report = Path(given.get("--report", "."))
code = int(os.environ.get("CODE_OF_BENCH", 0))
rows = {"rows": [{"operation": "append", "verdict": "slower" if code == 3 else "same"},
                 {"operation": "read", "verdict": "same"}]}
if words[1] == "compare":
    report.joinpath("comparison.json").write_text(json.dumps({**rows, "problem": "no store there"}))
    report.joinpath("comparison.md").write_text("the comparison\n")
    sys.exit(code)
if words[1] == "run":
    at = {"started_at": "2026-01-0%dT00:00:00Z" % (len(archive.read_text().splitlines()) + 1
          if archive.exists() else 1), "store": "a store", "by": str(Path.cwd())}
    rows["rows"][0]["limit"], rows["rows"][1]["limit"] = 1.03 if archive.exists() else None, None
    archive.open("a").write(json.dumps(at) + "\n")
    report.joinpath("nights.json").write_text(json.dumps({"stores": [rows]}))
    report.joinpath("nights.md").write_text("the nights\n")
    sys.exit(code)
if words[1] == "import":
    if "damaged" in (text := Path(words[-1]).read_text()):
        sys.exit(2)
    archive.open("a").write(text.rstrip("\n") + "\n")
if words[1] == "export":
    print(archive.read_text(), end="")
if words[1] == "trend":
    report.mkdir(parents=True)
    report.joinpath("trend.md").write_text("the trend\n" * int(os.environ.get("LONG", 1)))
"""
pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is missing")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project, and a bench that is played."""
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    return Project(tmp_path, {"sessionproof/__init__.py": "", "sessionproof/__main__.py": BENCH})


def test_the_default_branch_keeps_its_runs(project):
    """The first run makes an orphan branch, the next one finds it and appends a file to it."""
    ran = project.run(project.checkout("first"))
    assert ran.code == 0, ran.printed
    assert ran.outputs["performance"] == "Too few nights are known to tell whether it is slower."
    assert ran.outputs["regressions"] == ""
    assert "the nights\n" in ran.summary
    (line,) = project.kept()
    branch = "sessionproof-history"
    assert git(project.origin, "rev-list", "--count", branch) == "1"
    assert not project.called("import")
    ran = project.run(project.checkout("second"))
    assert ran.code == 0, ran.printed
    assert ran.outputs["performance"] == "No slower than the nights before."
    assert len(project.called("import")) == 1
    assert len(project.kept()) == 2
    assert line in project.kept()
    assert git(project.origin, "rev-list", "--count", branch) == "2"
    assert git(project.origin, "rev-list", "--count", branch, "main") == "3", "an orphan"
    assert "README.md" in git(project.origin, "ls-tree", "--name-only", branch)
    assert (project.folder / "second" / "report" / "performance" / "run.jsonl").read_text()


def test_nothing_of_the_checkout_is_touched(project):
    """Neither a file, nor the index, nor a branch of the checkout differs after a run."""
    place = project.folder / project.checkout("job")
    before = _state(place)
    assert project.run("job").code == 0
    shutil.rmtree(place / "report")
    assert _state(place) == before


def _state(place):
    return [git(place, *words) for words in (
        ("status", "--porcelain"), ("rev-parse", "HEAD"), ("branch", "--list"),
    )]  # fmt: skip


def test_two_jobs_that_push_at_once_lose_nothing(project):
    """What somebody pushed in between stays, also where both make the branch."""
    for name in ("first", "second"):
        other = _other_run(project, name)
        project.hook(
            "unset GIT_QUARANTINE_PATH\n"
            f"[ -e {name} ] || git update-ref refs/heads/sessionproof-history {other}\n"
            f"touch {name}"
        )
        ran = project.run(project.checkout(name))
        assert ran.code == 0, ran.printed
        assert "::warning" not in ran.printed
    assert [one for one in project.kept() if "other first" in one]
    assert [one for one in project.kept() if "other second" in one]
    assert len(project.kept()) == 4


def _other_run(project, name):
    """A commit of another job with a run of its own, which no branch of origin has yet."""
    place = project.folder / f"other-{name}"
    if name == "first":
        git(project.folder, "init", "-q", place)
    else:
        git(project.folder, "clone", "-q", "-b", "sessionproof-history", project.origin, place)
    (place / f"{name}.jsonl").write_text(f'{{"started_at": "", "by": "other {name}"}}\n')
    git(place, "add", ".")
    git(place, "commit", "-q", "-m", name)
    git(place, "push", "-q", project.origin, f"HEAD:refs/kept/{name}")
    return git(place, "rev-parse", "HEAD")


def test_a_job_that_may_not_push_is_green(project):
    """A token that may only read costs the job nothing: the run is in its artifact."""
    project.hook("echo 'you may not write here' >&2; exit 1")
    ran = project.run(project.checkout("job"))
    assert ran.code == 0, ran.printed
    assert (
        "::warning title=sessionproof::the run was not kept on sessionproof-history" in ran.printed
    )
    assert "contents: write" in ran.printed
    assert (project.folder / "job" / "report" / "performance" / "run.jsonl").read_text()


def test_a_change_is_compared_with_where_it_began(project):
    """In a checkout one commit deep the base is the merged commit, however far main has gone."""
    project.run(project.checkout("night"))
    base = project.change()
    before = git(project.origin, "for-each-ref")
    ran = project.run(project.checkout("job", "refs/pull/1/merge"), event=CHANGE)
    assert ran.code == 0, ran.printed
    (words,) = project.called("compare")
    assert words[2:5] == [f"git:{base}", ".", "--store=s"]
    assert ran.outputs["performance"] == f"No slower than main ({base[:12]})."
    assert len(project.called("run")) == 1, "a change is not measured into the history"
    assert git(project.origin, "for-each-ref") == before, "a change pushes nothing"
    assert "the comparison\n" in ran.summary
    assert "the trend\n" in ran.summary


def test_a_regression_fails_a_change(project, monkeypatch):
    """Exit code 3 and the operation's name; with ``warn`` a warning alone."""
    project.change()
    monkeypatch.setenv("CODE_OF_BENCH", "3")
    ran = project.run(project.checkout("job", "refs/pull/1/merge"), event=CHANGE)
    assert ran.code == 3
    assert ran.outputs["regressions"] == "append"
    assert "::error title=sessionproof::Slower than main (" in ran.printed
    again = project.checkout("again", "refs/pull/1/merge")
    ran = project.run(again, event=CHANGE, performance="warn")
    assert ran.code == 0
    assert ran.outputs["regressions"] == "append"
    assert "::warning title=sessionproof::Slower than main (" in ran.printed


def test_a_regression_fails_the_night_and_is_kept(project, monkeypatch):
    """A slower run on the default branch is red, and still a part of the history."""
    monkeypatch.setenv("CODE_OF_BENCH", "3")
    ran = project.run(project.checkout("job"), event={**PUSH, "GITHUB_EVENT_NAME": "schedule"})
    assert ran.code == 3
    assert ran.outputs["regressions"] == "append"
    assert len(project.kept()) == 1


def test_what_is_broken_comes_before_what_is_slow(project, monkeypatch):
    """The exit code of the judge stands, whatever is said of speed; unjudged is unmeasured."""
    monkeypatch.setenv("CODE_OF_BENCH", "3")
    report = str(project.folder / "report")
    for code, calls in (("1", 1), ("4", 2), ("2", 2), ("5", 2)):
        place = project.checkout(f"job{code}")
        judged = {**JUDGED, "exit-code": code, "report-path": report}
        ran = project.run(place, judged=judged)
        assert ran.code == int(code)
        assert len(project.called("run")) == calls


@pytest.mark.parametrize("code", ["2", "4"])
def test_what_could_not_be_told_is_a_warning(code, project, monkeypatch):
    """A change that adds the store, and one that is too noisy to judge, stay green."""
    project.change()
    monkeypatch.setenv("CODE_OF_BENCH", code)
    ran = project.run(project.checkout("job", "refs/pull/1/merge"), event=CHANGE)
    assert ran.code == 0
    assert "::warning title=sessionproof::Could not tell whether it is slower" in ran.printed
    assert "no store there" in ran.outputs["performance"]


@pytest.mark.parametrize("name", ["nope", "--upload-pack=touch pwned", "main:refs/heads/x", "a b"])
def test_a_base_that_is_none_is_told(name, project):
    """A base-ref that origin does not have is bad usage, and never an option of git."""
    place = project.checkout("job")
    event = {**PUSH, "GITHUB_REF": "refs/heads/change"}
    ran = project.run(place, event=event, **{"base-ref": name})
    assert ran.code == 2
    assert f"::error title=sessionproof::Nothing to compare with, base-ref {name}: " in ran.printed
    assert not (project.folder / place / "pwned").exists()
    ran = project.run(
        project.checkout("other"), event=event, performance="warn", **{"base-ref": name}
    )
    assert ran.code == 0


@pytest.mark.parametrize(
    ("event", "given"),
    [
        ({"GITHUB_REF": "refs/heads/change"}, {}),
        ({}, {"history-branch": ""}),
        ({"GITHUB_EVENT_NAME": "pull_request_target", "github.base_ref": "main"}, {}),
        ({"GITHUB_EVENT_NAME": "workflow_run"}, {}),
        ({"github.event.repository.default_branch": ""}, {}),
    ],
)
def test_elsewhere_nothing_is_measured(event, given, project):
    """Another branch without a base, no history, or an event whose checkout may be anybody's."""
    ran = project.run(project.checkout("job"), event={**PUSH, **event}, **given)
    assert ran.code == 0
    assert ran.outputs["performance"].startswith("Speed was not measured")
    assert git(project.origin, "for-each-ref", "--format=%(refname)") == "refs/heads/main"


def test_off_measures_nothing(project):
    """Without ``performance`` the action does what it always did; another word is refused."""
    place = project.checkout("job")
    ran = project.run(place, performance="off")
    assert (ran.code, ran.outputs["performance"], ran.outputs["regressions"]) == (0, "", "")
    assert not (project.folder / "calls").exists()
    ran = project.run(place, performance="always")
    assert ran.code == 2
    assert "performance is off, gate or warn" in ran.printed


def test_a_history_that_cannot_be_read_is_not_written(project):
    """Without origin the run is measured, told by a warning, and left in the artifact."""
    place = project.folder / project.checkout("job")
    git(place, "remote", "set-url", "origin", str(project.folder / "gone"))
    ran = project.run("job")
    assert ran.code == 0, ran.printed
    assert (
        "::warning title=sessionproof::history branch sessionproof-history cannot be read"
        in ran.printed
    )
    assert (place / "report" / "performance" / "run.jsonl").read_text()
    ran = project.run(project.checkout("bad"), **{"history-branch": "a..b"})
    assert ran.code == 0, ran.printed
    assert "history branch a..b cannot be read" in ran.printed


def test_a_damaged_file_of_the_branch_is_passed_over(project):
    """A file that is no run is named by a warning, and hides none of the others."""
    place = project.folder / "runs"
    git(project.folder, "init", "-q", place)
    for number in range(5):
        text = "damaged" if number == 3 else f'{{"started_at": "", "by": "run {number}"}}'
        (place / f"{number}.jsonl").write_text(text)
    commit(place, "README.md")
    git(place, "push", "-q", project.origin, "HEAD:refs/heads/sessionproof-history")
    ran = project.run(project.checkout("job"))
    assert ran.code == 0, ran.printed
    assert ran.printed.count("::warning") == 1
    assert "history branch sessionproof-history: 3.jsonl is passed over" in ran.printed
    assert '"2026-01-05T' in "".join(project.kept()), "four others were there before the new one"
    assert len(project.kept()) == 6


def test_a_branch_that_is_all_damaged_ends_nothing(project):
    """Of many files that are no runs, of strange names too, some are named; the run is kept."""
    place = project.folder / "runs"
    git(project.folder, "init", "-q", place)
    for number in range(30):
        folder = place / ("x" * 200) / ("y" * 100)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}\n::error::.jsonl").write_text("damaged")
    commit(place, "README.md")
    git(place, "push", "-q", project.origin, "HEAD:refs/heads/sessionproof-history")
    ran = project.run(project.checkout("job"))
    assert ran.code == 0, ran.printed
    assert ran.printed.count("::warning") == 11
    assert "\n::error" not in ran.printed
    assert "more are none, the rest is not read" in ran.printed
    assert len(project.called("import")) < 60
    assert "2026-01/" in git(project.origin, "ls-tree", "-r", "--name-only", "sessionproof-history")


def test_a_password_stays_out_of_the_history(project):
    """What is pushed names the store as it is kept, without what its address holds."""
    ran = project.run(project.checkout("job"), store="postgresql://me:secret@localhost/db")
    assert ran.code == 0, ran.printed
    said = git(project.origin, "log", "-p", "--format=%B", "sessionproof-history")
    assert "a store at " in said
    assert "secret" not in said


def test_a_long_page_is_cut(project, monkeypatch):
    """The job's page gets 60 kB at most, in whole lines."""
    monkeypatch.setenv("LONG", "10000")
    ran = project.run(project.checkout("job"))
    assert ran.code == 0, ran.printed
    assert 59_000 < len(ran.summary.encode()) < 60_100
    assert ran.summary.endswith(
        "the trend\n\nThe rest is in the report, an artifact of this job.\n"
    )


@pytest.mark.night
def test_a_real_store_in_its_own_project(tmp_path):
    """Two nights are kept, a change that reads the session at each append is red, and says why."""
    chatlog = ROOT / "examples" / "consumer" / "chatlog"
    files = {f"chatlog/{one.name}": one.read_text("utf-8") for one in chatlog.glob("*.py")}
    project = Project(tmp_path, files)
    store = "chatlog.adapters:DatabaseStore"
    for name in ("first", "second"):
        ran = project.run(project.checkout(name), store=store)
        assert ran.code == 0, ran.printed
        assert ran.outputs["performance"].startswith("Too few nights are known")
    first, second = (json.loads(line) for line in sorted(project.kept()))
    assert (
        first["commit"]["id"] == second["commit"]["id"] == git(project.source, "rev-parse", "HEAD")
    )
    database = project.source / "chatlog" / "database.py"
    line = "            self._db.executemany("
    git(project.source, "checkout", "-q", "-b", "change")
    slower = database.read_text().replace(line, f"            self.history(session)\n{line}")
    assert slower != database.read_text()
    database.write_text(slower)
    commit(project.source, "each append reads the session")
    project.push("refs/pull/1/merge")
    ran = project.run(project.checkout("job", "refs/pull/1/merge"), event=CHANGE, store=store)
    assert ran.code == 3, ran.printed
    assert ran.outputs["regressions"] == "append"
    assert "SELECT role, text FROM messages" in ran.summary, "the cause is on the job's page"
    report = project.folder / "job" / "report" / "performance"
    assert (report / "comparison.json").exists()
    assert (report / "trend" / "trend.html").exists()
    page = (ROOT / "docs" / "regressions.md").read_text("utf-8")
    (script,) = [one.code for one in blocks(page) if "FETCH_HEAD" in one.code]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    place = project.folder / project.checkout("look")
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=place, check=True, timeout=120,
        env={**os.environ, "PATH": path},
    )  # fmt: skip
    assert (place / "speed.db").exists()
