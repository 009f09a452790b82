"""The two passes: tests of time run afterwards, alone."""

import json
import subprocess
from pathlib import Path

import pytest

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.verdicts import Verdict
from sessionproof.engine.crashes import crash_record
from sessionproof.engine.imports import user_modules_first
from sessionproof.engine.plan import make_plan
from sessionproof.engine.records import read_records
from sessionproof.engine.supervise import supervise
from sessionproof_suites import __file__ as suites

SUITE = '''
import os
import pytest

@pytest.mark.timed
@pytest.mark.guarantee("CORE-14")
def test_timed(trial):
    """Runs alone."""
    trial.notes.append("of " + os.environ["PYTEST_XDIST_WORKER_COUNT"])
    trial.count("messages", 50)

@pytest.mark.guarantee("CORE-01")
def test_plain(trial):
    """Runs in a worker."""
    trial.notes.append("worker " + os.environ["PYTEST_XDIST_WORKER"])
    trial.count("messages", 50)
'''

DEADLY = '''
import os
import pytest

@pytest.mark.timed
@pytest.mark.guarantee("CORE-14")
def test_first(trial):
    """The store ends its process."""
    os._exit(0)

@pytest.mark.timed
@pytest.mark.guarantee("CORE-01")
def test_second(trial):
    """Runs in the next process."""
    trial.count("messages", 50)
'''

SLOW = '''
import ctypes
import time
import pytest

@pytest.mark.guarantee("CORE-14")
def test_slow(trial):
    """Goes on and on."""
    while True:
        time.sleep(0.01)

@pytest.mark.guarantee("CORE-01")
def test_that_stands_still(trial):
    """Holds the interpreter's lock."""
    ctypes.PyDLL(None).sleep(1000)
'''

ENDLESS = """
import time
import pytest

@pytest.mark.guarantee("CORE-01")
def test_first(trial):
    trial.count("messages", 50)

@pytest.mark.timed
@pytest.mark.guarantee("CORE-14")
def test_endless(trial):
    time.sleep(60)
"""


def planned(tmp_path, text, **given):
    """A suite of this text, and the plan of a run in a folder of its own."""
    suite, directory = tmp_path / "test_suite.py", tmp_path / "run"
    suite.write_text(text)
    directory.mkdir()
    store = "sessionproof.oracle.memory:MemoryStore"
    return suite, make_plan(store, profile="smoke", seed=1, directory=directory, **given)


@pytest.mark.parametrize("workers", [1, 2])
def test_timed_tests_run_alone_afterwards(tmp_path, workers):
    """Every test runs once: plain ones in workers first, timed ones alone after them.

    One worker does both, so that a store is imported once.
    """
    suite, plan = planned(tmp_path, SUITE)
    lines = []
    ended = supervise(plan, workers=workers, follow=lines.append, suites=(str(suite),))
    assert ended.finished, ended.problems
    assert len(ended.passes) == workers
    records = {record.test: record for record in read_records(plan.directory)}
    assert records["test_plain"].notes[0] in ("worker gw0", "worker gw1")
    assert records["test_timed"].notes == ("of 1",)
    judged = [line["test"] for line in lines if "verdict" in line]
    assert judged == ["test_plain", "test_timed"]


@pytest.mark.night
def test_a_store_that_ends_the_process_of_timed_tests_is_found(tmp_path):
    """The test that it ended is broken, and the others are judged in a new process."""
    suite, plan = planned(tmp_path, DEADLY)
    ended = supervise(plan, workers=2, follow=lambda line: None, suites=(str(suite),))
    assert ended.finished, ended.problems
    records = {record.test: record for record in read_records(plan.directory)}
    (finding,) = records["test_first"].findings
    assert finding.anomaly == Anomaly.CRASH
    assert records["test_second"].verdict is Verdict.HOLDS


@pytest.mark.parametrize(
    ("stack", "seen"),
    [
        ("Fatal Python error: Segmentation fault\n\nThread 1:\n", "ended: Segmentation fault"),
        ("", "the store ended"),
    ],
)
def test_a_worker_that_died_says_of_what(tmp_path, stack, seen):
    """What Python noted of the signal stands in the finding; nothing where it noted nothing."""
    plan = make_plan(
        "sessionproof.oracle.memory:MemoryStore", profile="smoke", seed=1, directory=tmp_path
    )
    (tmp_path / "stack-gw0.txt").write_text(stack)
    begun = {"worker": "gw0", "nodeid": "a.py::test_a", "guarantee": "CORE-01"}
    (finding,) = crash_record(begun, plan).findings
    assert finding.anomaly == Anomaly.CRASH
    assert finding.seen.endswith(seen)


def test_a_test_that_is_slow_is_no_hang(tmp_path):
    """What goes on past a test's deadline could not be told; what stands still in C is a hang."""
    suite, plan = planned(tmp_path, SLOW, test_s=2.0)
    ended = supervise(plan, workers=2, follow=lambda line: None, suites=(str(suite),))
    assert ended.finished, ended.problems
    records = {record.test: record for record in read_records(plan.directory)}
    assert records["test_slow"].verdict is Verdict.UNKNOWN
    assert "not done after 2 s, though it went on" in records["test_slow"].reason
    (finding,) = records["test_that_stands_still"].findings
    assert finding.anomaly is Anomaly.HANG


def test_a_second_interruption_ends_at_once_and_loses_nothing(tmp_path, monkeypatch):
    """Who presses Ctrl-C again while the workers end does not wait, and gets what was told."""
    suite, plan = planned(tmp_path, ENDLESS)
    waits = []
    patient = subprocess.Popen.wait

    def interrupted_once(process, timeout=None):
        waits.append(timeout)
        if timeout is not None:
            raise KeyboardInterrupt
        return patient(process)

    def interrupt(line):
        if "verdict" in line:
            raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "wait", interrupted_once)
    ended = supervise(plan, workers=1, follow=interrupt, suites=(str(suite),))
    assert (ended.interrupted, ended.finished, ended.problems) == (True, False, [])
    assert [record.test for record in read_records(plan.directory)] == ["test_first"]
    assert [timeout is None for timeout in waits] == [False, True], "waited for after it was killed"


def test_a_suite_that_cannot_be_collected_is_told(tmp_path):
    """A run that ends without its mark says why, and never counts as finished."""
    suite, plan = planned(tmp_path, "import nosuchmodule\n")
    ended = supervise(plan, workers=1, follow=lambda line: None, suites=(str(suite),))
    assert read_records(plan.directory) == []
    assert json.loads((plan.directory / "plan.json").read_text())["seed"] == 1
    assert ended.finished is False or ended.problems == []


def test_what_is_installed_does_not_hide_the_users_modules():
    """The folder of the suites' package stays where it was in the import path, not first."""
    installed = str(Path(suites).parents[1])
    path = [installed, "here", "library", installed, "more"]
    user_modules_first(path)
    assert path == ["here", "library", installed, "more"]
    user_modules_first(path)
    assert path == ["here", "library", installed, "more"]
