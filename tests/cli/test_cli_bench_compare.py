"""``sessionproof bench compare``: what is slower by half is named, and what is equal never is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from sessionproof.bench.tracking.compared import comparison_from_json, comparison_to_json

COMMAND = [sys.executable, "-m", "sessionproof", "bench", "compare"]
STORE = '''
from sessionproof import Claims


class Store:
    """Keeps its messages in a dict; an append takes so many turns of a loop."""

    claims = Claims()
    TURNS = {turns}

    def __init__(self, location):
        self.kept = {{}}

    def append(self, session_id, messages):
        for _ in range(self.TURNS):
            pass
        self.kept.setdefault(session_id, []).extend(messages)

    def read(self, session_id):
        return list(self.kept.get(session_id, ()))

    def close(self):
        pass
'''
COUNTS = """
    def count(self, session_id):
        return len(self.kept.get(session_id, ()))
"""
HANGS = "import time\n\n\ndef Store(location):\n    time.sleep(600)\n"
GIT = {
    "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
}  # fmt: skip


@pytest.fixture
def project(tmp_path):
    """A repository: in its second commit an append costs twice as much, in the third it counts."""
    texts = [STORE.format(turns=2_000), STORE.format(turns=4_000)]
    texts.append(texts[1] + COUNTS)
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    for number, text in enumerate(texts):
        (folder / "chats.py").write_text(text)
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", f"commit {number}")
    return folder


def git(folder, *words):
    """Git in this folder, as nobody in particular."""
    subprocess.run(["git", "-C", folder, *words], check=True, env={**os.environ, **GIT})


def compare(folder, *words, store="chats:Store"):
    """Run the command as a user does, quickly; its report goes below the folder."""
    return subprocess.run(
        [*COMMAND, *words, "--store", store, "--profile", "smoke", "--report", "out"],
        check=False, capture_output=True, text=True, timeout=180, cwd=folder,
        env={**os.environ, "COLUMNS": "120"},
    )  # fmt: skip


def written(folder):
    """The comparison as its file has it."""
    return comparison_from_json(json.loads((folder / "out" / "comparison.json").read_text("utf-8")))


def test_a_doubled_append_is_named(project):
    """The exit code is 3, and the operation, both commits and the size are said and written."""
    ended = compare(project, "git:HEAD~2", "HEAD~1", "--only", "append", "--seed", "7")
    assert ended.returncode == 3, ended
    assert "slower: append (" in ended.stdout
    assert "HEAD~2" in ended.stdout
    found = written(project)
    (row,) = found.rows
    assert (row.operation, row.verdict) == ("append", "slower")
    assert 1.3 < row.ratio.low <= row.ratio.value <= row.ratio.high < 3
    assert (found.base.commit.subject, found.head.commit.subject) == ("commit 0", "commit 1")
    assert len(row.pairs) >= 5
    assert all(len(one.base) == len(one.head) >= 8 for one in row.pairs)
    assert found.machine["python"]
    assert comparison_from_json(json.loads(json.dumps(comparison_to_json(found)))) == found
    shown = (project / "out" / "comparison.md").read_text("utf-8")
    assert "| append |" in shown
    assert "--seed 7" in shown


@pytest.mark.night
def test_equal_versions_are_not_slower(project):
    """The very same code on both sides, one of them laid, one where it lies: never exit code 3."""
    ended = compare(project, "HEAD", "--only", "append", "--only", "count", "--accept-unknown")
    assert ended.returncode == 0, ended
    assert "slower:" not in ended.stdout
    assert {row.operation for row in written(project).rows} == {"append", "count"}


@pytest.mark.night
def test_what_one_side_lacks_is_said(project):
    """It is not compared, and does not count as untold."""
    ended = compare(project, "HEAD~1", "HEAD", "--only", "append", "--only", "count")
    assert ended.returncode in (0, 4), ended
    assert "count was not compared: head alone has it" in ended.stdout
    assert written(project).left_out == {"count": "head alone has it"}


@pytest.mark.night
def test_an_interruption_leaves_what_is_known(project):
    """Ctrl-C after some pairs: the code is 130, and the files have the rows and the reason."""
    process = subprocess.Popen(
        [*COMMAND, "HEAD", "--store", "chats:Store", "--profile", "deep", "--report", "out"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=project,
        start_new_session=True,
    )  # fmt: skip
    lines = iter(process.stderr.readline, "")
    told = (line for line in lines if "measurements, the last of" in line)
    assert any(int(line.split(" of ")[0]) > 3 for line in told)  # more than the first pair has
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    assert "Traceback" not in err
    found = written(project)
    assert found.interrupted
    assert found.problem == "the comparison was interrupted"
    assert any(row.pairs for row in found.rows)
    assert "the comparison was interrupted" in out


def test_an_interruption_before_anything_is_one_line(project):
    """While the stores are opened: nothing is written, and nothing runs on."""
    (project / "hangs.py").write_text(HANGS)
    process = subprocess.Popen(
        [*COMMAND, ".", ".", "--store", "hangs:Store", "--report", "out"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=project,
        start_new_session=True,
    )  # fmt: skip
    first = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, (first, err)
    assert "interrupted before anything was compared" in err
    assert "Traceback" not in err
    assert not (project / "out" / "comparison.json").exists()


def test_an_operation_that_is_none_is_told_first(tmp_path):
    """Nothing is looked for, laid or installed before."""
    words = ["nosuch", "--only", "fly", "--store", "nowhere:Store"]
    ended = subprocess.run(
        [*COMMAND, *words], check=False, capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("sessionproof: there is no operation 'fly': use append, ")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "store", "said"),
    [
        (("nosuch", "HEAD"), "chats:Store", "base 'nosuch' is no git reference, folder, wheel"),
        (("HEAD", "git:x"), "chats:Store", "head git:x: git knows no 'x' here"),
        (("HEAD", "x.whl"), "chats:Store", "head x.whl: there is no such file"),
        (("HEAD", "--only", "fly"), "chats:Store", "there is no operation 'fly': use append, "),
        (("HEAD~1", "--only", "page"), "chats:Store", "base and head do not both have page"),
        (("HEAD", "--only", "page", "--profile", "fast"), "chats:Store", "no profile 'fast'"),
        (("HEAD", "--location", "nowhere"), "chats:Store", "--location nowhere does not exist"),
        (("HEAD", "HEAD~1"), "chats:Shop", "base HEAD: module 'chats' has no attribute 'Shop'"),
    ],
)
def test_a_mistake_is_one_line(words, store, said, project):
    """It names the side and what to do; nothing is written."""
    ended = subprocess.run(
        [*COMMAND, *words, "--store", store, "--report", "out"],
        check=False, capture_output=True, text=True, timeout=60, cwd=project,
    )  # fmt: skip
    assert ended.returncode == 2, ended
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not ended.stdout
    assert not (project / "out" / "comparison.json").exists()


def test_a_side_that_does_not_open_is_one_line(project):
    """Head is broken: it is named, with what it raised."""
    (project / "chats.py").write_text("raise OSError('no room')\n")
    ended = compare(project, "HEAD")
    assert ended.returncode == 2
    assert "head .: importing chats failed: OSError: no room" in ended.stderr


@pytest.mark.night
def test_a_report_that_cannot_be_written_is_one_line(project):
    """What was found is printed all the same, and the code is 2."""
    (project / "out" / "comparison.json").mkdir(parents=True)  # holds for root, too
    ended = compare(project, "HEAD", "--only", "append")
    assert ended.returncode == 2, ended
    assert "--report out cannot be written" in ended.stderr
    assert "append" in ended.stdout
