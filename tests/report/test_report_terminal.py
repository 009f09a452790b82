"""The summary in a terminal is complete, fits, and obeys nothing that a store says."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from report_samples import (
    HOSTILE,
    LOST,
    SAMPLES,
    accepted,
    all_hold,
    could_not_tell,
    known,
    one_cause,
    scheduled,
    three_broken,
    unclaimed,
)
from report_windows import STALE
from rich.console import Console

from sessionproof.contract.verdicts import Verdict
from sessionproof.report.terminal import REASONS_MAX, print_summary
from sessionproof.report.words import new_breaks

SGR = re.compile(r"\x1b\[[\d;]*m")


def printed(result, *, width=80, encoding="utf-8", colour=None, **options) -> str:
    """What a terminal of this kind receives."""
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding=encoding, newline="\n") as file:
        console = Console(
            file=file, width=width, color_system=colour, force_terminal=colour is not None
        )
        print_summary(result, console, **options)
        file.flush()
        return raw.getvalue().decode(encoding)


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252"])
def test_every_run_can_be_printed(name, encoding):
    """No result crashes a terminal of any encoding, and the verdict is there."""
    text = printed(SAMPLES[name], encoding=encoding, width=100)
    assert SAMPLES[name].verdict[:12] in text
    assert all(one.isprintable() or one == "\n" for one in text)


def test_a_schedule_stands_for_its_program():
    """Its calls are there, each in its turn; the same calls are not told twice."""
    text = printed(scheduled)
    assert "│ schedule  " in text
    assert "│ program " not in text
    assert "│ program " in printed(three_broken)


def test_a_schedule_that_was_shown_is_not_shown_again():
    """Of the same guarantee, for other clients: its script is told all the same."""
    (row,) = [one for one in scheduled.guarantees if any(f.schedule for f in one.findings)][:1]
    finding = row.findings[0]
    twice = replace(row, findings=(finding, replace(finding, did="by 4 processes")))
    rows = tuple(twice if one is row else one for one in scheduled.guarantees)
    text = printed(replace(scheduled, guarantees=rows))
    assert text.count("│ schedule  ") == 1
    assert "│ also      by 4 processes: the same schedule" in text
    assert text.count("repro/CONC-14.py") == 2


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("CONC-13", "SQLite's busy timeout does not cover"),
        ("FK-01", "Where the store refuses such an append on purpose"),
    ],
)
def test_what_is_hard_to_see_has_a_hint(name, said):
    """Where the registry knows what mends a break, the finding says so."""
    rows = tuple(
        replace(row, verdict=Verdict.BROKEN, gated=True, findings=(LOST,))
        if row.id == name
        else row
        for row in SAMPLES["all_hold"].guarantees
    )
    text = printed(replace(SAMPLES["all_hold"], guarantees=rows))
    assert f"│ hint      {said}" in text


def test_the_table_fits_80_columns():
    """At 80 columns only commands and programs, which are to be copied, are longer."""
    for result in (three_broken, unclaimed):
        long = [line for line in printed(result).splitlines() if len(line) > 80]
        assert all(re.search(r"store\.|sessionproof run|Claims\(", line) for line in long)


def test_every_verdict_is_a_word():
    """Each judged guarantee has its line with its verdict in words."""
    text = printed(three_broken)
    for row in three_broken.guarantees:
        judged = row.verdict in (Verdict.HOLDS, Verdict.BROKEN, Verdict.UNKNOWN)
        assert not judged or re.search(rf"{row.id} .* {row.verdict.shown}", text) is not None


def test_what_is_not_claimed_is_told_by_reason():
    """What the store lacks is said once, with the guarantees that need it, and fills no table."""
    lacking = {"MGR": "the store has no method manager", "SRCH": "the store has no method search"}
    rows = tuple(
        replace(row, verdict=Verdict.NOT_CLAIMED, reason=lacking[row.group])
        if row.group in lacking and row.id != "MGR-02"
        else row
        for row in SAMPLES["all_hold"].guarantees
    )
    text = printed(replace(SAMPLES["all_hold"], guarantees=rows), width=100)
    last = max(row.id for row in rows if row.group == "MGR")
    assert f"│ not claimed, no method manager: MGR-01, MGR-03 … {last}\n" in text
    assert "│ not claimed, no method search: SRCH-01 … SRCH-03\n" in text
    assert "│ MGR-02 " in text
    assert "│ MGR-03 " not in text


def test_many_reasons_are_left_to_the_page():
    """A store that offers little is not told forty lines of what it has not."""
    rows = tuple(
        replace(row, verdict=Verdict.NOT_CLAIMED, reason=f"the store has no method {row.id}")
        if row.group in ("MGR", "SRCH")
        else row
        for row in SAMPLES["all_hold"].guarantees
    )
    text = printed(replace(SAMPLES["all_hold"], guarantees=rows), width=100)
    count = sum(row.verdict is Verdict.NOT_CLAIMED for row in rows)
    assert count > REASONS_MAX
    said = f"not claimed, {count} of {len(rows)} (the page says why of each): MGR-01 … "
    assert f"│ {said}" in text
    assert "no method" not in text


def test_what_was_seen_without_a_claim_stays_in_the_table():
    """A row with something to tell is not folded away."""
    rows = tuple(
        replace(row, verdict=Verdict.NOT_CLAIMED, reason="the store claims none", notes=("seen",))
        if row.id == "CORE-03"
        else row
        for row in SAMPLES["all_hold"].guarantees
    )
    text = printed(replace(SAMPLES["all_hold"], guarantees=rows))
    assert re.search(r"CORE-03 .* not claimed .* the store claims none; seen", text)


def test_one_cause_is_told_once():
    """What breaks many guarantees is shown at the first of them; the others point there."""
    lines = printed(one_cause, width=100).splitlines()
    starts = [line.split()[2] for line in lines if line.startswith("│ ✗ ")]
    assert starts[:4] == ["CORE-01:", "2", "CORE-08:", "SEQ-03:"]
    text = "\n".join(lines)
    assert (
        "│ ✗ 2 more by the same cause as CORE-01 (metadata: None became {}): CORE-06 SEC-02; "
        "mend that first,\n│   others may show then"
    ) in text
    assert (
        text.count("│ seen      1 message: 1: ") == 2
    )  # at CORE-01 once; CORE-08 has more than this cause
    assert "1 more in result.json" in text
    assert re.search(r"SEC-02 .* broken .* same cause as CORE-01", text)


def test_findings_are_told_in_brief():
    """A finding shows what was done, expected, seen, the program and the commands."""
    text = printed(three_broken, width=200)
    for part in (LOST.did, LOST.expected, LOST.seen, LOST.repeat, *LOST.program):
        assert part in text
    assert f"> {LOST.program[-1]}" in text
    assert "3 of 3 times when run again" in text
    assert "repro/CORE-08.py: it failed when it was run alone; it said: AssertionError: m3" in text
    assert "repro/CORE-06.py: it did not fail when it was run alone" in text
    assert three_broken.command in text


def test_a_window_is_told_in_a_sentence():
    """What many clients did is one sentence below what was seen; the picture is the page's."""
    lines = printed(SAMPLES["together"], width=400).splitlines()
    said = [place for place, line in enumerate(lines) if f"because   {STALE.sentence}" in line]
    assert len(said) == 1
    assert "│ seen" in lines[said[0] - 1]
    assert "append(#16)" not in "".join(lines)
    assert "because" not in printed(three_broken)


def test_what_many_clients_did_is_shown_once_and_whole_or_not_at_all():
    """A second finding of theirs that shows the same is a line; pieces of a program are no help."""
    result = SAMPLES["together"]
    row = next(one for one in result.guarantees if any(found.window for found in one.findings))
    found = replace(next(one for one in row.findings if one.window), program=("c1: …",) * 30)
    twice = replace(row, findings=(found, replace(found, did="4 processes made 50 calls")))
    rows = tuple(twice if one is row else one for one in result.guarantees)
    text = printed(replace(result, guarantees=rows), width=200)
    assert "│ program   30 calls, in the script and on the page\n" in text
    assert f"│ also      4 processes made 50 calls: {found.anomaly.value}\n" in text
    assert "lines left out" not in text


def test_the_end_says_verdict_and_command():
    """The last lines are the verdict, and the command that repeats the run."""
    text = printed(three_broken)
    last = text.rstrip().splitlines()[-4:]
    assert three_broken.verdict in last[0]
    assert last[1].endswith("broken    CORE-06 CORE-08 SEQ-03")
    assert last[2].endswith("not told  CORE-07")
    assert "sessionproof run shop.chat:Store" in last[3]


def test_a_brief_account_points_to_the_cause():
    """Where only what fails is told, a guarantee that another one explains says which."""
    text = printed(one_cause, width=120, brief=True)
    same = "same cause as CORE-01: metadata: None became {}; mend that first"
    assert f"│ ✗ SEC-02: {same}\n" in text
    assert "│ ✗ CORE-01: What was appended is read back" in text


def test_the_end_names_what_has_one_cause():
    """The last lines tell the breaks that share a cause apart from the others."""
    last = printed(one_cause, width=120).rstrip().splitlines()[-4:]
    assert last[0].startswith("│ ✗ 5 guarantees broken, 2 could not be told; ")
    told = "by one cause (metadata: None became {}): CORE-01 CORE-06 SEC-02; CORE-08 SEQ-03"
    assert last[1] == f"│ broken    {told}"
    assert last[2] == "│ not told  DUR-01, DUR-02"


def test_no_claims_comes_first():
    """The first line of a store without claims says so; the ready line is printed whole."""
    lines = printed(unclaimed).splitlines()
    assert "no claims" in lines[0]
    assert any(line.endswith(unclaimed.suggested_claims) for line in lines)


def test_speeds_come_after_the_guarantees():
    """Each speed has a row, each growth a line, and of memory only what is not flat."""
    text = printed(SAMPLES["fast"], width=100)
    table = text.index("speed ")
    assert text.index("CORE-01") < table < text.index("guarantees that were judged hold")
    assert re.search(r"append +│ one client +│ 42.0 µs │ ×1.27 \[1.25, 1.30\] │ +19,800", text)
    assert "growth    append along messages: flat, slope 0.01 [-0.01, 0.03]" in text
    assert "get, repeated: 805 bytes a call" in text
    assert "paging through" not in text
    assert "per second" not in printed(SAMPLES["all_hold"])


def test_notes_are_told_whole_or_left_to_the_report():
    """A note is not cut in its middle where another one follows; how many are left is said."""
    base = SAMPLES["all_hold"]
    notes = ("first " * 20, "second " * 20, "third " * 20)
    rows = tuple(
        replace(row, notes=notes) if row.verdict is Verdict.HOLDS else row
        for row in base.guarantees
    )
    text = " ".join(printed(replace(base, guarantees=rows), width=200).split())
    assert notes[0].strip() in text
    assert "2 more notes in the report" in text
    assert "second" not in text


def test_not_run_is_one_line():
    """Guarantees outside the run's choice are counted and named, and fill no table."""
    text = printed(SAMPLES["nothing"])
    number = len(SAMPLES["nothing"].guarantees)
    assert re.search(rf"not run +{number} of {number}: CORE-01 … CORE-17, [A-Z]+-01 …", text)
    assert text.count("CORE-01") == 1


def test_a_choice_is_told_by_what_was_chosen():
    """Where few were run, the others are not listed."""
    few = [row for row in SAMPLES["all_hold"].guarantees if row.group == "CORE"]
    rows = tuple(
        row if row in few else replace(row, verdict=Verdict.NOT_RUN)
        for row in SAMPLES["all_hold"].guarantees
    )
    text = printed(replace(SAMPLES["all_hold"], guarantees=rows))
    left = len(rows) - len(few)
    assert f"not run   {left} of {len(rows)}: all but CORE-01 … CORE-17\n" in text


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_no_line_starts_with_a_stores_text(width, encoding):
    """Every line starts with our own mark, so that a CI log finds no command in it."""
    text = printed(SAMPLES["hostile"], width=width, encoding=encoding)
    starts = {line.lstrip()[:1] for line in text.splitlines()}
    assert starts <= set("│┌├└|+-") | {""}
    assert "##[" not in text
    assert "##vso[" not in text
    assert "::set-output" in re.sub(r"[\s│|]", "", text)


def test_markup_is_not_interpreted():
    """Rich's markup, links and emoji codes in the data come out as they went in."""
    text = printed(SAMPLES["hostile"], width=2_000)
    assert "[red]bold[/red][/nothing][link=http://x.test]l[/link]:warning:" in text


def test_colour_is_ours_alone():
    """With colour there are only colour sequences, and the text is the same as without."""
    for result in (three_broken, SAMPLES["hostile"]):
        coloured = printed(result, colour="truecolor")
        assert "\x1b[" in coloured
        assert "\x1b" not in SGR.sub("", coloured)
        assert SGR.sub("", coloured) == printed(result)


def test_a_green_short_look_says_that_it_is_one():
    """Smoke is no gate: it says so where all is green, and nothing where it is red or gate."""
    said = "a short look: profile gate searches longer; run it before you push"
    assert said in printed(replace(all_hold, profile="smoke"))
    assert said in printed(replace(all_hold, profile="smoke"), brief=True)
    for other in (all_hold, replace(three_broken, profile="smoke")):
        assert "a short look" not in printed(other)


def test_a_brief_summary_is_the_verdict():
    """Where all is green it is one line, whatever the table would have."""
    assert printed(all_hold, brief=True).split() == ["│", "✓", *all_hold.verdict.split()]


def test_a_brief_summary_names_what_fails():
    """What fails the run has a line with its id; findings and the table are left out."""
    text = printed(three_broken, brief=True, width=300)
    for row in new_breaks(three_broken):
        assert f"✗ {row.id}: {row.promise}" in text
    assert three_broken.verdict in text
    assert LOST.did not in text
    assert "? CORE-07: too slow" in printed(could_not_tell, brief=True)
    assert "CORE-07" not in printed(accepted, brief=True)
    assert "CORE-01" not in printed(known, brief=True)


def test_no_color_is_obeyed(monkeypatch):
    """With NO_COLOR set no colour is sent, and with TERM=dumb nothing but text."""
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[\d;]*3[0-7]", printed(three_broken, colour="standard"))
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80, _environ={"TERM": "dumb"})
    print_summary(three_broken, console)
    assert "\x1b" not in file.getvalue()
    assert three_broken.verdict in file.getvalue()


def test_ascii_has_symbols_too():
    """Where the encoding lacks our symbols, plainer ones stand for them."""
    text = printed(three_broken, encoding="ascii")
    assert "+ holds" in text
    assert "x broken" in text
    assert "? could not tell" in text
    assert "\\u" not in text
    assert HOSTILE not in text
    assert Verdict.UNKNOWN.value not in text.replace("unknown session", "")
