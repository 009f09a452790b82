"""``sessionproof crash`` as a user and a program see it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sessionproof.faults.tracing.strace import why_not

ROOT = Path(__file__).parents[2]
TRACED = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
FORGETS = '''\
"""A store that answers before anything is on the disk, and cuts its file before it writes."""

import json

from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message, from_json, to_json


class Store:
    claims = Claims(durability="power")

    def __init__(self, location):
        self.location = location

    def append(self, session_id, messages):
        kept = [*self.read(session_id), *messages]
        text = json.dumps([to_json(one) for one in kept])
        self.location.path(f"{session_id}.json").write_text(text, "utf-8")

    def read(self, session_id):
        path = self.location.path(f"{session_id}.json")
        if not path.exists():
            return []
        return [from_json(one) for one in json.loads(path.read_text("utf-8"))]

    def close(self):
        pass
'''


@pytest.fixture(scope="module")
def run():
    """Run the command: exit code, stdout, stderr."""

    def command(*words, cwd=None):
        ended = subprocess.run(
            [sys.executable, "-m", "sessionproof", "crash", *map(str, words)],
            check=False, capture_output=True, encoding="utf-8", timeout=600, cwd=cwd,
            env={**os.environ, "COLUMNS": "140"},
        )  # fmt: skip
        return ended.returncode, ended.stdout, ended.stderr

    return command


@pytest.fixture(scope="module")
def reference(run, tmp_path_factory):
    """A folder with a recording of the reference."""
    folder = tmp_path_factory.mktemp("crash") / "recorded"
    code, out, err = run("record", "reference", "--to", folder)
    assert (code, err) == (0, "")
    assert out.startswith("reference: ")
    assert "operations of one client" in out
    return folder


@TRACED
def test_a_store_that_survives_is_0(run, reference):
    """Each model has a line that says how many states existed, were judged, and were wrong."""
    code, out, err = run("judge", reference, "--states", "25")
    assert (code, err) == (0, "")
    for model in ("kill", "power-ordered", "power-strict"):
        assert f"| {model}: 25 of " in out
    assert out.count("none wrong") == 3
    assert out.endswith("| everything survives that the store claims to keep\n")


@TRACED
def test_a_store_that_does_not_survive_is_1(run, tmp_path):
    """What went wrong is told with the crash point, and the command that shows it."""
    (tmp_path / "forgets.py").write_text(FORGETS, "utf-8")
    code, out, err = run("record", "forgets:Store", "--to", "made", cwd=tmp_path)
    assert (code, err) == (0, "")
    code, out, err = run("judge", "made", "--states", "40", cwd=tmp_path)
    assert (code, err) == (1, "")
    assert "unreadable" in out
    assert "first in a crash after change" in out
    assert "seen: " in out
    shown = [line for line in out.splitlines() if "crash show made --point" in line]
    point = shown[0].rpartition(" ")[2]
    code, out, err = run("show", "made", "--point", point, cwd=tmp_path)
    assert (code, err) == (0, "")
    assert f"a crash after change {point}" in out


@TRACED
def test_json_says_all_of_it(run, reference):
    """A program gets the models with their numbers, the claims, and the states that are wrong."""
    code, out, err = run("judge", reference, "--states", "20", "--model", "kill", "--json")
    assert (code, err) == (0, "")
    value = json.loads(out)
    assert value["store"] == "reference"
    assert value["covered"] == ["kill", "power-ordered"]
    (model,) = value["models"]
    assert (model["model"], model["judged"], model["claimed"]) == ("kill", 20, True)
    assert model["existing"] > 100
    assert sum(cell["judged"] for cell in model["cells"]) == 20
    assert value["wrong"] == []


@TRACED
def test_another_store_opens_the_files(run, reference, tmp_path):
    """A store that cannot read what the recorded one left is told by what it shows."""
    (tmp_path / "forgets.py").write_text(FORGETS, "utf-8")
    code, _, err = run(
        "judge", reference, "--states", "5", "--model", "kill", "--store", "forgets:Store",
        cwd=tmp_path,
    )  # fmt: skip
    assert code == 4
    assert "wrong already without a crash; mend that first: " in err
    assert err.count("\n") == 1


@TRACED
def test_operations_are_shown_with_their_changes(run, reference):
    """Each operation stands with the changes between which a crash finds it in flight."""
    code, out, err = run("show", reference)
    assert (code, err) == (0, "")
    assert "store.append('s0', " in out
    assert "answered by" in out
    assert out.rstrip().splitlines()[-1].startswith("| reference: ")


@TRACED
def test_a_crash_point_is_shown_with_what_may_be_lost(run, reference):
    """The changes around it, those that are not safe, and the states of each model."""
    facts = json.loads((reference / "recording.json").read_text("ascii"))
    assert facts["store"] == "reference"
    code, out, err = run("show", reference, "--point", "100", "--most", "60")
    assert (code, err) == (0, "")
    assert "synced" in out
    assert "later" in out
    assert "a crash after change 100" in out
    for model in ("kill", "power-ordered", "power-strict"):
        assert f"|   {model}: " in out


@TRACED
def test_two_clients_are_recorded(run, tmp_path):
    """A store that many processes may open is recorded with two of them."""
    code, out, err = run("record", "reference", "--to", tmp_path / "two", "--clients", "2")
    assert (code, err) == (0, "")
    assert "operations of 2 clients" in out


@TRACED
def test_two_clients_of_a_store_for_one_are_refused(run, tmp_path):
    """The line names the claim that is missing, and nothing is left behind."""
    (tmp_path / "forgets.py").write_text(FORGETS, "utf-8")
    code, out, err = run("record", "forgets:Store", "--to", "made", "--clients", "2", cwd=tmp_path)
    assert (code, out) == (2, "")
    assert err.startswith("sessionproof: --clients 2: forgets:Store claims handles=")
    assert err.count("\n") == 1
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("judge", "nowhere"), "is no recording"),
        (("show", "nowhere"), "is no recording"),
        (("record", "reference"), "--to"),
        (("record", "nosuchstore", "--to", "new"), "no store is called 'nosuchstore'"),
        (("record", "reference", "--to", "full"), "--to full is not empty"),
        (("record", "reference", "--to", "file"), "--to file is not empty"),
        (("record", "reference", "--to", "file/below"), "--to file/below cannot be made"),
        (("record", "reference", "--to", "new", "--require", "durability=much"), "durability"),
        (("judge", "full", "--model", "earthquake"), "earthquake"),
    ],
)
def test_a_mistake_is_one_line_and_2(run, tmp_path, words, said):
    """The line names the thing, and no folder is left behind."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "kept").write_text("kept", "utf-8")
    (tmp_path / "file").write_text("kept", "utf-8")
    code, out, err = run(*words, cwd=tmp_path)
    assert (code, out) == (2, "")
    assert said in err
    assert err.startswith("sessionproof: ")
    assert err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "full"]
    assert (tmp_path / "full" / "kept").read_text("utf-8") == "kept"


@TRACED
def test_a_point_beyond_the_end_is_2(run, reference):
    """The line says how many changes there are."""
    code, out, err = run("show", reference, "--point", "99999")
    assert (code, out) == (2, "")
    assert "changes" in err
    assert err.count("\n") == 1
