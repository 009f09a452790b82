"""A comparison of two versions in words: headline, cells, Markdown, exit codes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from fixtures.regressions.gates import COMPARISON
from sessionproof.bench.tracking.compared import comparison_from_json, comparison_to_json
from sessionproof.contract.measurements import Ratio
from sessionproof.report.compared import (
    JSON,
    MARKDOWN,
    cells,
    change,
    exit_code,
    headline,
    named,
    render_markdown,
    write_comparison_files,
)

CALM = replace(
    COMPARISON, rows=tuple(row for row in COMPARISON.rows if row.verdict in ("same", "faster"))
)
UNTOLD = replace(COMPARISON, rows=tuple(row for row in COMPARISON.rows if row.verdict != "slower"))


def test_the_headline_names_what_is_slower():
    """Slower first, with its size, then faster, then what could not be told."""
    said = headline(COMPARISON)
    assert said.startswith("slower: append (+21.0 %), delete (×2.40); faster: page (-9.0 %)")
    assert said.endswith("could not tell: open, search")
    assert headline(CALM).startswith("none of 3 operations is known to be slower; faster: page")


@pytest.mark.parametrize(
    ("comparison", "code", "accepted"),
    [
        (COMPARISON, 3, 3),
        (UNTOLD, 4, 0),
        (CALM, 0, 0),
        (replace(CALM, problem="head: it ended"), 4, 0),
        (replace(COMPARISON, interrupted=True, problem="interrupted"), 130, 130),
    ],
)
def test_exit_codes(comparison, code, accepted):
    """Interrupted, slower, untold, and none of them, in this order."""
    assert exit_code(comparison, accept_unknown=False) == code
    assert exit_code(comparison, accept_unknown=True) == accepted


def test_cells_of_rows_with_and_without_figures():
    """What is not known is a dash, and the verdict has its reason or warning."""
    rows = {row.operation: cells(row) for row in COMPARISON.rows}
    assert rows["append"] == ("append", "20.0 µs", "24.2 µs", "+21.0 % [+19.8, +22.2]", "slower")
    assert rows["search"][3] == "–"
    assert rows["search"][4] == "could not tell: too few pairs could be used"
    assert rows["create"][4] == "same: slower by less than the margin"


def test_a_change_is_in_percent_until_it_doubles():
    """From twice the cost on it is a multiple."""
    assert change(Ratio(value=0.91, low=0.9, high=0.92, rounds=1, of=1)) == "-9.0 % [-10.0, -8.0]"
    assert change(Ratio(value=2.4, low=2.3, high=2.5, rounds=1, of=1)) == "×2.40 [2.30, 2.50]"


def test_a_version_is_named_with_its_commit():
    """As it was asked for, then what is known of it."""
    commit = COMPARISON.base.commit
    expected = f"v1.2 ({commit.id[:12]}, {commit.subject}, version 1.2)"
    assert named(COMPARISON.base) == expected
    assert named(replace(COMPARISON.base, commit=None, version=None)) == "v1.2"


def test_the_markdown_has_all_and_no_markup_of_others():
    """Every row, what was left out, both sides, how to repeat it; a subject is text."""
    evil = replace(COMPARISON.base.commit, subject="<img src=x> [a](http://b) @all | x")
    text = render_markdown(
        replace(COMPARISON, base=replace(COMPARISON.base, commit=evil), warning="both are one")
    )
    for row in COMPARISON.rows:
        assert f"| {row.operation} |" in text
    assert "- sweep was not compared: base has no such call" in text
    assert "- both are one" in text
    assert f"- again: `{COMPARISON.command}`" in text
    for markup in ("<img", "[a](", "@all", "://b"):
        assert markup not in text


def test_the_files_are_written_and_read_back(tmp_path):
    """The JSON is the comparison; another schema is refused in a line."""
    write_comparison_files(COMPARISON, tmp_path / "out")
    value = json.loads((tmp_path / "out" / JSON).read_text("utf-8"))
    assert comparison_from_json(value) == COMPARISON
    assert (tmp_path / "out" / MARKDOWN).read_text("utf-8") == render_markdown(COMPARISON)
    assert comparison_to_json(COMPARISON)["schema"] == 1
    with pytest.raises(ValueError, match="schema 9, and this version reads 1"):
        comparison_from_json({**value, "schema": 9})
