"""Damaged files in the report: a line for each, a map by page, tables by class and by page."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from report_damages import ALL_FOUND, DAMAGES, LARGE, LOG, SERVES, damages, of_class, page
from report_page import Page
from report_samples import all_hold, damaged, with_measured
from rich.console import Console

from sessionproof.contract.decoding import decoded
from sessionproof.contract.measurements import measured_to_json
from sessionproof.report.damages import (
    CELLS_MAX,
    LETTERS,
    OUTCOMES,
    PAGES_MAX,
    damage_lines,
    damage_maps,
    damage_rows,
    summary,
)
from sessionproof.report.html import render_html
from sessionproof.report.summary import render_summary
from sessionproof.report.terminal import print_summary
from sessionproof.svg.page_map import ACROSS, PAD, SIZE


def rows(*every):
    """The damages of a run in which one guarantee measured them."""
    return damage_rows(with_measured(all_hold, {"COR-01": every}))


def cells(drawn):
    """Class and letter of each damaged page of a map by its number; how many were not damaged."""
    root = ET.fromstring(drawn.picture)
    left = min((float(one.get("x")) for one in root.iter("rect")), default=0)
    left = min([left, *(float(one.split()[0]) for one in untried(root))])
    found = {}
    for one in root.iter("g"):
        ground = next(iter(one.iter("rect")))
        across = (float(ground.get("x")) - left) / SIZE
        number = round(across) + ACROSS * round((float(ground.get("y")) - PAD) / SIZE) + 1
        (letter,) = [part.text for part in one.iter("text")]
        found[number] = (one.get("class").split()[1], letter)
    return found, len(untried(root))


def untried(root):
    """The pages that were not damaged, as parts of their shape."""
    return [part for one in root.iter("path") for part in one.get("d").split("M")[1:]]


def test_each_file_has_a_line():
    """How many damages, what came of them, and whether a promise covers what was served."""
    assert summary(ALL_FOUND) == (
        "sessions.db: 14 damages, 4 raised, 4 found, 6 harmless, none served as good data"
    )
    assert summary(LOG) == (
        "sessions.db-wal: 8 damages, 2 raised, none served as good data, "
        "6 unnoticed that no promise covers"
    )
    put = replace(LOG, note="the store has none")
    assert summary(put).endswith("6 unnoticed that no promise covers; the store has none")
    assert summary(SERVES) == (
        "chat.db: 53 damages, 11 raised, 18 harmless, 12 served as good data, "
        "12 unnoticed that no promise covers; positions were drawn by the seed"
    )


def test_what_several_guarantees_measured_is_shown_once():
    """One file has one row, with the ids of all that measured it."""
    found = damage_rows(damaged)
    assert [(one.damages.file, one.guarantees) for one in found] == [
        ("sessions.db", ("COR-01", "COR-02")), ("sessions.db-wal", ("COR-01",)),
        ("chat.db", ("COR-01",)), ("archive/2026/chats.jsonl", ("COR-01",)),
    ]  # fmt: skip
    assert [one.broken for one in found] == [False, False, True, True]


def test_a_cell_is_a_page_and_shows_the_worst():
    """Each damaged page has its letter, at its place; the others are empty."""
    (drawn,) = damage_maps(rows(ALL_FOUND))
    seen, others = cells(drawn)
    assert len(seen) + others == 31
    assert seen == {
        1: ("raised", "R"), 7: ("raised", "R"), 8: ("found", "F"), 19: ("found", "F"),
        25: ("harmless", "H"), 31: ("found", "F"),
    }  # fmt: skip
    titles = [one.text for one in ET.fromstring(drawn.picture).iter("title")]
    assert titles[0] == "page 1, header and schema: 1 raised, 2 harmless"


@pytest.mark.parametrize("worst", OUTCOMES)
def test_one_outcome_outweighs_those_that_follow(worst):
    """A page that was served once is shown as served, whatever else came of it."""
    after = OUTCOMES[OUTCOMES.index(worst) :]
    one = damages(pages=1, cells=(page(1, "", **dict.fromkeys(after, 1)),))
    (drawn,) = damage_maps(rows(one))
    assert cells(drawn) == ({1: (worst, LETTERS[worst])}, 0)


def test_one_page_among_very_many_is_still_seen():
    """Neighbours share a cell, which shows the worst of them, and a row says where it begins."""
    (drawn,) = damage_maps(rows(LARGE))
    seen, others = cells(drawn)
    assert len(seen) + others <= CELLS_MAX
    size = -(-9_000 // CELLS_MAX)
    assert seen[4_444 // size + 1] == ("served", "S")
    assert seen[1] == ("raised", "R")
    assert f"Each cell is {size} of 9,000 pages of 512 bytes" in drawn.scale
    first = [one.text for one in ET.fromstring(drawn.picture).iter("text") if one.get("class")]
    assert first[:2] == ["1", f"{20 * size + 1:,}"]


def test_the_legend_has_what_is_there():
    """Each outcome of the map is explained once, and nothing else."""
    words = [said.partition(":")[0] for _, said in damage_maps(rows(ALL_FOUND))[0].legend]
    assert words == ["found", "raised", "harmless", "not damaged"]
    (drawn,) = damage_maps(rows(LOG))
    assert drawn.legend[0][1].endswith("no promise of the store covers it")
    (drawn,) = damage_maps(rows(SERVES))
    assert not drawn.legend[0][1].endswith("covers it")


def test_a_file_without_pages_is_drawn():
    """Damage that belongs to no page, as a removed log, has its class and an empty map."""
    one = damages("x", 0, cells=(), classes=(of_class("log removed", harmless=2),))
    (drawn,) = damage_maps(rows(one))
    assert cells(drawn) == ({}, 0)
    assert "log removed" in render_html(with_measured(all_hold, {"COR-01": (one,)}))


def test_the_page_has_tables_of_classes_and_pages():
    """Each class with its numbers; what breaks a promise is marked, what does not is told."""
    source = Page(render_html(damaged))
    text = " ".join(source.all("td"))
    assert "✗ 7" in text
    assert "12 not promised" in text
    heads = source.all("th", scope="row")
    assert "pages swapped" in heads
    assert "Damage" in source.all("h2")
    many = damages(pages=300, cells=tuple(page(n, "x", raised=1) for n in range(1, 201)))
    assert f"{200 - PAGES_MAX} more are in result.json" in render_html(
        with_measured(all_hold, {"COR-01": (many,)})
    )


def test_without_damages_nothing_is_said():
    """A run that damaged nothing has no section, no line and no style sheet for it."""
    assert 'id="damages"' not in render_html(all_hold)
    assert ".damaged" not in render_html(all_hold)
    assert damage_lines(damage_rows(all_hold)) == []


def test_the_terminal_and_the_summary_have_a_line_for_each_file():
    """The line of each file stands in both."""
    out = io.StringIO()
    print_summary(damaged, Console(file=out, width=300))
    for line in damage_lines(damage_rows(damaged)):
        assert line in out.getvalue()
    text = render_summary(damaged)
    assert "Damaged files" in text
    assert "53 damages" in text


@pytest.mark.parametrize("one", [one for every in DAMAGES.values() for one in every])
def test_json_and_back_is_the_same(one):
    """What is written to result.json is read as it was."""
    assert decoded(type(one), json.loads(json.dumps(measured_to_json(one)))) == one
