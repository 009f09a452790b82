"""``pytest -q`` says in a few lines what a run said."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from sessionproof.classes import Classes
from sessionproof.engine.judge import Concluded
from sessionproof.plugin import _Controller
from sessionproof.report.result import RunResult, concluded, merge

RESULT = concluded(
    RunResult(
        store="mystore:Store", store_version=None, profile="gate", seed=1, sessionproof="1",
        guarantees=merge([], expected=["CORE-01"]),
    )
)  # fmt: skip


def of_a_class(option):
    """The end of a session with a test class."""
    classes = Classes(SimpleNamespace(option=option))
    classes._results["sessionproof-report/TestMyStore"] = RESULT
    return classes.pytest_terminal_summary


def of_a_store(option):
    """The end of a session with ``--store``."""
    config = SimpleNamespace(option=option)
    page = Path("sessionproof-report")
    ended = SimpleNamespace(_config=config, _concluded=Concluded(RESULT, page))
    return lambda reporter: _Controller.pytest_terminal_summary(ended, reporter)


@pytest.mark.parametrize("end_of", [of_a_class, of_a_store])
def test_a_quiet_pytest_prints_the_verdict_and_the_path(end_of, capsys):
    """With ``-q`` the table is left out; what fails the run, the verdict and the path stay."""
    summary = end_of(SimpleNamespace(store_plan=None))
    printed = {}
    for verbosity in (0, -1):
        summary(SimpleNamespace(verbosity=verbosity, section=print, line=print))
        printed[verbosity] = capsys.readouterr().out
        assert RESULT.verdict in printed[verbosity]
        assert "report: sessionproof-report" in printed[verbosity]
    assert "guarantee" in printed[0]
    assert "run again" in printed[0]
    assert len(printed[-1].splitlines()) == 4
    assert "? CORE-01: " in printed[-1]
