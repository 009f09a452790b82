"""What Git says of a project; where there is none, nothing is known and nothing fails."""

import os
import shutil
import subprocess

import pytest

from sessionproof.bench.tracking.archived import Commit
from sessionproof.engine import commits
from sessionproof.engine.commits import commit_of, commits_between, has_changes
from sessionproof.engine.plan import BadUsage

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is missing here")
AT = "2026-01-0{}T01:00:00+01:00"
SUBJECTS = ("the first", "a colour \x1b[31m", "lines\u2028apart", "the last")


def git(folder, *words, day=1):
    """Run git in the folder, without anybody's configuration; what it prints."""
    at = AT.format(day)
    environment = {
        **os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at,
    }  # fmt: skip
    ended = subprocess.run(
        ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *words],
        cwd=folder, check=True, capture_output=True, text=True, env=environment,
    )  # fmt: skip
    return ended.stdout.strip()


@pytest.fixture
def project(tmp_path):
    """A repository with four commits, a day after the other."""
    git(tmp_path, "init", "-q", "-b", "trunk")
    for day, subject in enumerate(SUBJECTS, start=1):
        (tmp_path / "store.py").write_text(subject, "utf-8")
        git(tmp_path, "add", "store.py")
        git(tmp_path, "commit", "-q", "-m", subject, day=day)
    return tmp_path


@needs_git
def test_the_commit_of_a_folder(project):
    """The id, the subject as it is, and the time of the commit in UTC; also from below, by name."""
    head = git(project, "rev-parse", "HEAD")
    assert commit_of(project) == Commit(id=head, subject="the last", at="2026-01-04T00:00:00Z")
    (project / "below").mkdir()
    assert commit_of(project / "below") == commit_of(project)
    assert commit_of(project, head[:10]) == commit_of(project, "trunk") == commit_of(project)
    assert commit_of(project, "0a1b2c") == Commit(id="0a1b2c")


@needs_git
@pytest.mark.parametrize("seconds", [99_999_999_999_999, 253_402_300_800, -99_999_999_999])
def test_a_time_beyond_all_years_is_not_known(project, seconds):
    """A commit that a broken clock or tool dated keeps its id and its subject, without a time."""
    who = f"A <a@example.org> {seconds} +0000"
    tree = git(project, "write-tree")
    (project / "made").write_text(f"tree {tree}\nauthor {who}\ncommitter {who}\n\nodd\n")
    made = git(project, "hash-object", "--literally", "-w", "-t", "commit", "made")
    assert commit_of(project, made) == Commit(id=made, subject="odd")


@needs_git
def test_the_commits_between_two(project):
    """Oldest first, the first left out; none where one is unknown, or does not come after."""
    ids = git(project, "rev-list", "--reverse", "HEAD").split()
    found = commits_between(project, ids[0], ids[-1])
    assert [one.id for one in found] == ids[1:]
    assert tuple(one.subject for one in found) == SUBJECTS[1:]
    assert commits_between(project, ids[-1], ids[0]) == ()
    assert commits_between(project, ids[0], ids[0]) == ()
    assert commits_between(project, "0a1b2c", ids[0]) == ()
    assert commits_between(project, "--all", ids[0]) == ()


@needs_git
def test_of_many_commits_the_newest_are_kept(project, monkeypatch):
    """A year between two runs does not fill the archive with subjects."""
    monkeypatch.setattr(commits, "MOST", 2)
    ids = git(project, "rev-list", "--reverse", "HEAD").split()
    assert [one.id for one in commits_between(project, ids[0], ids[-1])] == ids[2:]


@needs_git
def test_what_was_changed_since_the_commit(project):
    """Files that Git knows count; others, as a report, do not."""
    (project / "report").write_text("")
    assert not has_changes(project)
    (project / "store.py").write_text("other")
    assert has_changes(project)


@needs_git
@pytest.mark.parametrize("form", ["outside", "empty"])
def test_without_commits_nothing_is_known(tmp_path, form, monkeypatch):
    """Outside a repository, and in one without a commit."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    if form == "empty":
        git(tmp_path, "init", "-q")
    assert commit_of(tmp_path) is None
    assert commits_between(tmp_path, "a", "b") == ()
    assert not has_changes(tmp_path)


def test_without_git_nothing_is_known(tmp_path, monkeypatch):
    """A machine without git: a commit that is named stays a name."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit_of(tmp_path) is None
    assert commit_of(tmp_path, "v1.2") == Commit(id="v1.2")
    assert not has_changes(tmp_path)


@pytest.mark.parametrize("name", ["", "-x", "--all", "a b", "a\nb", "x" * 101, "é", "a..b"])
def test_what_is_no_name_of_a_commit_is_refused(tmp_path, name):
    """An option for git, or a text that would spoil a line, is named and not used."""
    with pytest.raises(BadUsage, match="is no commit: give the id"):
        commit_of(tmp_path, name)
