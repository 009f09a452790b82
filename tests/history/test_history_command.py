"""``sessionproof history`` as a user and a program see it."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from sessionproof.cli.main import main
from sessionproof.history import files
from sessionproof.history.columns import MISSING, ROW, F, History, Phase, Type
from sessionproof.history.journal import Journal
from sessionproof.history.tokens import text_of

PAGE = (Path(__file__).parents[2] / "docs" / "history.md").read_text("utf-8")


@pytest.fixture
def command():
    """Run the command: exit code, and all that was printed."""

    def run(*words):
        runner = CliRunner(env={"COLUMNS": "160", "PYTHONUTF8": "1"})
        result = runner.invoke(main, ["history", *map(str, words)])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.exit_code, result.output

    return run


class Story:
    """Two clients and a quiet one, told line by line."""

    def __init__(self, folder, *names):
        self.clients = [Journal(folder, number, every=1) for number in range(3)]
        files.name_sessions(folder, names)
        self.number = 0

    def did(self, client, f, *, session=0, n=0, phase=Phase.LOAD, **end):
        """One operation from beginning to end; the id of its first message."""
        self.number += 1
        journal = self.clients[client]
        slot = journal.invoke(f, session, self.number << 8, n, phase)
        if "read" in end:
            journal.answered(slot, end["read"])
        elif end:
            journal.complete(slot, **end)
        return self.number << 8

    def end(self):
        for journal in self.clients:
            journal.close()


@pytest.fixture
def good(tmp_path):
    """A history that one order explains, of two sessions."""
    story = Story(tmp_path, "alpha", "be\x1b[31mta")
    a = story.did(0, F.APPEND, n=2, type=Type.OK, value=7)
    story.did(1, F.APPEND, n=1, type=Type.FAIL, error="Conflict: somebody\nelse")
    story.did(1, F.READ, read=[text_of(a), text_of(a + 1)])
    b = story.did(0, F.APPEND, session=1, n=1, type=Type.INFO, error="TimeoutError: no answer")
    story.clients[0].renew(3)
    story.did(0, F.READ_LAST, session=1, n=5, read=[text_of(b)])
    story.did(2, F.READ, phase=Phase.FINAL, read=[text_of(a), text_of(a + 1)])
    story.did(2, F.READ, session=1, phase=Phase.FINAL, read=[text_of(b)])
    story.end()
    return tmp_path


@pytest.fixture
def bad(tmp_path):
    """An acknowledged message is not in the final read."""
    story = Story(tmp_path, "alpha")
    kept = story.did(0, F.APPEND, n=1, type=Type.OK)
    story.did(1, F.APPEND, n=1, type=Type.OK)
    story.did(2, F.READ, phase=Phase.FINAL, read=[text_of(kept)])
    story.end()
    return tmp_path


def test_operations_are_shown_in_order(command, good):
    """Client, session, call, how it ended and what it answered; then the numbers of all."""
    code, out = command("show", good)
    assert code == 0
    shown = [line for line in out.splitlines() if " ms " in line]
    ordered = [
        ("c1", "alpha", "append(c1·1, c1·2)", "ok", "number 7"),
        ("c2", "alpha", "append(c2·1)", "fail", r"Conflict: somebody\nelse"),
        ("c2", "alpha", "read()", "ok", "c1·1, c1·2"),
        ("c1", r"be\x1b[31mta", "append(c1·1)", "info", "TimeoutError: no answer"),
        ("c1′", r"be\x1b[31mta", "read_last(5)", "ok", "c1·1"),
        ("quiet", "alpha", "read()", "ok", "c1·1, c1·2"),
        ("quiet", r"be\x1b[31mta", "read()", "ok", "c1·1"),
    ]
    assert len(shown) == len(ordered)
    for line, words in zip(shown, ordered, strict=True):
        assert [cell.strip() for cell in line.split("│")[3:-1]] == list(words)
    last = out.splitlines()[-1]
    assert last == ("| 7 operations, 2 clients, 2 sessions, 5 ok, 1 fail, 1 info, 3 overlapping")
    assert "\x1b" not in out


def test_one_session_is_shown(command, good):
    """By its id; the numbers are those of the session."""
    code, out = command("show", good, "--session", "alpha")
    assert code == 0
    assert out.splitlines()[-1].startswith("| 4 operations, 2 clients, 1 session, ")
    assert "TimeoutError" not in out


def test_at_most_so_many_are_shown(command, good):
    """The rest is counted."""
    code, out = command("show", good, "--most", "2")
    assert code == 0
    assert "| 5 later operations are not shown" in out
    assert out.count(" ms ") == 2


def test_an_odd_text_is_shown(command, tmp_path):
    """What nobody sent stands beside the read, where it can do no harm."""
    story = Story(tmp_path, "alpha")
    story.did(0, F.READ, read=["##[error]\x1b[2J"])
    story.did(0, F.READ, type=Type.OK, length=MISSING)
    story.end()
    _, out = command("show", tmp_path)
    assert r"nobody's: '#\x23[error]\x1b[2J'" in out
    assert "no such session" in out
    assert "\x1b" not in out


def test_saved_forms_are_shown_alike(command, good, tmp_path):
    """Folder, NPZ and Parquet print the same."""
    _, out = command("show", good)
    for suffix in (".npz", ".parquet"):
        path = tmp_path / f"saved{suffix}"
        files.save(files.load(good), path, shards=3)
        assert command("show", path) == (0, out)
        path.unlink()


def test_a_history_that_holds_is_0(command, good):
    """The last line says that nothing contradicts itself, the others how much was examined."""
    code, out = command("check", good)
    assert code == 0, out
    assert out.splitlines()[-1] == "| nothing contradicts itself"
    assert "linearizable" in out
    assert "operations" in out


def test_an_incident_is_1_with_its_sentence(command, bad):
    """What was lost, in which session, and why."""
    code, out = command("check", bad)
    assert code == 1
    assert "lost-message" in out
    assert "'alpha'" in out
    assert out.splitlines()[-1] == "| 1 incident"
    (incident,) = json.loads(command("check", bad, "--json")[1])["incidents"]
    assert " ".join(incident["sentence"].split()) in " ".join(out.replace("| ", "").split())


def test_json_is_for_programs(command, bad, tmp_path):
    """The documented fields, in plain ASCII, and the same exit code; sharded files alike."""
    code, out = command("check", bad, "--json")
    assert code == 1
    assert out.isascii()
    said = json.loads(out)
    fields = {*said, *said["incidents"][0], *said["incidents"][0]["operations"][0]}
    for field in fields:
        assert f"`{field}`" in PAGE, field
    assert said["incidents"][0]["session"] == "alpha"
    assert said["incidents"][0]["ids"] == [512]
    path = tmp_path / "saved.npz"
    files.save(files.load(bad), path, shards=3)
    sharded = json.loads(command("check", path, "--json")[1])
    assert sharded == said


def test_nothing_to_judge_is_4(command, tmp_path):
    """An empty history holds nothing."""
    files.save(History(np.zeros(0, ROW)), tmp_path / "a.npz")
    code, out = command("check", tmp_path)
    assert code == 4
    assert out.splitlines()[-1] == "| could not tell"


@pytest.mark.parametrize("words", [["show"], ["check"], ["check", "--json"]])
def test_what_is_no_history_is_2(command, bad, tmp_path, words):
    """Unknown paths, foreign and truncated files, empty folders: one line, no traceback."""
    whole = tmp_path / "whole.npz"
    files.save(files.load(bad), whole)
    (tmp_path / "cut.npz").write_bytes(whole.read_bytes()[:-40])
    np.savez(tmp_path / "foreign.npz", a=np.array([{}], object))
    (tmp_path / "text.txt").write_text("a text")
    (tmp_path / "empty").mkdir()
    for name in ("missing", "cut.npz", "foreign.npz", "text.txt", "empty"):
        code, out = command(words[0], tmp_path / name, *words[1:])
        assert code == 2, name
        (line,) = out.splitlines()
        assert line.startswith("sessionproof: "), name
        assert name in line


def test_an_unknown_session_is_2(command, good):
    """The line names sessions that are there."""
    code, out = command("show", good, "--session", "gamma")
    assert code == 2
    assert "no session 'gamma'; it has 'alpha'" in out


def test_the_code_of_the_page_runs(good, tmp_path_factory, monkeypatch, capsys):
    """It reads a file and a folder, and writes another file that says the same."""
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(tmp_path_factory.mktemp("page"))
    files.save(files.read(good), Path("history.npz"))
    Path("a-folder").symlink_to(good)
    exec(compile(code, "docs/history.md", "exec"), {})
    assert "operations" in capsys.readouterr().out
    assert len(files.read(Path("history.parquet"))) == len(files.read(good)) > 0
