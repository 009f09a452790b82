"""A slice ends as data, whatever its process did; its report stays where something was broken."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "report"))
from report_samples import SAMPLES

from sessionproof.contract.verdicts import Verdict
from sessionproof.engine import slices
from sessionproof.engine.children import Ended
from sessionproof.engine.slices import REPORTS_MOST, Where, carried_out
from sessionproof.report.nightly.night import SPEED, Slice
from sessionproof.report.write import write_result

NIGHT = "2026-01-05T031700Z"
BROKEN = SAMPLES["three_broken"]
IDS = tuple(one.id for one in BROKEN.guarantees)
JUDGE = Slice(store="s", part="one client", profile="gate", seed=9, rows=IDS)
MEASURE = Slice(store="s", part=SPEED, profile="gate", seed=9, rows=("PERF-01",))


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Carry out a slice whose process ends so, prints this, and leaves this result."""
    where = Where(words={"s": ("s",)}, folder=tmp_path, night=NIGHT, options=(),
                  stop=threading.Event())  # fmt: skip

    def carry(one, code, *, printed="", result=None, why="", kept=0):
        def play(asked, given, report, left_s):
            if result is not None:
                write_result(result, report)
            return Ended(code=code, why=why), printed

        monkeypatch.setattr(slices, "_run", play)
        return carried_out(one, where, number=3, left_s=60.0, kept=kept)

    return carry


def test_a_run_is_what_its_result_says(run, tmp_path):
    """What held, what did not and how to look again; its report stays."""
    ran = run(JUDGE, 1, result=BROKEN)
    assert (ran.state, ran.exit_code, ran.asked) == ("judged", 1, JUDGE)
    holds = [one.id for one in BROKEN.guarantees if one.verdict is Verdict.HOLDS]
    assert list(ran.held) == holds
    broken = [one for one in ran.rows if one.is_break]
    assert broken
    assert all(one.said and "sessionproof run" in one.repeat for one in broken)
    assert ran.report == f"runs/{NIGHT}/0003-one-client"
    assert (tmp_path / ran.report / "result.json").exists()


def test_only_what_was_asked_is_taken(run):
    """A result of more guarantees says nothing of the others."""
    asked = Slice(store="s", part="replay", profile="gate", seed=9, rows=("CORE-05",))
    ran = run(asked, 0, result=BROKEN)
    assert {*ran.held, *(one.id for one in ran.rows)} <= {"CORE-05"}


def test_reports_of_a_night_have_a_bound(run, tmp_path):
    """And one in which nothing was broken is not kept at all."""
    assert run(JUDGE, 1, result=BROKEN, kept=REPORTS_MOST).report == ""
    assert run(JUDGE, 0, result=SAMPLES["all_hold"]).report == ""
    assert not (tmp_path / "runs" / NIGHT).exists()


def test_a_run_that_was_cut_short_says_what_it_saw_broken(run):
    """What it could not tell is left to others: nobody knows why."""
    ran = run(JUDGE, 130, result=BROKEN, why="its time was over")
    assert ran.state == "cut short"
    assert "its time was over" in ran.problem
    assert {one.verdict for one in ran.rows} == {Verdict.BROKEN}


@pytest.mark.parametrize(
    ("code", "printed", "state", "problem"),
    [
        (2, "sessionproof: there is no module 'x'\n", "not opened", "there is no module 'x'"),
        (-9, "", "died", "was killed by signal 9"),
        (3, "odd\n", "died", "left no result: odd"),
    ],
)
def test_a_run_without_a_result_says_why(run, code, printed, state, problem):
    """A store that cannot be opened, and a process that died."""
    ran = run(JUDGE, code, printed=printed)
    assert (ran.state, ran.held, ran.rows) == (state, (), ())
    assert problem in ran.problem


@pytest.mark.parametrize(
    ("code", "printed", "why", "state", "words"),
    [
        (0, "| s: none is slower\n", "", "judged", "| s: none is slower"),
        (3, "| s: slower: append\n", "", "judged", "| s: slower: append"),
        (4, "", "", "judged", "it said nothing"),
        (2, "sessionproof: s was not measured: no\n", "", "not run", "s was not measured: no"),
        (130, "", "interrupted", "cut short", "it was cut short: interrupted"),
        (-11, "", "", "died", "the benchmark was killed by signal 11: it said nothing"),
        (1, "x\x1b[31m\n", "", "died", "the benchmark did not end well: x\\x1b[31m"),
    ],
)
def test_a_benchmark_is_what_its_code_says(run, code, printed, why, state, words):
    """Its report is kept where it found a regression."""
    ran = run(MEASURE, code, printed=printed, why=why)
    assert (ran.state, ran.said or ran.problem) == (state, words)
    assert bool(ran.report) == (code == 3)
