"""``sessionproof bench run``: one table for several stores, whatever becomes of one of them."""

import errno
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from sessionproof.bench.tracking.archive import Archive
from sessionproof.bench.tracking.archived import Commit
from sessionproof.cli.benchmarks import run as cli_bench
from sessionproof.cli.benchmarks.run import folders
from sessionproof.cli.servers import Servers

COMMAND = [sys.executable, "-m", "sessionproof", "bench", "run"]
HANGS = "import time\n\ndef Store(location):\n    time.sleep(600)\n"


def bench(folder, *arguments):
    """Run the command as a user does; a report goes below the folder."""
    return subprocess.run(
        [*COMMAND, *arguments, "--profile", "smoke", "--report", folder / "out"],
        check=False, capture_output=True, text=True, timeout=180, cwd=folder,
        env={**os.environ, "COLUMNS": "100"},
    )  # fmt: skip


@pytest.mark.night
def test_stores_are_measured_side_by_side(tmp_path):
    """One that cannot be opened has its reason; the others have their figures and their report.

    The archive has the run that was measured, as one that a line begins with.
    """
    ended = bench(tmp_path, "reference", "no_such_module:Store", "--seed", "7",
                  "--archive", "speeds.db", "--commit", "abc123", "--no-causes")  # fmt: skip
    assert ended.returncode == 2, ended
    assert "archive: 1 added to speeds.db" in ended.stderr
    assert "reference: could not tell: 0 runs before this one" in ended.stdout
    with Archive.opened(tmp_path / "speeds.db", create=False) as archive:
        (kept,) = archive.runs()
    assert (kept.store, kept.seed, kept.commit) == ("reference", 7, Commit(id="abc123"))
    assert all(one.samples["store"] for one in kept.speeds if one.clients == "one client")
    assert json.loads((tmp_path / "out" / "nights.json").read_text("utf-8"))["schema"] == 1
    assert "Traceback" not in ended.stderr
    assert "measuring reference, 1 of 2: profile smoke, seed 7" in ended.stderr
    assert "no_such_module:Store was not measured: " in ended.stderr
    assert "append" in ended.stdout
    assert "promised elsewhere" in ended.stdout
    value = json.loads((tmp_path / "out" / "performance.json").read_text("utf-8"))
    good, bad = value["stores"]
    assert good["problem"] == ""
    assert good["result"]["seed"] == 7
    (row,) = [one for one in good["result"]["guarantees"] if one["id"] == "PERF-01"]
    assert {one["operation"] for one in row["measured"] if one["kind"] == "speed"} >= {"append"}
    assert bad["result"] is None
    assert "no_such_module" in bad["problem"]
    for name in ("performance.md", "performance.html", "reference/index.html"):
        assert (tmp_path / "out" / name).stat().st_size > 500


def test_each_store_has_a_folder_of_its_own():
    """Names that differ in what a folder's name leaves out do not overwrite each other's report."""
    long = f"cmd:serve {'x' * 80}"
    names = ["shop:Store", "shop:store", "shop:store 2", f"{long} --a", f"{long} --b", ":"]
    found = folders(names)
    assert found[:2] == ["shop-store", "shop-store-2"]
    assert found[-1] == "store"
    assert len({*found}) == len(names)


def test_an_interruption_leaves_what_there_is(tmp_path):
    """Ctrl-C ends with 130; stores that were not come to say so, and the files are written."""
    (tmp_path / "hangs.py").write_text(HANGS)
    process = subprocess.Popen(
        [*COMMAND, "hangs:Store", "reference", "--report", tmp_path / "out"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        start_new_session=True,
    )  # fmt: skip
    first = process.stderr.readline()
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (first, out, err)
    assert "Traceback" not in err
    value = json.loads((tmp_path / "out" / "performance.json").read_text("utf-8"))
    assert [one["problem"] for one in value["stores"]] == ["the measurement was interrupted"] * 2


def test_tables_that_cannot_be_written_are_one_line(tmp_path):
    """What was measured is printed all the same; the line names the folder, and the code is 2."""
    (tmp_path / "out" / "performance.json").mkdir(parents=True)  # holds for root, too
    ended = bench(tmp_path, "no_such_module:Store")
    assert ended.returncode == 2, ended
    assert "Traceback" not in ended.stderr
    assert f"sessionproof: --report {tmp_path / 'out'} cannot be written: " in ended.stderr
    assert "report:" not in ended.stdout


def compared(tmp_path, monkeypatch):
    """How the comparison of one store ends in this process, with a location to be left empty."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    location = tmp_path / "location"
    location.mkdir()
    return cli_bench.measure(
        ["reference"], servers=Servers(), profile="smoke", scale=False,
        report=tmp_path / "out", seed=1, location=location,
    )  # fmt: skip


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_a_full_disk_is_the_problem_of_a_column(code, tmp_path, monkeypatch, capsys):
    """Neither the folder of a store nor the tables: each is told in a line, and nothing is left."""

    def refuses(*_, **__):
        raise OSError(code, os.strerror(code), "somewhere")

    monkeypatch.setattr(cli_bench, "make_plan", refuses)
    monkeypatch.setattr(cli_bench, "write_comparison", refuses)
    assert compared(tmp_path, monkeypatch) == 2
    said = capsys.readouterr().err
    assert f"was not measured: somewhere: {os.strerror(code)}" in " ".join(said.split())
    assert f"cannot be written: somewhere: {os.strerror(code)}" in " ".join(said.split())
    assert list((tmp_path / "location").iterdir()) == []


def test_an_interruption_leaves_no_folder(tmp_path, monkeypatch):
    """Ctrl-C while the store is described: its location is removed."""

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli_bench, "make_plan", interrupted)
    assert compared(tmp_path, monkeypatch) == 130
    assert list((tmp_path / "location").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Missing argument"),
        (("reference", "--profile", "fast"), "no profile 'fast': use smoke, gate, deep"),
        (("reference", "--location", "missing"), "--location missing does not exist"),
        (("reference", "--report", "a-file"), "--report a-file"),
        (("reference", "--archive", "a-text"), "--archive: a-text is no archive of benchmark runs"),
        (("reference", "--archive", "a", "--commit=-x"), "--commit '-x' is no commit"),
        (("reference", "--no-gate"), "--commit and --no-gate say how runs are kept"),
    ],
)
def test_bad_usage_is_one_line(arguments, words, tmp_path):
    """Each mistake names the thing and the remedy, before anything is measured."""
    (tmp_path / "a-file").write_text("")
    (tmp_path / "a-text").write_text("text")
    ended = subprocess.run(
        [*COMMAND, *arguments], check=False, capture_output=True, text=True, timeout=60,
        cwd=tmp_path,
    )  # fmt: skip
    assert ended.returncode == 2
    assert words in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert not ended.stdout
