"""A finding names the store's line, and says nothing twice, in each form of the report."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from report_page import Page
from report_samples import LOST, broken, records, run
from report_windows import BUSY, window
from rich.console import Console

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.verdicts import Finding
from sessionproof.report.html import render_html
from sessionproof.report.junit import render_junit
from sessionproof.report.result import merge
from sessionproof.report.summary import render_summary
from sessionproof.report.terminal import print_summary
from sessionproof.report.write import read_result, write_result

AT = 'chatdb.py:11: self.conn.execute("PRAGMA journal_mode=WAL")'
BECAUSE = re.compile(r"^[│ -]*because", re.MULTILINE)
SEEN = "open raised OperationalError: database is locked"
LOCKED = Finding(
    anomaly=Anomaly.BUSY,
    did="opened a fresh location by 4 processes at one moment",
    expected="every opening succeeds",
    seen=SEEN,
    repeats="5 of 5 rounds",
    evidence={"at": AT, "traceback": "File …"},
    window=replace(window(SEEN, *BUSY.intervals), session=""),
)


def result_of(finding):
    """A run that has this break alone."""
    return run(merge(records(broken("CONC-13", finding))))


def printed(result):
    """What a wide terminal shows."""
    text = io.StringIO()
    print_summary(result, Console(file=text, width=300))
    return text.getvalue()


FORMS = {"terminal": printed, "Markdown": render_summary, "JUnit": render_junit}


@pytest.mark.parametrize("form", FORMS)
def test_the_line_stands_below_what_was_seen(form):
    """Whoever reads the break knows where to look; its sentence comes once."""
    text = FORMS[form](result_of(LOCKED))
    text = text.decode() if isinstance(text, bytes) else text
    seen, at = (next(n for n, line in enumerate(text.splitlines()) if part in line)
                for part in (SEEN, "chatdb.py:11: self.conn"))  # fmt: skip
    assert at == seen + 1
    assert not BECAUSE.findall(text)


def test_the_page_has_it_beside_the_account():
    """In the account, not among the evidence; what is seen is told once above the picture."""
    source = render_html(result_of(LOCKED))
    page = Page(source)
    assert "At" in page.all("dt")
    assert AT in page.all("code")
    assert "Evidence: at" not in source
    assert "Evidence: traceback" in source
    assert "Why this cannot be" not in source
    assert "at the same time while opening." in source


@pytest.mark.parametrize(
    ("sentence", "reasons"),
    [
        (SEEN, 0),
        ("what was stored cannot be read: expected every opening succeeds; seen: " + SEEN, 0),
        ("the file is empty, and " + SEEN, 1),
    ],
)
def test_a_reason_says_more_than_what_was_seen(sentence, reasons):
    """A sentence that repeats what was expected and seen is none."""
    finding = replace(LOCKED, window=window(sentence, *BUSY.intervals))
    assert len(finding.reasons) == reasons
    assert len(BECAUSE.findall(printed(result_of(finding)))) == reasons


def test_the_line_is_kept_in_the_json(tmp_path):
    """As a piece of evidence, which older readers show, too."""
    write_result(result_of(LOCKED), tmp_path)
    kept = read_result(tmp_path / "result.json")
    (finding,) = [one for row in kept.guarantees for one in row.findings]
    assert finding.at == AT
    assert replace(LOST, evidence={}).at == ""


@pytest.mark.parametrize(
    ("repeats", "words"),
    [("3 of 3", "3 of 3 times when run"), ("0 of 1 rounds", "in 0 of 1 rounds when run")],
)
def test_how_often_it_failed_again_is_a_clause(repeats, words):
    """Some are counted in rounds."""
    assert words in printed(result_of(replace(LOCKED, repeats=repeats)))
