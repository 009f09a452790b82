"""A night writes down each slice, goes on where it was interrupted, and ends with what is new."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from sessionproof.cli import nights
from sessionproof.cli.main import entry
from sessionproof.contract.verdicts import Verdict
from sessionproof.engine.slices import Where, command_of
from sessionproof.report.nightly import files
from sessionproof.report.nightly.night import REPLAY, Ran, Seen, Slice

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
        if os.path.exists("bad"):
            messages = messages[:2]
        rows = [(session_id, message.role, message.content) for message in messages]
        with self.db:
            self.db.executemany("INSERT INTO log (sid, role, text) VALUES (?, ?, ?)", rows)

    def read(self, session_id):
        query = "SELECT role, text FROM log WHERE sid = ? ORDER BY id"
        return [Message(role, text) for role, text in self.db.execute(query, [session_id])]

    def close(self):
        self.db.close()
"""
QUICK = ("--profile", "smoke", "--only", "CORE-01")


@pytest.fixture
def here(tmp_path, monkeypatch, capsys):
    """Run a command in this process: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])  # the command puts its folder there
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)

    def command(*words):
        monkeypatch.setattr(sys, "argv", ["sessionproof", "nightly", *map(str, words)])
        monkeypatch.setenv("COLUMNS", "200")
        with pytest.raises(SystemExit) as ended:
            entry()
        return ended.value.code, *capsys.readouterr()

    return command


class Store:
    """What plays the slices: ``broken`` rows break, in replays as often as ``again`` says."""

    def __init__(self, monkeypatch):
        self.asked: list[Slice] = []
        self.broken: set[str] = set()
        self.mended_in_replays = False
        self.stop_after: int | None = None
        monkeypatch.setattr(nights, "carried_out", self.carried_out)

    def carried_out(self, one, where, *, number, left_s, kept):
        """As ``engine.slices`` does, in no time."""
        self.asked.append(one)
        if self.stop_after is not None and len(self.asked) > self.stop_after:
            where.stop.set()
            return self._ran(one, (), (), state="not run")
        breaks = {} if self.mended_in_replays and one.part == REPLAY else self.broken
        rows = tuple(
            Seen(id=row, verdict=Verdict.BROKEN, said="lost", repeat=f"run --only {row}")
            for row in one.rows
            if row in breaks
        )
        return self._ran(one, tuple(row for row in one.rows if row not in breaks), rows)

    def _ran(self, one, held, rows, state="judged"):
        return Ran(asked=one, at="2026-01-05T03:17:00+00:00", state=state,
                   seconds=4.0 if one.part == REPLAY else 40.0,
                   exit_code=0, held=held, rows=rows, version="7.1")  # fmt: skip


@pytest.fixture
def store(monkeypatch):
    """A store that nobody opens."""
    return Store(monkeypatch)


def test_a_night_is_spent_and_told(here, store, tmp_path):
    """The table, the page, the summary, the corpus; 1 for what is new."""
    store.broken = {"CONC-01"}
    code, out, err = here("shop:Store", "--budget", "20m", "--seed", "5")
    assert code == 1
    assert "1 new; " in out
    assert "CONC-01: run --only CONC-01" in out
    assert "20 min, profile gate, seed 5, 0 seeds to replay" in err
    folder = tmp_path / "sessionproof-nightly"
    (name,) = files.names(folder)
    night = files.read_night(folder, name)
    assert night.ended
    assert night.spent_s <= 1200
    assert [one.row for one in files.read_corpus(folder).entries] == ["CONC-01"] * 3
    assert "1 new" in (folder / "summary.md").read_text("utf-8")
    assert "CONC-01" in (folder / "index.html").read_text("utf-8")


def test_the_second_night_knows_the_first(here, store, tmp_path):
    """What is mended says so, and what is broken is not new."""
    store.broken = {"CONC-01", "CORE-01"}
    assert here("shop:Store", "--budget", "30m")[0] == 1
    code, out, _ = here("shop:Store", "--budget", "30m")
    assert code == 1
    assert "Nothing new, 2 still broken" in out
    store.broken = set()
    code, out, _ = here("shop:Store", "--budget", "30m")
    assert code == 0
    assert "2 mended" in out
    assert len(files.names(tmp_path / "sessionproof-nightly")) == 3


def test_a_break_that_replays_do_not_show_is_flaky(here, store):
    """It is new in its first night, with its rate, and flaky in the next."""
    store.broken, store.mended_in_replays = {"CONC-01"}, True
    out = here("shop:Store", "--budget", "30m")[1]
    assert "1 new" in out
    shown, tried = re.search(r"(\d+) of (\d+) runs with its", out).groups()
    assert 0 < int(shown) < int(tried)
    assert "1 flaky" in here("shop:Store", "--budget", "30m")[1]


def test_an_interrupted_night_goes_on(here, store, tmp_path):
    """130, a page of what is known, and then the same slices that would have come."""
    store.stop_after = 3
    code, _, err = here("shop:Store", "--budget", "20m", "--seed", "5")
    assert code == 130
    assert "the same command goes on" in err
    assert "interrupted" in (tmp_path / "sessionproof-nightly" / "index.html").read_text("utf-8")
    assert not (tmp_path / "sessionproof-nightly" / "corpus.json").exists()
    first, store.asked, store.stop_after = store.asked, [], None
    code, _, err = here("shop:Store", "--budget", "20m", "--seed", "5")
    assert code == 0
    assert "going on after 3 slices" in err
    assert store.asked[0] == first[3]
    assert len(files.names(tmp_path / "sessionproof-nightly")) == 1


def test_a_fresh_night_is_begun_on_demand(here, store, tmp_path):
    """What the interrupted one found is not lost."""
    store.broken, store.stop_after = {"CONC-01"}, 2
    words = ("shop:Store", "--budget", "20m", "--only", "CONC-01")
    assert here(*words)[0] == 130
    store.stop_after = None
    code, _, err = here(*words, "--fresh")
    assert code == 1
    assert "1 seed to replay" in err
    assert len(files.names(tmp_path / "sessionproof-nightly")) == 2


def test_another_question_begins_another_night(here, store, tmp_path):
    """And --resume says what differs."""
    store.stop_after = 2
    here("shop:Store", "--budget", "20m")
    code, _, err = here("shop:Store", "--profile", "smoke", "--resume")
    assert code == 2
    assert "was asked otherwise (profile)" in err
    store.stop_after = None
    assert here("shop:Store", "--profile", "smoke", "--budget", "10m")[0] == 0
    assert len(files.names(tmp_path / "sessionproof-nightly")) == 2
    code, _, err = here("shop:Store", "--profile", "smoke", "--resume")
    assert (code, "no night in sessionproof-nightly was interrupted" in err) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Missing argument"),
        (("a:B", "--budget", "soon"), "'soon' is no length of time"),
        (("a:B", "--budget", ""), "is no length of time"),
        (("a:B", "--budget", "5s"), "5s is too short"),
        (("a:B", "--profile", "long"), "long"),
        (("a:B", "--only", "NONE-1"), "there is no guarantee 'NONE-1'"),
        (("a:B", "a:B"), "a:B is named twice"),
        (("a:B", "b:C", "--baseline", "x"), "--baseline is about one store"),
        (("a:B", "--servers", "2"), "give --on postgres, too"),
        (("a:B", "--location", "none"), "--location none does not exist"),
        (("a:B", "--resume"), "no night in sessionproof-nightly was interrupted"),
        (("a:B", "--folder", "file/x"), "--folder file/x cannot be written"),
    ],
)
def test_bad_usage_is_one_line(here, store, tmp_path, words, said):
    """It names the thing and the remedy, and nothing is begun."""
    (tmp_path / "file").write_text("")
    code, out, err = here(*words)
    assert code == 2
    assert out == ""
    assert said in err
    assert len(err.splitlines()) == 1
    assert not store.asked


def test_a_damaged_folder_is_named(here, store, tmp_path):
    """Nothing of it is overwritten."""
    (tmp_path / "n").mkdir()
    (tmp_path / "n" / "corpus.json").write_text("{")
    code, _, err = here("a:B", "--folder", "n")
    assert code == 2
    assert "corpus.json is not a corpus: it is not JSON; move it away" in err
    assert (tmp_path / "n" / "corpus.json").read_text() == "{"


def test_a_folder_has_one_night_at_a_time(here, store, tmp_path):
    """A second would write over the first."""
    (tmp_path / "n").mkdir()
    with nights.alone(tmp_path / "n"):
        code, _, err = here("a:B", "--folder", "n")
    assert code == 2
    assert "--folder n is in use by another night" in err


def test_the_job_shows_the_night(here, store, tmp_path, monkeypatch):
    """The summary goes to the page of a CI job, once."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "job.md"))
    here("shop:Store", "--budget", "10m")
    assert (tmp_path / "job.md").read_text("utf-8").count("## The night of") == 1


def test_a_slice_is_a_command_of_its_own(tmp_path):
    """With the store's words, the seed, the guarantees, and what the night was given."""
    one = Slice(store="s", part="crash", profile="gate", seed=9, rows=("DUR-01", "DUR-02"))
    where = Where(words={"s": ("s", "--on", "postgres")}, folder=tmp_path, night="n",
                  options=("-n", "2"), stop=None)  # fmt: skip
    words = command_of(one, where, tmp_path / "r")
    assert words[1:6] == ["-m", "sessionproof", "run", "s", "--on"]
    assert words[-6:] == ["-n", "2", "--only", "DUR-01", "--only", "DUR-02"]
    speed = command_of(replace(one, part="speed"), where, tmp_path / "r")
    assert speed[3:5] == ["bench", "run"]
    assert speed[-2:] == ["--archive", str((tmp_path / "speed.db").resolve())]


@pytest.mark.night
def test_a_store_is_judged_broken_and_mended(tmp_path):
    """A whole night each: new, still broken, mended, by real runs of a real store."""
    (tmp_path / "shop.py").write_text(STORES)
    (tmp_path / "bad").touch()

    def night():
        words = [sys.executable, "-m", "sessionproof", "nightly", "shop:Sound", *QUICK]
        ended = subprocess.run(
            [*words, "--budget", "90s", "--folder", "n"], cwd=tmp_path, capture_output=True,
            check=False, encoding="utf-8", timeout=300,
        )  # fmt: skip
        assert "Traceback" not in ended.stderr
        return ended.returncode, ended.stdout

    code, out = night()
    assert (code, "| 1 new; 0 guarantees hold." in out) == (1, True), out
    (name,) = files.names(tmp_path / "n")
    reports = list((tmp_path / "n" / "runs" / name).iterdir())
    assert reports
    assert all((one / "index.html").exists() for one in reports)
    code, out = night()
    assert (code, "| Nothing new, 1 still broken; " in out) == (1, True), out
    (tmp_path / "bad").unlink()
    code, out = night()
    assert code in (0, 4), out  # for how many replays there is time is the machine's
    assert "mended" in out or "not settled" in out
    assert json.loads((tmp_path / "n" / "corpus.json").read_text())["entries"]


@pytest.mark.night
def test_an_interruption_leaves_nothing_behind(tmp_path):
    """Ctrl-C ends the slice with its processes; the page is there, and the night goes on."""
    (tmp_path / "shop.py").write_text(STORES)
    words = [sys.executable, "-m", "sessionproof", "nightly", "shop:Sound", *QUICK]
    process = subprocess.Popen(
        [*words, "--budget", "10m"], cwd=tmp_path, stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL, encoding="utf-8", start_new_session=True,
    )  # fmt: skip
    assert "night" in process.stderr.readline()
    time.sleep(2)  # a slice runs; whatever it came to, the night ends well
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert (tmp_path / "sessionproof-nightly" / "index.html").exists()
