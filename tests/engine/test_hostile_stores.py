"""A store can attack the run that judges it: each attack ends as a finding or as exit code 2."""

import pytest
from commands import judge, quick

SHORT = ("--operation-deadline", 1, "--test-deadline", 5)


@pytest.mark.parametrize(
    ("store", "anomaly"),
    [
        ("Exits", "crash"),
        pytest.param("HangsInC", "hang", marks=pytest.mark.night),
        pytest.param("Hangs", "hang", marks=pytest.mark.night),
        pytest.param("EndlessAnswer", "hang", marks=pytest.mark.night),
        pytest.param("ReturnsHostileObjects", "malformed-answer", marks=pytest.mark.night),
        pytest.param("ReturnsHostileTexts", "changed-content", marks=pytest.mark.night),
        pytest.param("RaisesHostileErrors", "unexpected-refusal", marks=pytest.mark.night),
        pytest.param("RaisesSystemExit", "unexpected-refusal", marks=pytest.mark.night),
        pytest.param("RaisesKeyboardInterrupt", "unexpected-refusal", marks=pytest.mark.night),
    ],
)
def test_ends_as_a_finding(store, anomaly, tmp_path):
    """Whatever the store does, the run ends with exit code 1 and says what was seen."""
    ran = quick(tmp_path, f"hostile:{store}", *SHORT)
    assert ran.code == 1, ran
    row = ran.guarantee("CORE-01")
    assert row["verdict"] == "broken"
    assert row["findings"][0]["anomaly"] == anomaly
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("store", "words"),
    [
        ("RaisesWhenMade", "RuntimeError: no database here, on two lines"),
        ("HangsWhenMade", "did not open within 1 s"),
        ("HangsInCWhenMade", "held the interpreter's lock"),
        ("ExitsWhenMade", "ended with exit code 0"),
        ("NoRead", "has no read"),
        ("WrongShape", "read_last"),
    ],
)
def test_that_cannot_be_opened_is_bad_usage(store, words, tmp_path):
    """A store that does not open is told in one line, with exit code 2."""
    ran = quick(tmp_path, f"hostile:{store}", *SHORT)
    assert ran.code == 2, ran
    assert ran.err.count("\n") == 1
    assert words in ran.err
    assert ran.result == {}


def test_that_prints_is_harmless(tmp_path):
    """Garbage on both streams, raw or not, changes nothing and is not shown."""
    ran = quick(tmp_path, "hostile:Prints")
    assert ran.code == 0, ran
    assert "garbage" not in ran.out + ran.err


def test_that_keeps_a_thread_does_not_hold_the_run(tmp_path):
    """A thread that never ends does not keep the run from ending."""
    assert quick(tmp_path, "hostile:LeavesThreads").code == 0


@pytest.mark.night
def test_a_dying_store_is_given_up(tmp_path):
    """After some deaths the rest is not examined, and never shown as holding."""
    ran = judge(tmp_path, "hostile:Exits", "--profile", "smoke", "--seed", 1, "-n", 1)
    assert ran.code == 1
    assert any("was not examined" in note for note in ran.result["notes"])
    verdicts = {row["verdict"] for row in ran.result["guarantees"] if not row["examined"]}
    assert verdicts <= {"broken", "unknown", "not claimed"}


@pytest.mark.night
def test_a_hanging_store_is_not_waited_for_again_and_again(tmp_path):
    """After two hangs in a worker of a pass further tests are not examined, and say so."""
    ran = judge(
        tmp_path, "hostile:Hangs", "--profile", "smoke", "--seed", 1, "-n", 1, *SHORT
    )  # fmt: skip
    assert ran.code == 1
    found = [finding for row in ran.result["guarantees"] for finding in row["findings"]]
    assert {finding["anomaly"] for finding in found} == {"hang"}
    assert len(found) == 2
    assert any("hung in 2 tests" in row["reason"] for row in ran.result["guarantees"])
