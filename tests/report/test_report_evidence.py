"""Overview, evidence and breaks on the page: each has its place, its words, its picture."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from report_page import Page
from report_samples import HOSTILE, LOST, SAMPLES, broken, records, run

from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.verdicts import Reproducer
from sessionproof.report import words
from sessionproof.report.html import render_html
from sessionproof.report.plain import shown
from sessionproof.report.result import merge


@pytest.fixture(scope="module")
def pages() -> dict[str, Page]:
    """Every sample's page, parsed."""
    return {name: Page(render_html(result)) for name, result in SAMPLES.items()}


@pytest.mark.parametrize("name", ["all_hold", "three_broken", "interrupted", "nothing"])
def test_each_verdict_shows_its_evidence(name, pages):
    """Whatever was judged shows how much was examined; the others are counted, not coloured."""
    rows = [text for text in pages[name].all("tr") if re.match(r"[✓✗?] [A-Z]+-\d\d", text)]
    judged = [one for one in SAMPLES[name].guarantees if one.verdict in words.JUDGED]
    for text, row in zip(rows, judged, strict=True):
        assert row.id in text
        assert f"{row.examined:,} {row.unit}, at least {row.least:,}" in text
    left = [one for one in SAMPLES[name].guarantees if one.verdict not in words.JUDGED]
    section = pages[name].all("section", **{"aria-labelledby": "thoroughness"})[0]
    assert ("No evidence was gathered for the others" in section) is bool(left)
    bars = [given for _, given in pages[name].elements if given.get("class") == "bar"]
    assert len(bars) == sum(one.examined >= one.least for one in judged)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_overview_has_a_cell_for_each_guarantee(name, pages):
    """Each guarantee has one cell with its verdict in words, which leads to its place."""
    cells = [
        (given["href"], text)
        for (tag, given), text in zip(pages[name].elements, pages[name].texts, strict=True)
        if tag == "a" and (given.get("class") or "").startswith("cell ")
    ]
    assert len(cells) == len(SAMPLES[name].guarantees)
    for (link, text), row in zip(cells, _by_group(SAMPLES[name]), strict=True):
        assert link == f"#{shown(row.id)}"
        assert row.verdict.shown in text
        assert words.SYMBOLS[row.verdict] in text


def _by_group(result):
    return [row for rows in words.grouped(result).values() for row in rows]


def test_known_breaks_are_told_apart(pages):
    """A listed break has a section of its own with its reason; a mended one is named above."""
    page = pages["known"]
    assert "Known breaks" in page.all("h2")
    assert "Broken" not in page.all("h2")
    (told,) = page.all("article")
    assert "Known break: lost after a crash, see the tracker" in told
    (header,) = page.all("header")
    assert "CORE-06 is listed as broken in known-breaks.toml, and holds now" in header
    assert "which the store does not claim: strike it." in pages["stale"].all("header")[0]


def test_a_break_says_what_it_does_to_a_chat(pages):
    """Each broken guarantee has the damage of its row in the registry."""
    for told, row in zip(
        pages["three_broken"].all("article"), ("CORE-06", "CORE-08", "SEQ-03"), strict=True
    ):
        assert f"What it does to a chat: {GUARANTEES[row].damage}" in told


def test_a_reproducer_is_linked_and_judged(pages):
    """A reproducer has its file, whether it failed alone, what it said, and its script."""
    told = pages["three_broken"].all("article")
    assert "repro/CORE-06.py: it did not fail when it was run alone." in told[0]
    assert "repro/CORE-08.py: it failed when it was run alone. It said: Assert" in told[1]
    assert all(" ".join(line.split()) in told[1] for line in LOST.script)
    assert "Reproducer" not in told[2]
    links = [g["href"] for t, g in pages["three_broken"].elements if t == "a"]
    assert links.count("repro/CORE-08.py") == 2  # two findings
    assert not any(HOSTILE[:9] in g.get("href", "")[:9] for _, g in pages["hostile"].elements)


@pytest.mark.parametrize(
    "file", ["../x.py", "/etc/x.py", "javascript:x.py", "a/../b.py", "//host/x.py", "x.html", ".py"]
)
def test_only_files_beside_the_page_are_links(file):
    """A reproducer's path that leads elsewhere is shown, and is no link."""
    finding = replace(LOST, reproducer=Reproducer(file=file, fails=None))
    page = Page(render_html(run(merge(records(broken("CORE-08", finding))))))
    assert f"{file}: it was not run to its end." in page.all("article")[0]
    assert file not in [g["href"] for t, g in page.elements if t == "a"]


def test_verdicts_that_occur_can_be_chosen(pages):
    """A choice for each of them, by the words of the verdict; none where there is one alone."""
    choices = [
        given["id"]
        for tag, given in pages["three_broken"].elements
        if tag == "input" and given["type"] == "radio"
    ]
    verdicts = ["holds", "broken", "not-claimed", "could-not-tell"]
    assert choices == ["show-all", *(f"show-{one}" for one in verdicts)]
    labels = pages["three_broken"].all("label")
    assert labels[:5] == ["all", "✓ holds", "✗ broken", "– not claimed", "? could not tell"]
    assert pages["all_hold"].all("legend") == []


def test_steps_are_drawn(pages):
    """A finding with recorded steps has a picture with words for it; the others have none."""
    pictures = [
        given["aria-label"]
        for tag, given in pages["three_broken"].elements
        if tag == "svg" and "operations" in (given["aria-label"] or "")
    ]
    words_of_it = "3 operations on 1 session; the last, read, answered 2 messages and should have"
    assert pictures == [f"{words_of_it} answered 3"] * 2
    assert len(pages["three_broken"].all("figure", class_="picture")) == 2
