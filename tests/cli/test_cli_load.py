"""``sessionproof load``: exit codes, the report, and what is said of bad usage."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sessionproof.cli.main import entry

ROOT = Path(__file__).parents[2]
BROKEN = "fixtures.mutants.conc_lost:RewritesTheFile"
SMALL = ("--clients", "4", "--mix", "hot", "--operations", "3000")


@pytest.fixture
def load(run, monkeypatch):
    """Run ``sessionproof load`` where the fixtures can be imported."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return lambda *words: run("load", *words)


@pytest.mark.night
@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_a_load_that_holds_is_told_and_written(executor, load, run, tmp_path):
    """The summary, the file and the history agree, and the history can be judged again."""
    code, out, err = load("reference", *SMALL, "--executor", executor, "--seed", "7")
    assert code == 0, out + err
    assert "seed 7" in err
    assert "| verdict     holds" in out
    written = json.loads((tmp_path / "sessionproof-load" / "load.json").read_text("utf-8"))
    assert written["exit_code"] == 0
    assert written["seed"] == 7
    assert written["operations"] >= 1_500
    assert written["histories"] == ["history"]
    code, out, _ = run("history", "check", "sessionproof-load/history", "--atomic-batches")
    assert code == 0
    assert "nothing contradicts itself" in out


@pytest.mark.night
def test_a_broken_store_is_told(load, tmp_path):
    """A lost message is exit code 1, with the sentence that says which."""
    code, out, _ = load(BROKEN, *SMALL, "--report", "out")
    assert code == 1, out
    assert "lost-message" in out
    assert "| verdict     broken" in out
    written = json.loads((tmp_path / "out" / "load.json").read_text("utf-8"))
    assert written["breaks"] >= len(written["incidents"]) > 0
    assert written["incidents"][0]["sentence"]


@pytest.mark.night
def test_a_store_that_hangs_is_told(load, tmp_path):
    """A call that does not end within its deadline ends the load, with exit code 1."""
    (tmp_path / "slow.py").write_text(
        "import threading\n"
        "from sessionproof.reference import ReferenceStore\n"
        "class Store(ReferenceStore):\n"
        "    def append(self, session_id, messages):\n"
        "        if session_id.startswith('w1-'):\n"
        "            threading.Event().wait()\n"
        "        return super().append(session_id, messages)\n",
        "utf-8",
    )
    code, out, _ = load("slow:Store", *SMALL, "--operation-deadline", "1")
    assert code == 1, out
    assert "| stopped     hang" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("reference", "--executor", "ray"), "there is no executor 'ray'"),
        (("reference", "--executor", "dask://127.0.0.1:1"), "no scheduler answers at 127.0.0.1:1"),
        (("reference", "--mix", "deletes"), "use one of mixed, hot"),
        (("reference", "--minutes", "1", "--operations", "9"), "exclude each other"),
        (("reference", "--rate", "9", "--operations", "9"), "exclude each other"),
        (("reference", "--rate", "0"), "not in the range"),
        (("reference", "--rate", "9", "--rate", "9"), "give each once"),
        (("reference", "--clients", "1"), "not in the range"),
        (("reference", "--minutes", "inf"), "inf is no length of time"),
        (("reference", "--operation-deadline", "nan"), "nan is no length of time"),
        (("reference", "--operation-deadline", "1e10"), "1e10 is too long: give at most 10000000"),
        (("reference", "--executor", "dask://host"), "has no HOST:PORT"),
        (("reference", "--location", "nowhere"), "does not exist"),
        (("reference", "--location", "/proc"), "another --location"),  # nobody can write there
        (("reference", "--require", "handles=one"), "needs handles=processes"),
        (("reference", "--require", "handles=nobody"), "handles"),
        (("nosuch",), "no store is called 'nosuch'"),
    ],
)
def test_bad_usage_is_one_line(words, said, tmp_path, monkeypatch, capsys):
    """Whatever is wrong is named with its remedy, and an earlier report is left alone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "argv", ["sessionproof", "load", *words])
    report = tmp_path / "sessionproof-load"
    report.mkdir()
    (report / "load.json").write_text("{}", "ascii")
    with pytest.raises(SystemExit) as ended:
        entry()
    out, err = capsys.readouterr()
    assert ended.value.code == 2
    assert said in err
    assert not out
    assert len(err.strip().splitlines()) == 1
    assert (report / "load.json").read_text("ascii") == "{}"


@pytest.mark.night
def test_rates_that_are_offered_are_told_and_drawn(load, tmp_path):
    """A row for each rate, rising, whatever their order; the page is gone with the next load."""
    words = ("reference", "--clients", "2", "--mix", "hot", "--executor", "threads")
    code, out, err = load(*words, "--rate", "400", "--rate", "20", "--minutes", "0.01")
    assert code in (0, 4), out + err  # so little may not be evidence enough
    table = [line.split() for line in out.splitlines() if line.startswith("| ")]
    head = next(at for at, line in enumerate(table) if line[1] == "offered/s")
    assert [line[1] for line in table[head + 1 : head + 3]] == ["20.0", "400"]
    assert "| keeps up    it keeps up with" in out
    report = tmp_path / "sessionproof-load"
    written = json.loads((report / "load.json").read_text("utf-8"))
    assert [one["offered_per_s"] for one in written["offered"]] == [20.0, 400.0]
    assert [one["latency"]["calls"] for one in written["offered"]] == [12, 240]
    assert "Latency against offered rate" in (report / "load.html").read_text("utf-8")
    load(*words, "--operations", "50")
    assert not (report / "load.html").exists()


def test_two_loads_do_not_share_a_report(load, tmp_path):
    """The files of one are never taken for those of the other."""
    report = tmp_path / "sessionproof-load"
    report.mkdir()
    folder = os.open(report, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    try:
        code, out, err = load("reference", *SMALL)
    finally:
        os.close(folder)
    assert (code, out) == (2, "")
    assert (
        err == "sessionproof: --report sessionproof-load is in use by another load: name another\n"
    )
    assert not [*report.iterdir()]


def test_an_interruption_leaves_a_report(tmp_path):
    """Ctrl-C ends the wave, reads what there is, and judges it: exit code 130."""
    data = tmp_path / "data"
    data.mkdir()
    command = [sys.executable, "-m", "sessionproof", "load", "reference", "--clients", "2",
               "--minutes", "10", "--location", "data"]  # fmt: skip
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
        start_new_session=True, env={**os.environ, "COLUMNS": "100"},
    ) as process:  # fmt: skip
        while process.poll() is None and not [*data.glob("*/location/*")]:  # opened by a worker
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130, out + err
    assert "Traceback" not in err
    written = json.loads((tmp_path / "sessionproof-load" / "load.json").read_text("utf-8"))
    assert written["verdict"] == "interrupted"
    assert written["breaks"] == 0
    assert written["examined"]["operations"] > written["operations"] > 0
