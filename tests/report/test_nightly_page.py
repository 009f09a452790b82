"""The page of nights: strips in words and columns, links to reports alone, small whatever comes."""

from __future__ import annotations

import re

import pytest
from nightly_samples import STORE, left, night, ran, seen, speed, weeks
from report_page import Page
from report_samples import HOSTILE

from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.verdicts import Verdict
from sessionproof.report.nightly.corpus import Corpus, after
from sessionproof.report.nightly.pages import PAGE, SUMMARY, TOLD_MOST, render_page, write_pages
from sessionproof.report.nightly.standing import told
from sessionproof.report.nightly.strips import groups_of, marks_of
from sessionproof.report.nightly.words import render_markdown, slice_words, span
from sessionproof.svg.night_strip import NIGHTS_MOST, night_strip

HALF_MIB = 512 * 1024


def page_of(one, corpus=Corpus(), **given):  # noqa: B008 - it is frozen
    """The page of a night, and its text."""
    source = render_page(one, told(corpus, one), after(corpus, one), **{"nights": [one], **given})
    return Page(source), source


def test_a_mark_is_the_worst_of_the_night():
    """A break outweighs all; what held with one seed could be told."""
    one = night(
        ran(held="CORE-01 CORE-02 CORE-03"),
        ran(broken="CORE-01", unsure="CORE-02 CORE-04", rows=(seen("CORE-05", known="why"),)),
        ran(rows=(seen("CORE-06", Verdict.UNKNOWN, accepted=True),)),
        speed(3),
    )
    assert marks_of(one, STORE) == {
        "CORE-01": "broken", "CORE-02": "holds", "CORE-03": "holds", "CORE-04": "could-not-tell",
        "CORE-05": "not-claimed", "CORE-06": "could-not-tell", "speed": "broken",
    }  # fmt: skip
    assert marks_of(one, "another") == {}


def test_a_group_wears_the_worst_and_opens_to_what_did_not_hold():
    """Rows that always held are counted."""
    nights = [
        night(ran(held="CORE-01 CORE-02")),
        night(ran(held="CORE-01", broken="CORE-02"), day=6),
        night(ran(held="DUR-01"), day=7),
    ]
    core, dur = groups_of(STORE, nights)
    assert core.strip.nights == ("holds", "broken", "")
    assert core.strip.words == "broken in 1 night (2026-01-06), held in 1 night"
    assert [row.name for row in core.rows] == ["CORE-02"]
    assert (core.calm, dur.strip.name, dur.strip.nights) == (1, "DUR", ("", "", "holds"))


def test_many_days_are_cut_at_the_oldest():
    """The newest are what a reader looks for."""
    (conc, *_) = [one for one in groups_of(STORE, weeks(60)) if one.strip.name == "DUR"]
    assert "(…, 2026-02-20, 2026-02-23, 2026-02-26, 2026-03-01)" in conc.strip.words
    assert len(conc.strip.nights) == NIGHTS_MOST


def test_a_strip_has_a_column_for_each_night():
    """Its classes are told by their heights, too, and its words by its label."""
    drawn = str(night_strip(["holds", "", "broken", "broken"], label="x & y"))
    assert re.findall(r'd="([^"]*)" class="night (\w+)"', drawn) == [
        ("M10 0h4v16h-4zM15 0h4v16h-4z", "broken"),
        ("M0 12h4v4h-4z", "holds"),
    ]
    assert 'aria-label="x &amp; y"' in drawn


def test_what_is_new_stands_first_with_its_command():
    """With the promise, the harm, how often, and the report of a run."""
    one = night(ran(broken="CONC-01", report="runs/2026-01-05T031700Z/0001-concurrency"))
    page, source = page_of(one)
    assert page.all("h1") == ["1 new; 0 guarantees hold."]
    (heading,) = page.all("h3")[:1]
    assert heading == f"new CONC-01 {GUARANTEES['CONC-01'].promise}"
    assert page.all("code")[0].endswith("--only CONC-01")
    assert GUARANTEES["CONC-01"].damage in source.replace("&#39;", "'")
    assert 'href="runs/2026-01-05T031700Z/0001-concurrency/index.html#CONC-01"' in source


@pytest.mark.parametrize(
    "report", ["javascript:alert(1)", "runs/../../x", 'runs/a/b" x="', "//x/y"]
)
def test_only_reports_are_links(report):
    """A night's file may have been changed by anybody."""
    page, _ = page_of(night(ran(broken="CONC-01", report=report)))
    links = [given["href"] for tag, given in page.elements if tag == "a"]
    assert sorted(links) == ["#content", "summary.md"]


def test_a_large_night_has_a_small_page():
    """Everything broken, in many stores, for weeks."""
    rows = tuple(seen(name, said=HOSTILE * 20) for name in GUARANTEES)
    stores = tuple(f"store{number}" for number in range(4))
    every = [
        night(*(ran(rows=rows, store=store) for store in stores), stores=stores, day=day)
        for day in range(1, 4)
    ]
    page, source = page_of(every[-1], nights=every * 10)
    assert len(source.encode()) < 4 * HALF_MIB
    assert len(page.all("article")) == TOLD_MOST
    assert f"{4 * len(GUARANTEES) - TOLD_MOST} more are in nights/" in source


def test_a_usual_page_is_far_below_the_limit():
    """Sixty nights of one store."""
    every = weeks(60)
    _, source = page_of(every[-1], left(*every[:-1]), nights=every)
    assert len(source.encode()) < HALF_MIB


def test_the_page_of_an_interrupted_night_says_so(tmp_path):
    """And all of it is written into the folder."""
    one = night(ran(held="CORE-01"), ended=False)
    assert write_pages(tmp_path, one, [], Corpus(), 130) == tmp_path / PAGE
    assert "This night was interrupted" in (tmp_path / PAGE).read_text("utf-8")
    assert "the same command goes on" in (tmp_path / SUMMARY).read_text("utf-8")


def test_an_archive_that_is_none_is_named(tmp_path):
    """The rest of the page is there."""
    (tmp_path / "speed.db").write_text("no archive")
    write_pages(tmp_path, night(ran(held="CORE-01")), [], Corpus(), 0)
    assert "speed.db is no archive of benchmark runs" in (tmp_path / PAGE).read_text("utf-8")


def test_the_summary_has_no_markup_of_a_store():
    """Whatever it said is text, and the table stays one."""
    one = night(ran(rows=(seen("CORE-01", said="a | b\n<img> @you", repeat="run 'a|b'"),)))
    text = render_markdown(one, told(Corpus(), one))
    (line,) = [one for one in text.splitlines() if one.startswith("| new")]
    assert line.count(" | ") == 4
    assert "<img>" not in text
    assert "@you" not in text


def test_a_slice_in_words():
    """What held, what broke, what could not be told, and why there is nothing."""
    assert slice_words(ran(held="CORE-01", broken="CONC-01", unsure="DUR-01")) == (
        "1 held, 1 broken: CONC-01, could not tell of DUR-01"
    )
    many = slice_words(ran(broken=" ".join(list(GUARANTEES)[:9])))
    assert many.endswith("and 3 more")
    assert slice_words(ran(state="died", problem="it died")) == "it died"
    assert slice_words(ran(rows=(seen("CORE-06", known="why"),))) == "nothing that counts"
    assert slice_words(speed(3, said="slower: append")) == "slower: append"


def test_lengths_of_time_are_short():
    """Seconds, minutes, hours."""
    assert [span(one) for one in (0, 41.4, 99, 720, 5_940, 6_000, 21_600, 19_800)] == [
        "0 s", "41 s", "99 s", "12 min", "99 min", "1 h 40 min", "6 h", "5 h 30 min",
    ]  # fmt: skip
