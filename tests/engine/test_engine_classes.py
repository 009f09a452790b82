"""``class TestMyStore(SessionStoreSuite)`` in a user's pytest: the same verdicts."""

import json
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from commands import environment

from sessionproof import SessionStoreSuite
from sessionproof.classes import Classes
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.report.result import EXITS_IN_ORDER

ROOT = Path(__file__).parents[2]

STORES = """
from sessionproof import Claims, Message

class Store:
    claims = Claims(atomic_batches=True)

    def __init__(self, location):
        self.sessions = {}

    def append(self, session_id, messages):
        self.sessions.setdefault(session_id, []).extend(messages)

    def read(self, session_id):
        return list(self.sessions.get(session_id, []))

    def close(self):
        pass

class Loses(Store):
    def append(self, session_id, messages):
        super().append(session_id, messages[:2])

class Exits(Store):
    def read(self, session_id):
        import os
        os._exit(0)

def make_store(location):
    return Store(location)

make_store.claims = Store.claims
"""
IMPORTS = "from sessionproof import SessionStoreSuite\nfrom mystore import *\n"
FEW = ("-k", "repetition or paging_gives or (what_was_appended and not limits) or mine")


@pytest.fixture
def project(tmp_path):
    """A user's project, with stores and a folder of tests."""
    (tmp_path / "mystore.py").write_text(STORES)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "tests").mkdir()
    return tmp_path


def a_class(body, *, name="TestMyStore"):
    """A user's test class, in the profile smoke."""
    return f"class {name}(SessionStoreSuite):\n    profile = 'smoke'\n    {body}\n"


def run(project, *arguments, code, few=FEW):
    """A plain pytest in the project; what it printed, and the results by class."""
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-rA", "--store-seed", "1", *few, *arguments],
        check=False, capture_output=True, text=True, timeout=120, cwd=project,
        env={**environment(), "COLUMNS": "160"},
    )  # fmt: skip
    assert ended.returncode == code, ended.stdout + ended.stderr
    files = sorted((project / "sessionproof-report").glob("*/result.json"))
    return ended.stdout, {file.parent.name: json.loads(file.read_text()) for file in files}


def _at_night(body, told):
    """A mistake that each change makes by the command alone."""
    return pytest.param(body, told, marks=pytest.mark.night)


def lines(printed, word):
    """The names of the tests that ended so."""
    summary = [line.split() for line in printed.splitlines() if line.startswith(word)]
    return {words[1].rpartition("::")[2] for words in summary}


def test_it_has_a_test_for_each_of_the_suites():
    """Every test of the suites is a test of the class, with its guarantee and its promise."""
    from sessionproof_suites import subclass

    ids = {test.sessionproof_guarantee for test in subclass._TESTS.values()}
    assert ids <= set(GUARANTEES)
    assert {name.partition("-")[0] for name in ids} >= {"CORE", "SEQ"}
    for name, test in subclass._TESTS.items():
        assert getattr(SessionStoreSuite, name) is test
        assert test.__doc__


@pytest.mark.parametrize(
    "workers",
    [
        pytest.param((), marks=pytest.mark.night),
        pytest.param(("-n", "2"), marks=pytest.mark.night),
        pytest.param(("-p", "no:xdist"), marks=pytest.mark.night),
    ],
)
def test_a_store_is_judged_in_any_pytest(workers, project):
    """With workers or without: tests pass, not claimed is a skip, one report is written once."""
    text = IMPORTS + a_class("store = make_store") + "\ndef test_mine():\n    pass\n"
    (project / "tests" / "test_mystore.py").write_text(text)
    printed, results = run(project, *workers, code=0)
    assert lines(printed, "PASSED") == {
        "test_what_was_appended_is_read_back", "test_repetition_is_data", "test_mine",
    }  # fmt: skip
    assert "not claimed: the store has no method page" in printed
    assert list(results) == ["TestMyStore"]
    result = results["TestMyStore"]
    assert (result["store"], result["profile"]) == ("mystore:make_store", "smoke")
    run_ids = {row["id"] for row in result["guarantees"] if row["verdict"] != "not run"}
    assert run_ids == {"CORE-01", "CORE-04", "CORE-14"}
    assert printed.count("sessionproof-report/TestMyStore/index.html") == 1
    assert (project / "sessionproof-report" / "TestMyStore" / "index.html").exists()


@pytest.mark.night
@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_each_class_has_a_report_of_its_own(workers, project):
    """Several classes over several stores are judged apart; a break fails its test."""
    text = IMPORTS + a_class("store = 'mystore:Store'", name="TestGood")
    (project / "tests" / "test_good.py").write_text(text)
    text = IMPORTS + a_class("store = Loses", name="TestBad")
    (project / "tests" / "test_bad.py").write_text(text)
    printed, results = run(project, *workers, code=1)
    assert set(results) == {"TestGood", "TestBad"}
    assert results["TestGood"]["exit_code"] == 0
    assert results["TestBad"]["exit_code"] == 1
    assert lines(printed, "FAILED") == {
        "test_what_was_appended_is_read_back", "test_repetition_is_data",
    }  # fmt: skip
    assert "CORE-14: Repetition is data" in printed
    assert "store.append('s0'" in printed


@pytest.mark.night
def test_a_store_that_ends_its_process_does_not_end_pytest(project):
    """A store that exits with 0 is a failed test, and the user's own tests go on."""
    text = IMPORTS + a_class("store = Exits") + "\ndef test_mine():\n    pass\n"
    (project / "tests" / "test_mystore.py").write_text(text)
    printed, results = run(project, code=1)
    assert lines(printed, "PASSED") == {"test_mine"}
    row = next(one for one in results["TestMyStore"]["guarantees"] if one["id"] == "CORE-01")
    assert row["findings"][0]["anomaly"] == "crash"


@pytest.mark.night
def test_a_known_break_is_an_expected_failure(project):
    """What the class's baseline lists does not fail; what it does not list fails."""
    (project / "known.toml").write_text(
        "[broken]\nCORE-01 = 'ticket 1'\nCORE-14 = 'ticket 2'\n", "utf-8"
    )
    text = IMPORTS + a_class("store = Loses\n    baseline = 'known.toml'")
    (project / "tests" / "test_mystore.py").write_text(text)
    printed, results = run(project, code=0)
    assert lines(printed, "XFAIL") >= {"test_repetition_is_data"}
    assert results["TestMyStore"]["verdict"] == "2 known breaks (baseline); 0 hold."
    (project / "known.toml").write_text("[broken]\nCORE-01 = 'ticket 1'\n", "utf-8")
    printed, _ = run(project, code=1)
    assert lines(printed, "FAILED") == {"test_repetition_is_data"}


@pytest.mark.night
def test_what_no_test_explains_still_fails(project):
    """A stale entry of the baseline fails the session although no test failed."""
    (project / "known.toml").write_text("[broken]\nCORE-04 = 'ticket 1'\n", "utf-8")
    text = IMPORTS + a_class("store = Store\n    baseline = 'known.toml'")
    (project / "tests" / "test_mystore.py").write_text(text)
    printed, _ = run(project, code=1, few=("-k", "repetition or paging_gives"))
    assert not lines(printed, "FAILED")
    assert "known.toml lists CORE-04, which the store does not claim" in printed


@pytest.mark.night
@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("pass", "it names no store: name it, as store = 'module:attr'"),
        _at_night(
            "store = lambda location: None", "cannot be found as test_mystore:TestMyStore.<lambda>"
        ),
        _at_night("store = Store(None)", "its store is a Store, which has no name"),
        _at_night("store = 'mystore:Nope'", "has no attribute 'Nope'"),
        _at_night("store = 'hostile:RaisesWhenMade'", "RuntimeError: no database here"),
        ("store = Store; profile = 'fast'", "there is no profile 'fast'"),
        _at_night("store = Store; baseline = 'nofile'", "nofile cannot be read"),
        _at_night(
            "store = Store; require = ['handles=lots']", "one of one, tasks, threads, processes"
        ),
    ],
)
def test_a_mistake_is_told_once(body, told, project):
    """What cannot be judged fails one test with one line; the others are skipped."""
    (project / "tests" / "test_mystore.py").write_text(IMPORTS + a_class(body))
    printed, results = run(project, code=1)
    assert len(lines(printed, "ERROR")) == 1, printed
    assert told in printed
    assert "Traceback" not in printed
    assert not lines(printed, "PASSED")
    assert results == {}


def test_tests_of_the_suite_cannot_be_replaced(project):
    """A class that replaces a test of the suite is refused, with the remedy."""
    body = "store = Store\n    def test_repetition_is_data(self): pass"
    (project / "tests" / "test_mystore.py").write_text(IMPORTS + a_class(body))
    printed, _ = run(project, code=2)
    assert "list what is known to be broken in a baseline instead" in printed


@pytest.mark.night
def test_the_users_settings_cannot_bend_the_gate(project):
    """Whatever names, markers, warnings and fixtures are set, the verdict is the same."""
    (project / "pytest.ini").write_text(
        "[pytest]\naddopts = --strict-markers --strict-config -W error -x\n"
        "python_classes = Check*\npython_functions = check_*\n"
    )
    (project / "tests" / "conftest.py").write_text(
        "import pytest\n@pytest.fixture(autouse=True)\ndef elsewhere(monkeypatch, tmp_path):\n"
        "    monkeypatch.chdir(tmp_path)\n"
        "    monkeypatch.setattr('sys.executable', '/no/such/python')\n"
    )
    text = IMPORTS + a_class("store = 'mystore:Store'", name="Judged")
    (project / "tests" / "test_mystore.py").write_text(text)
    printed, results = run(project, code=0)
    assert len(lines(printed, "PASSED")) == 2
    assert list(results) == ["Judged"]


@pytest.mark.night
def test_collecting_judges_nothing(project):
    """``--collect-only`` opens no store and lists every test."""
    (project / "tests" / "test_mystore.py").write_text(IMPORTS + a_class("store = 'no:where'"))
    printed, results = run(project, "--collect-only", "-q", code=0)
    assert "test_mystore.py::TestMyStore::test_repetition_is_data" in printed
    assert results == {}


@pytest.mark.night
def test_an_interruption_leaves_a_report(project):
    """Ctrl-C while a class is judged ends pytest with its code, and leaves a partial report."""
    (project / "tests" / "test_mystore.py").write_text(
        IMPORTS + "class TestMyStore(SessionStoreSuite):\n    store = Store; profile = 'deep'\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "tests"], cwd=project, env=environment(),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not _runs_the_suites(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 2, printed
    file = project / "sessionproof-report" / "TestMyStore" / "result.json"
    assert json.loads(file.read_text())["interrupted"] is True


def _runs_the_suites(pid):
    """Whether the process has a child that judges."""
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with suppress(OSError):  # another one, which has ended
            if b"--store-plan" in Path(f"/proc/{child}/cmdline").read_bytes():
                return True
    return False


def test_of_several_classes_the_code_that_applies_first_is_the_sessions():
    """In the order that the page on gates gives."""
    page = (ROOT / "docs" / "gate.md").read_text("utf-8")
    (line,) = [line for line in page.splitlines() if line.startswith("The first that applies: ")]
    said = re.findall(r"(?:: |, )(\d+)\b", line)
    assert [int(code) for code in said] == list(EXITS_IN_ORDER)


@pytest.mark.parametrize(("codes", "ends"), [((0, 0), 0), ((0, 4), 4), ((4, 5), 5), ((5, 1), 1)])
def test_a_session_of_tests_that_passed_ends_as_its_runs_did(codes, ends):
    """What could not be told of one class is no reason to keep silent about another."""
    results = {str(at): SimpleNamespace(exit_code=code) for at, code in enumerate(codes)}
    session = SimpleNamespace(exitstatus=pytest.ExitCode.OK)
    Classes.pytest_sessionfinish(SimpleNamespace(_results=results), session)
    assert session.exitstatus == ends
