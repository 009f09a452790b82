"""Schedules in the report: a table with a column for each client, in every form of a result."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from report_page import Page
from report_samples import all_hold, scheduled
from report_schedules import DEADLOCK, INSERT, LONG, LOST_UPDATE, TABLES, finding
from rich.console import Console

from sessionproof.contract.decoding import decoded
from sessionproof.contract.verdicts import Finding, ScheduleStep
from sessionproof.report.html import render_html
from sessionproof.report.junit import render_junit
from sessionproof.report.result import to_json
from sessionproof.report.schedules import COLUMNS_MAX, ROWS_MAX, drawn_schedule
from sessionproof.report.summary import render_summary
from sessionproof.report.terminal import print_summary
from sessionproof.schedule.table_text import LINES_MOST, WIDTH, lines_of, short_lines_of, text_of


def at_width(table, width):
    """The lines of the table itself, without the sentences below it."""
    return lines_of(
        replace(table, sentence="", after=(), lines=False, controlled=True), width=width
    )


def test_rows_between_two_switches_are_one_stretch():
    """A stretch has the rows of one client, and the next begins where another goes on."""
    drawn = drawn_schedule(LOST_UPDATE)
    assert [(one.name, len(one.lines)) for one in drawn.stretches] == [
        ("client 1", 5), ("client 2", 7), ("client 1", 3),
    ]  # fmt: skip
    assert [line.at for one in drawn.stretches for line in one.lines] == [0] * 5 + [1] * 7 + [0] * 3
    assert drawn.heads == (("client 1", "s0"), ("client 2", "s1"))
    assert "One interruption is enough" in drawn.told


def test_long_executions_are_cut_in_the_middle():
    """The page has so many rows and columns, says what it left out, and names who has no column."""
    drawn = drawn_schedule(LONG)
    lines = [line for one in drawn.stretches for line in one.lines]
    assert len(lines) == ROWS_MAX
    assert (lines[0].number, lines[-1].number) == ("1", "400")
    assert drawn.left_out == f"{400 - ROWS_MAX} rows in the middle are in result.json."
    assert len(drawn.heads) == COLUMNS_MAX
    assert drawn.heads[-1][0] == "others"
    others = {line.head for line in lines if line.at == COLUMNS_MAX - 1}
    assert others == {"client 8:", "client 9:"}


def test_an_execution_without_steps_is_no_table():
    """Where nothing happened there is nothing to draw."""
    assert drawn_schedule(replace(LOST_UPDATE, steps=())) is None


def test_the_page_has_a_real_table():
    """It has a caption, heads of columns and rows, one filled cell a row, and what is wrong."""
    source = render_html(scheduled)
    page = Page(source)
    assert len(page.all("table", class_="turns")) == len(TABLES)
    assert len(page.all("caption")) == len(TABLES)
    first = source.split('<table class="turns">')[1].split("</table>")[0]
    rows = first.split("<tr>")[2:]
    assert len(rows) == len(LOST_UPDATE.steps)
    for row, step in zip(rows, LOST_UPDATE.steps, strict=True):
        assert row.count('scope="row"') == 1
        assert row.count("<td></td>") == 1
        assert (row.index("<td></td>") < row.index("<td class")) == (step.client == "client 2")
        assert ("<b>" in row) == step.matters
    assert first.count("<tbody>") == 3
    assert page.all("span", class_="unseen").count(": client 2 goes on") >= 1
    for table in TABLES.values():
        assert any(table.sentence in text for text in page.all("p", class_="why"))
    assert any(INSERT in text for text in page.all("details"))
    assert not page.all("mark")  # no last line of a program went wrong
    remarks = page.all("p", class_="remark")
    assert [text.split()[0] for text in remarks] == ["Found", "Not"]


def test_a_page_without_schedules_has_none_of_their_style():
    """Pages of other runs stay as small as they were."""
    assert ".turns" not in render_html(all_hold)
    assert ".turns" in render_html(scheduled)


def test_the_other_forms_have_the_table_as_text():
    """Terminal, JUnit and summary have every line of a table that is short enough."""
    out = io.StringIO()
    print_summary(scheduled, Console(file=out, width=2_000, color_system=None))
    terminal, junit, markdown = out.getvalue(), render_junit(scheduled), render_summary(scheduled)
    for line in text_of(LOST_UPDATE).split("\n"):
        assert line in terminal
        assert line in markdown
        assert line.replace("&", "&amp;") in junit
    assert "> c2: store.append" not in terminal  # the last line is not what went wrong


@pytest.mark.parametrize("width", [WIDTH, 80, 60])
@pytest.mark.parametrize("table", TABLES.values())
def test_text_keeps_to_its_width(table, width):
    """No line of the table is longer than it may be, and every step has a line."""
    lines = at_width(table, width)
    assert max(map(len, lines)) <= width
    rules = {line for line in lines if not line.strip("-+")}
    assert len(rules) == 1
    rows = [line for line in lines if line not in rules]
    assert len(rows) == len(table.steps) + 1 + bool(table.before)


def test_text_marks_what_matters():
    """A star stands before what others could notice, and a rule where another goes on."""
    lines = at_width(LOST_UPDATE, WIDTH)
    assert sum("* " in line for line in lines) == sum(one.matters for one in LOST_UPDATE.steps)
    assert sum(not line.strip("-+") for line in lines) == 2 + 2  # around the table, and switches
    assert any("... is stopped before: INSERT" in line for line in lines)
    assert any("... waits: take the lock" in line for line in at_width(DEADLOCK, WIDTH))


def test_text_of_many_clients_has_their_names():
    """Where columns would be too narrow, the client's name stands in front of each step."""
    lines = at_width(LONG, 80)
    assert lines[3].split() == ["client", "1", "|", "1.1:", "step", "0", "of", "many"]
    assert any(line.startswith("client 11 |") for line in lines)


def test_long_text_keeps_its_ends():
    """Of a long table the middle is left out, never what is wrong with it."""
    lines = short_lines_of(LONG)
    assert len(lines) == LINES_MOST
    assert lines[-1] == f"wrong: {LONG.sentence}"
    assert sum("lines left out" in line for line in lines) == 1


def test_a_line_of_text_is_one_line():
    """Statements of several lines, and hostile ones, do not break the table."""
    step = ScheduleStep(client="client 1", kind="step", said="SELECT\n  1\nFROM\tm")
    lines = at_width(replace(LOST_UPDATE, steps=(step,)), WIDTH)
    assert "SELECT 1 FROM m" in lines[3]


def test_findings_survive_json():
    """A finding with a schedule is the same when it comes back from its JSON."""
    for anomaly in TABLES:
        given = finding(anomaly)
        (row,) = [one for one in to_json(scheduled)["guarantees"] if one["findings"]]
        found = next(one for one in row["findings"] if one["anomaly"] == anomaly)
        assert decoded(Finding, json.loads(json.dumps(found))) == given
