"""Many runs at a time: each ends, whatever its store does, and its row says how."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from commands import HERE

from sessionproof.contract.clock import monotonic_s
from sessionproof.engine.children import Ended, run_child
from sessionproof.engine.gathering import How, gather, judged
from sessionproof.engine.roster import named_stores

STUBBORN = (
    "import signal, subprocess, sys, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "print(child.pid, flush=True)\n"
    "time.sleep(600)\n"
)
POLITE = (
    "import signal, sys, time\n"
    "signal.signal(signal.SIGTERM, lambda *_: sys.exit('as asked'))\n"
    "print('ready', flush=True)\n"
    "time.sleep(600)\n"
)


def child(code, *, until_s=60.0, stop=None, grace_s=10.0):
    """Run code as a child: how it ended, and what it printed."""
    with tempfile.TemporaryFile() as output:
        ended = run_child(
            [sys.executable, "-c", code], output=output, environment=dict(os.environ), folder=None,
            until_s=monotonic_s() + until_s, stop=stop or threading.Event(), grace_s=grace_s,
        )  # fmt: skip
        output.seek(0)
        return ended, output.read().decode()


def is_running(process):
    """Whether a process of this number runs and is no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_child_ends_by_itself():
    """Its code and its words are its own."""
    ended, printed = child("print('done'); raise SystemExit(3)")
    assert ended == Ended(code=3)
    assert printed == "done\n"


def test_a_child_that_is_too_late_is_asked_first():
    """It may still report what it knows."""
    ended, printed = child(POLITE, until_s=1.0)
    assert ended.why == "its time was over"
    assert printed in ("ready\nas asked\n", "")  # a slow machine may end it before it began


def test_nothing_of_a_stubborn_child_is_left():
    """Who does not end when he is asked is ended with all that he started."""
    ended, printed = child(STUBBORN, until_s=1.5, grace_s=0.2)
    assert ended == Ended(code=-signal.SIGKILL, why="its time was over")
    for process in printed.split():
        while is_running(int(process)):  # it was killed, and may take a moment to be gone
            time.sleep(0.01)


def test_an_interruption_ends_a_child():
    """No child outlives the command."""
    stop = threading.Event()
    stop.set()
    ended, _ = child("import time; time.sleep(600)", stop=stop)
    assert ended.why == "interrupted"


@pytest.mark.parametrize(
    ("ended", "printed", "state", "problem"),
    [
        (Ended(code=2), "x\nsessionproof: there is no module 'a'\n", "not opened",
         "there is no module 'a'"),
        (Ended(code=-9), "Killed\n", "died", "the run was killed by signal 9: Killed"),
        (Ended(code=1), "", "died", "the run left no result: it said nothing"),
        (Ended(code=-9, why="its time was over"), "", "not run",
         "nothing was judged: its time was over"),
    ],
)  # fmt: skip
def test_a_run_without_a_result_says_why(tmp_path, ended, printed, state, problem):
    """What ended it, and its last line, stand in the row."""
    assert judged(ended, tmp_path, printed) == (state, problem, None)


@pytest.fixture
def paths(monkeypatch):
    """Runs find the stores of this folder."""
    monkeypatch.setenv("PYTHONPATH", str(HERE))


def how(folder, **changes):
    """Short runs below the folder."""
    usual = {"profile": "smoke", "seed": 1, "report": folder, "jobs": 2, "deadline_s": 120.0}
    return How(**{**usual, **changes})


def test_stores_that_cannot_be_opened_are_rows(tmp_path, paths):
    """One that ends its process when it is opened, one that is not there: each has its reason.

    Nothing of an earlier run is taken for theirs.
    """
    (tmp_path / "runs" / "none").mkdir(parents=True)
    earlier = [tmp_path / "runs" / "none" / name for name in ("result.json", "index.html")]
    for path in earlier:
        path.write_text("of an earlier run")
    stores = named_stores(["exits=hostile:ExitsWhenMade", "none=nowhere:Store"])
    told = []
    ran, interrupted = gather(
        stores, how(tmp_path), lambda one, under: told.append(one and one.asked.name)
    )
    assert not interrupted
    assert [one.state for one in ran] == ["not opened", "not opened"]
    assert "ended with exit code 0" in ran[0].problem
    assert "there is no module 'nowhere'" in ran[1].problem
    assert not any(path.exists() for path in earlier)
    assert set(told) == {"exits", "none", None}


def test_an_interruption_keeps_what_is_there(tmp_path, paths):
    """The stores that are at work are ended, the others are not begun, and all are told of."""
    stores = named_stores([f"s{n}=hostile:HangsWhenMade" for n in range(3)])

    def follow(one, under):
        if under.running:
            raise KeyboardInterrupt

    ran, interrupted = gather(stores, how(tmp_path, jobs=1), follow)
    assert interrupted
    assert [one.state for one in ran] == ["not run"] * 3
    assert "interrupted" in ran[0].problem
