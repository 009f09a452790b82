"""JUnit XML: one case a guarantee, and red exactly when the run's exit code is not 0."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from report_samples import HOSTILE, LOST, SAMPLES, all_hold, three_broken, unclaimed
from report_windows import STALE

from sessionproof.report.junit import render_junit
from sessionproof.report.plain import shown
from sessionproof.report.result import EXIT_REGRESSION


def suite_of(result) -> ET.Element:
    """The testsuite, parsed back from UTF-8."""
    root = ET.fromstring(render_junit(result).encode("utf-8"))
    (suite,) = root
    return suite


def case_of(suite: ET.Element, start: str) -> ET.Element:
    """The one case whose name starts so."""
    (case,) = [one for one in suite.iter("testcase") if one.get("name", "").startswith(start)]
    return case


@pytest.mark.parametrize("name", SAMPLES)
def test_red_is_exit_code_not_0(name):
    """A failure or an error is there exactly when the exit code is not 0, and counts are right."""
    result = SAMPLES[name]
    suite = suite_of(result)
    found = {tag: len(suite.findall(f"testcase/{tag}")) for tag in ("failure", "error", "skipped")}
    assert bool(found["failure"] or found["error"]) is (result.exit_code != 0)
    assert int(suite.get("failures")) == found["failure"]
    assert int(suite.get("errors")) == found["error"]
    assert int(suite.get("skipped")) == found["skipped"]
    assert int(suite.get("tests")) == len(suite.findall("testcase")) == len(result.guarantees) + 1


@pytest.mark.parametrize(
    ("name", "guarantee", "tag", "words"),
    [
        ("three_broken", "CORE-08", "failure", "broken: lost-message"),
        ("three_broken", "CORE-07", "error", "could not tell: the budget"),
        ("three_broken", "CORE-10", "skipped", "not claimed: the claim validates is off"),
        ("accepted", "CORE-07", "skipped", "accepted: could not tell: too slow"),
        ("unclaimed", "CORE-08", "skipped", "seen, not claimed: broken: lost-message"),
        ("unclaimed", "CORE-02", "skipped", "not claimed: could not tell: no batch"),
        ("nothing", "CORE-01", "skipped", "not run"),
        ("interrupted", "the run", "error", "This run was interrupted"),
        ("cut_short", "the run", "error", "This run is incomplete"),
        ("nothing", "the run", "error", "Nothing was examined"),
        ("three_broken", "CORE-01", None, ""),
        ("all_hold", "the run", None, ""),
    ],
)
def test_each_verdict_has_its_outcome(name, guarantee, tag, words):
    """Broken fails, could not tell is an error, what decides nothing is skipped with its words."""
    case = case_of(suite_of(SAMPLES[name]), guarantee)
    outcomes = [one for one in case if one.tag != "properties"]
    assert [one.tag for one in outcomes] == ([tag] if tag else [])
    if tag:
        assert words in outcomes[0].get("message")


def test_a_case_names_its_guarantee():
    """Class, name, time and properties say which guarantee it is and what was examined."""
    case = case_of(suite_of(three_broken), "CORE-08")
    assert case.get("classname") == "CORE"
    assert case.get("name") == "CORE-08 " + next(
        one.promise for one in three_broken.guarantees if one.id == "CORE-08"
    )
    values = {one.get("name"): one.get("value") for one in case.iter("property")}
    assert values == {
        "guarantee": "CORE-08", "verdict": "broken", "examined": "30", "unit": "reopenings",
        "seed": "7",
    }  # fmt: skip
    assert float(case.get("time")) == 2.5


def test_a_failure_tells_its_findings():
    """The text of a failure has the account, the program and the command."""
    text = case_of(suite_of(three_broken), "CORE-08").find("failure").text
    for part in (LOST.did, LOST.expected, LOST.seen, LOST.repeat, *LOST.program):
        assert part in text
    said = "it failed when it was run alone; it said: AssertionError: m3 is lost"
    assert f"reproducer: repro/CORE-08.py: {said}" in text
    text = case_of(suite_of(three_broken), "CORE-06").find("failure").text
    assert "reproducer: repro/CORE-06.py: it did not fail when it was run alone" in text


def test_a_failure_tells_why_it_cannot_be():
    """The sentence of a window is part of the failure's text."""
    texts = [one.text or "" for one in suite_of(SAMPLES["together"]).iter("failure")]
    assert sum(f"because: {STALE.sentence}" in text for text in texts) == 1


def test_what_was_seen_but_decides_nothing_is_told_too():
    """A break that is not gated keeps its findings in the skipped case."""
    assert LOST.seen in case_of(suite_of(unclaimed), "CORE-08").find("skipped").text


def test_hostile_texts_are_data():
    """Markup and characters that XML forbids are shown as they are, and make no element."""
    suite = suite_of(SAMPLES["hostile"])
    tags = {one.tag for one in suite.iter()}
    own = {"testsuite", "testcase", "properties", "property", "failure", "error", "skipped"}
    assert tags <= own
    names = {one.get("classname") for one in suite.iter("testcase")}
    assert names == {shown(HOSTILE), "run"}


def test_an_unexplained_exit_code_is_red():
    """A regression, which no guarantee explains, makes the run's own case an error."""
    suite = suite_of(replace(all_hold, exit_code=EXIT_REGRESSION, verdict="Slower than before."))
    assert case_of(suite, "the run").find("error").get("message") == "Slower than before."
