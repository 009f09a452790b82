"""``sessionproof compare``: two reports, a table, a page, an exit code; mistakes are one line."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "report"))  # made results

from report_samples import HOSTILE, SAMPLES, all_hold, hostile, nothing, three_broken

from sessionproof.report.write import write_report, write_result

PAGE = (Path(__file__).parents[2] / "docs" / "compare.md").read_text("utf-8")


@pytest.fixture
def reports(tmp_path):
    """Two folders as of runs: before, in which all hold, and after, in which three are broken."""
    write_report(all_hold, tmp_path / "before")
    write_report(replace(three_broken, seed=8), tmp_path / "after")
    return tmp_path


def test_the_page_on_it_is_right(run, reports):
    """The command of the page, with the table, the sentence, and links to both reports."""
    (command,) = re.findall(r"^sessionproof (compare .*)$", PAGE, re.MULTILINE)
    code, out, err = run(*command.split())
    assert (code, err) == (1, "")
    assert "differs   seed: 7 -> 8" in out
    assert re.search(r"CORE-08 .* holds .* broken .* held before", out)
    assert "verdict   Held before, and is broken: CORE-06, CORE-08, SEQ-03" in out
    page = (reports / "sessionproof-compare.html").read_text("utf-8")
    assert 'href="after/index.html#CORE-08"' in page
    assert 'href="before/index.html"' in page


def test_the_result_may_be_named_itself(run, reports):
    """A file as well as a folder; the page goes where it is wanted, and its links with it."""
    (reports / "pages").mkdir()
    code, out, _ = run("compare", "after/result.json", "before", "--out", "pages/c.html")
    assert code == 0
    assert "mended" in out
    assert 'href="../before/index.html"' in (reports / "pages" / "c.html").read_text("utf-8")


def test_the_json_has_the_fields_of_the_page(run, reports):
    """Each field is documented, and no other is there."""
    code, out, err = run("compare", "before", "after", "--json")
    assert (code, err) == (1, "")
    found = json.loads(out, parse_constant=pytest.fail)
    table = PAGE.partition("## For programs")[2]
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    assert set(found) == {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    words = set(re.findall(r"\| `(\w+)` \|$", PAGE, re.MULTILINE))
    assert {one["change"] for one in found["guarantees"]} < words
    assert len(words) == 9


def test_a_fresh_break_of_nothing_is_no_comparison(run, tmp_path):
    """Where nothing was judged in both, that is said, and ends with 5."""
    write_result(nothing, tmp_path)
    (tmp_path / "other").mkdir()
    write_result(all_hold, tmp_path / "other")
    code, out, _ = run("compare", ".", "other")
    assert code == 5
    assert "Nothing was judged in both runs." in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["before", "nowhere"], "cannot read nowhere: No such file"),
        (["before", "before"], "cannot be compared with itself"),
        (["before", "before/result.json"], "cannot be compared with itself"),
        (["before", "broken.json"], "is no result of a run: it is not JSON"),
        (["before", "after", "--out", "no/such/page.html"], "there is no folder no/such"),
        (["before", "after", "--out", "after"], "is a directory"),
        (["before"], "Missing argument 'AFTER'"),
        (["before", "postgresql://me:secret@host/db"], "this command is about files"),
    ],
)
def test_a_mistake_is_one_line(run, reports, words, said):
    """It names the thing, and nothing is written."""
    (reports / "broken.json").write_text("{")
    code, out, err = run("compare", *words)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert "secret" not in err
    assert not (reports / "sessionproof-compare.html").exists()


def test_hostile_texts_do_no_harm_in_a_terminal(run, tmp_path):
    """No control character, no command of a CI log at the start of a line or within it."""
    write_report(hostile, tmp_path / "before")
    write_report(replace(SAMPLES["fast"], store=f"::{HOSTILE}"), tmp_path / "after")
    for words in (("before", "after"), ("after", "before")):
        _, out, err = run("compare", *words)
        assert err == ""
        assert all(one.isprintable() or one == "\n" for one in out)
        assert not re.search(r"^\s*::|##\[|##vso\[", out, re.MULTILINE)
