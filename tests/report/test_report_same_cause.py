"""Breaks are put down to one cause where their evidence is the same, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_page import Page
from report_samples import LOST, METADATA, SAMPLES, one_cause
from report_schedules import TABLES
from report_schedules import finding as found_by_a_schedule

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.verdicts import Verdict
from sessionproof.report.html import render_html
from sessionproof.report.junit import render_junit
from sessionproof.report.result import GuaranteeResult
from sessionproof.report.same_cause import apart, cause_of, causes, first_of_each, with_causes
from sessionproof.report.summary import render_summary

IDS = [*GUARANTEES][:12]
POINTER = "same cause as CORE-01: metadata: None became {}; mend that first"
findings = st.builds(
    replace,
    st.sampled_from([METADATA, LOST, found_by_a_schedule(next(iter(TABLES)))]),
    anomaly=st.sampled_from([Anomaly.CHANGED, Anomaly.WRONG_ANSWER]),
    change=st.sampled_from(["", "metadata: None became {}", "name: '' became None"]),
)


@st.composite
def some_rows(draw):
    """Guarantees in the registry's order, most of them broken."""
    return [
        GuaranteeResult(
            id=name, group="CORE", promise="it holds",
            verdict=draw(st.sampled_from([Verdict.BROKEN, Verdict.BROKEN, Verdict.NOT_CLAIMED])),
            findings=tuple(draw(st.lists(findings, max_size=3))),
        )
        for name in IDS[: draw(st.integers(0, len(IDS)))]
    ]  # fmt: skip


@given(some_rows())
def test_only_findings_of_one_cause_are_put_together(rows):
    """Whoever points elsewhere shows one change alone, and so does an earlier broken guarantee."""
    by_id = {row.id: row for row in rows}
    for name, leader in causes(rows).items():
        (cause,) = {cause_of(one) for one in by_id[name].findings}
        assert cause is not None
        assert cause in {cause_of(one) for one in by_id[leader].findings}
        assert IDS.index(leader) < IDS.index(name)
        assert by_id[name].verdict is by_id[leader].verdict is Verdict.BROKEN


@given(some_rows())
def test_no_cause_is_told_in_full_twice(rows):
    """Of guarantees that show one change alone, the first one leads all others."""
    same = causes(rows)
    full = [row for row in rows if row.verdict is Verdict.BROKEN and row.id not in same]
    alone = [{cause_of(one) for one in row.findings} for row in full]
    told = [cause for found in alone if len(found) == 1 for cause in found if cause is not None]
    assert len(told) == len(set(told))


@given(some_rows())
def test_nothing_but_the_pointer_is_changed(rows):
    """No verdict and no finding is another, and each guarantee stays, wherever it is shown."""
    made = with_causes(rows)
    assert [replace(row, same_cause_as=None) for row in made] == rows
    shown = apart(made)
    assert sorted(row.id for row in shown) == sorted(row.id for row in rows)
    places = [row.id for row in shown]
    for row in shown:
        if row.same_cause_as is not None:
            assert places.index(row.same_cause_as) < places.index(row.id)


@given(st.lists(findings, max_size=6))
def test_of_each_cause_the_first_finding_is_kept(found):
    """What is left out has a cause that an earlier one shows; the order stays."""
    kept = first_of_each(found)
    assert {cause_of(one) for one in kept} == {cause_of(one) for one in found}
    assert [one for one in found if cause_of(one) is None] == [
        one for one in kept if cause_of(one) is None
    ]


@pytest.mark.parametrize("anomaly", TABLES)
def test_a_finding_with_a_picture_stands_for_itself(anomaly):
    """What many clients, a crash or a schedule showed has evidence of its own."""
    found = replace(found_by_a_schedule(anomaly), change="metadata: None became {}")
    assert cause_of(found) is None


def test_the_page_leads_to_the_first():
    """A card says where the cause is shown, and not what such a break does; evidence is folded."""
    page = Page(render_html(one_cause))
    cards = [given["id"] for tag, given in page.elements if tag == "article"]
    assert cards == ["CORE-01", "CORE-06", "SEC-02", "CORE-08", "SEQ-03"]
    (card,) = page.all("article", id="SEC-02")
    assert "Same cause as CORE-01: metadata: None became {}; mend that first." in card
    assert "What was seen here" in card
    assert "What it does to a chat" not in card
    assert "What it does to a chat" in page.all("article", id="CORE-01")[0]
    assert page.all("a", href="#CORE-01").count("CORE-01") >= 2


def test_a_summary_points_to_the_first():
    """The page of a job has the evidence once; the others are a line."""
    text = render_summary(one_cause)
    assert text.count(METADATA.seen) == 3  # twice at CORE-01, once at CORE-08
    assert text.count(POINTER) == 2


def test_a_failure_says_whose_cause_it_has():
    """In JUnit each broken guarantee is a failure, the cause in its message and at its head."""
    text = render_junit(one_cause)
    assert text.count("<failure ") == 5
    assert text.count('message="broken: same cause as CORE-01"') == 2
    assert text.count(f">{POINTER}\n") == 2


def test_every_sample_is_as_it_was():
    """Where no finding names a change, nothing is put together."""
    for name in ("three_broken", "together", "crashed", "scheduled"):
        assert causes(SAMPLES[name].guarantees) == {}
