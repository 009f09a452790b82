"""The command makes a board of whatever stores there are, and says no more than was judged."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from sessionproof.cli.main import entry

STORES = """
import os
import sqlite3

from sessionproof import Claims, Message


class Sound:
    claims = Claims(handles="processes", atomic_batches=True, durability="process")
    version = "7.1"

    def __init__(self, location):
        self.db = sqlite3.connect(location.path("chat.db"), timeout=20)
        self.db.execute("CREATE TABLE IF NOT EXISTS log (id INTEGER PRIMARY KEY, sid, role, text)")
        self.db.execute("CREATE INDEX IF NOT EXISTS by_session ON log (sid)")

    def append(self, session_id, messages):
        rows = [(session_id, message.role, message.content) for message in messages]
        with self.db:
            self.db.executemany("INSERT INTO log (sid, role, text) VALUES (?, ?, ?)", rows)

    def read(self, session_id):
        query = "SELECT role, text FROM log WHERE sid = ? ORDER BY id"
        return [Message(role, text) for role, text in self.db.execute(query, [session_id])]

    def close(self):
        self.db.close()


class Loses(Sound):
    def append(self, session_id, messages):
        super().append(session_id, messages[:2])


class Dies(Sound):
    def append(self, session_id, messages):
        os._exit(7)
"""


@pytest.fixture
def stores(tmp_path):
    """A module of stores, and one that ends the process of whoever imports it."""
    (tmp_path / "shop.py").write_text(STORES)
    (tmp_path / "gone.py").write_text("import os\nos._exit(3)\n")


@pytest.fixture
def here(tmp_path, monkeypatch, capsys):
    """Run a command in this process, which is quicker: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])  # the command puts its folder there
    before = signal.getsignal(signal.SIGTERM)

    def command(*words):
        monkeypatch.setattr(sys, "argv", ["sessionproof", *map(str, words)])
        monkeypatch.setenv("COLUMNS", "300")
        with pytest.raises(SystemExit) as ended:
            entry()
        return ended.value.code, *capsys.readouterr()

    yield command
    signal.signal(signal.SIGTERM, before)


def test_a_board_of_stores_that_cannot_be_opened(here, stores, tmp_path):
    """It is written all the same, with exit code 0 and a row for each that says why."""
    code, out, err = here("scoreboard", "dies=gone:Store", "absent=nowhere:Store", "--jobs", 2)
    assert code == 0, err
    folder = tmp_path / "sessionproof-scoreboard"
    assert f"scoreboard: {folder.name}/index.html" in out
    assert re.search(r"│ dies +│ not opened", out)
    page = (folder / "index.html").read_text()
    assert "ended with exit code 3" in page
    for name in ("absent", "dies"):
        assert json.loads((folder / "data" / f"{name}.json").read_text())["state"] == "not opened"
        assert (folder / "stores" / f"{name}.html").exists()
        assert "not opened" in (folder / "badges" / f"{name}.svg").read_text()
    assert "[dies](stores/dies.html)" in (folder / "README.md").read_text()
    (folder / "index.html").unlink()
    code, _, _ = here("scoreboard", "--from", folder)
    assert code == 0
    assert (folder / "index.html").read_text() == page


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing"], "no store is called 'nothing'"),
        (["a=m:A", "a=m:B"], "two stores are called a"),
        (["reference", "--environments", "here"], "--environments goes with --isolated"),
        (["reference", "--profile", "quick"], "there is no profile 'quick'"),
        (["--from", "nowhere"], "cannot read nowhere/scoreboard.json"),
        (["reference", "--from", "nowhere"], "--from judges nothing"),
        (["postgresql://a:secret@b/c"], "an address is not put on a scoreboard"),
        (["reference", "--report", "file"], "--report file cannot be made"),
        (["reference", "--isolated", "--environments", "file"], "file cannot be made"),
    ],
)
def test_bad_usage_is_one_line(here, tmp_path, words, said):
    """The line names what is wrong; nothing is judged, and no password is shown."""
    (tmp_path / "file").write_text("")
    code, out, err = here("scoreboard", *words)
    assert code == 2
    (line,) = err.splitlines()
    assert said in line
    assert "secret" not in out + err


def test_a_signal_leaves_a_board_of_what_there_is(stores, tmp_path):
    """Ctrl-C, or the end of a CI job: exit code 130, and stores that were not begun say so."""
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(600)\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "sessionproof", "scoreboard", "a=slow:Store", "b=slow:Store",
         "--jobs", "1", "--report", "board"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "COLUMNS": "100"},
    )  # fmt: skip
    while not (tmp_path / "board" / "runs" / "a").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    page = (tmp_path / "board" / "index.html").read_text()
    assert "This board is a part" in page
    assert page.count("interrupted") >= 2
    assert re.search(r"│ b +│ not run", out)


@pytest.mark.night
def test_what_is_broken_is_red_and_what_dies_says_so(run, stores, tmp_path):
    """A sound store has no red cell, one that loses messages has them confirmed, one that dies."""
    ended = subprocess.run(
        [sys.executable, "-m", "sessionproof", "scoreboard", "sound=shop:Sound", "loses=shop:Loses",
         "dies=shop:Dies", "--seed", "1", "--report", "board"],
        cwd=tmp_path, capture_output=True, text=True, timeout=900, check=False,
        env={**os.environ, "COLUMNS": "100"},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    found = {name: json.loads((tmp_path / "board" / "data" / f"{name}.json").read_text())
             for name in ("sound", "loses", "dies")}  # fmt: skip
    broken = {name: {row["id"]: row for row in one["rows"] if row["verdict"] == "broken"}
              for name, one in found.items()}  # fmt: skip
    assert found["sound"]["version"] == "7.1"
    assert set(broken["sound"]) <= {"COR-03", "COR-07"}  # as every store on plain SQLite
    assert broken["loses"]["CORE-01"]["confirmed"] >= 1
    assert "from shop import Loses" in broken["loses"]["CORE-01"]["example"]["script"]
    assert str(tmp_path) not in json.dumps(found)
    assert broken["dies"]
    assert (
        'class="broken" href="stores/loses.html#CORE"'
        in (tmp_path / "board" / "index.html").read_text()
    )


@pytest.mark.night
def test_a_store_is_judged_in_an_environment_of_its_own(run, tmp_path):
    """The reference, installed from what is running, holds what it claims; the folder is kept."""
    ended = subprocess.run(
        [sys.executable, "-m", "sessionproof", "scoreboard", "reference", "--isolated",
         "--environments", "kept", "--seed", "1", "--report", "board"],
        cwd=tmp_path, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    (entry,) = [json.loads(path.read_text()) for path in (tmp_path / "board" / "data").iterdir()]
    assert entry["isolated"]
    assert entry["state"] == "judged"
    assert not [row["id"] for row in entry["rows"] if row["verdict"] == "broken"]
    assert (tmp_path / "kept" / "plain" / "bin" / "python").exists()
