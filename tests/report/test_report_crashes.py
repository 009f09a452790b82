"""Crashes in the report: a line for each model, a map, and the files around one of them."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from report_crashes import (
    CRASHES,
    FOLDER,
    IN_PLACE,
    LONG,
    LOSES,
    NO_SYNC,
    NONE_WRONG,
    STRICT,
    WINDOWS,
    crashes,
    finding,
)
from report_page import Page
from report_samples import all_hold, crashed, with_measured
from rich.console import Console

from sessionproof.contract.anomalies import MEANINGS, Anomaly
from sessionproof.contract.verdicts import CrashWindow
from sessionproof.report.crash_windows import STEPS_MAX, drawn_crash
from sessionproof.report.crashes import (
    COLUMNS_MAX,
    LETTERS,
    crash_lines,
    crash_maps,
    crash_rows,
    summary,
)
from sessionproof.report.html import render_html
from sessionproof.report.junit import render_junit
from sessionproof.report.summary import render_summary
from sessionproof.report.terminal import print_summary


def rows(*every):
    """The crashes of a run in which one guarantee measured them."""
    return crash_rows(with_measured(all_hold, {"DUR-01": every}))


def maps(*every):
    return crash_maps(rows(*every))


def test_each_model_has_a_line():
    """How many of the states were judged, what was wrong, and whether it is claimed."""
    assert summary(NONE_WRONG) == "kill: 712 of 712 states, none wrong"
    said = "power-ordered: 712 of 712 states, 41 wrong (counter-drift 22, lost-message 19)"
    assert summary(LOSES) == said
    assert summary(STRICT).startswith(
        "power-strict: 712 of 4,180 states, 164 wrong (unreadable 127"
    )
    assert summary(STRICT).endswith("; not claimed")


def test_clients_are_named_where_there_are_several_kinds():
    """Lines say who called only when that tells them apart."""
    assert crash_lines(rows(NONE_WRONG)) == ["kill: 712 of 712 states, none wrong"]
    assert [line.split(":")[0] for line in crash_lines(rows(NONE_WRONG, LONG))] == [
        "kill, one client", "kill, 2 clients",
    ]  # fmt: skip


def test_what_several_guarantees_measured_is_shown_once():
    """One exploration serves several guarantees: it has one row, with all of their ids."""
    found = crash_rows(crashed)
    assert [(one.crashes.model, one.guarantees) for one in found] == [
        ("kill", ("DUR-01", "DUR-02")), ("power-ordered", ("DUR-01",)),
        ("power-strict", ("DUR-01",)), ("kill", ("DUR-02",)),
    ]  # fmt: skip


def test_a_map_has_its_models_below_each_other():
    """The models of one kind of clients share a map; what another recording gave has its own."""
    first, second = maps(NONE_WRONG, LOSES, LONG)
    assert (first.clients, second.clients) == ("one client", "2 clients")
    names = [one.text for one in ET.fromstring(first.names).iter("text")]
    assert names == ["kill", "none wrong", "power-ordered", "41 wrong"]
    again = maps(NONE_WRONG, replace(NONE_WRONG, note="another"))
    assert len(again) == 2


def test_columns_are_crash_points_and_the_worst_of_neighbours_is_shown():
    """One wrong point among very many is still seen."""
    one = crashes("kill", 5_000, [(2_222, 2_222, Anomaly.STUCK, 1)])
    (drawn,) = maps(one)
    root = ET.fromstring(drawn.rows)
    (bar,) = [box for box in root.iter("rect") if "wrong-states" in box.get("class")]
    assert float(bar.get("height")) == 22
    size = -(-5_000 // COLUMNS_MAX)
    assert f"Each column is {size} of 5,000 crash points" in drawn.scale
    assert float(bar.get("x")) == 8 + 2_221 // size * float(bar.get("width"))


def test_stretches_are_told_in_words():
    """Neighbouring points that went wrong in one way are one row, with points and answers."""
    (drawn,) = maps(crashes("kill", 50, [(20, 29, Anomaly.UNREADABLE, 1)]))
    (stretch,) = drawn.stretches
    assert (stretch.letter, stretch.worst) == ("A", "unreadable")
    assert (stretch.points, stretch.answered) == ("20 to 29", "2 to 3")
    assert re.fullmatch(r"(\d+) of \1", stretch.states)
    many = crashes("kill", 96, [(n, n, Anomaly.STUCK, 1) for n in range(1, 96, 2)])
    (drawn,) = maps(many)
    assert drawn.more == 48 - len(drawn.stretches) > 0


def test_kinds_have_letters_and_meanings():
    """Each kind has a letter with its meaning; of very many the rarest share the last."""
    legend = [words for _, words in maps(LOSES)[0].legend]
    assert legend[0] == "judged, none wrong"
    assert f"A: counter-drift, {MEANINGS[Anomaly.COUNTER_DRIFT]}" in legend
    some = list(Anomaly)[:9]
    many = crashes("kill", 90, [(10 * n + 1, 10 * n + 9 - n, one, 1) for n, one in enumerate(some)])
    (drawn,) = maps(many)
    words = [words for _, words in drawn.legend]
    assert [one[0] for one in words[1:]] == [*LETTERS]
    assert words[-1].count(",") == 3
    assert {part.letter for part in drawn.stretches} == {*LETTERS}


def test_what_is_not_claimed_is_pale_and_said():
    """Bars of a model that the store does not claim look different, and the legend says so."""
    (drawn,) = maps(NONE_WRONG, STRICT)
    bars = [one for one in ET.fromstring(drawn.rows).iter("rect") if "wrong" in one.get("class")]
    assert bars
    assert all("shown-only" in bar.get("class").split() for bar in bars)
    words = [words for _, words in drawn.legend]
    assert words[-2:] == ["not judged", "pale: the store does not claim this model"]
    assert "not judged" not in [words for _, words in maps(crashes("kill", 90))[0].legend]
    assert "not claimed" in drawn.names


def drawn(window):
    found = drawn_crash(window)
    assert found is not None
    return found, ET.fromstring(found.picture)


@pytest.mark.parametrize("window", WINDOWS.values(), ids=str)
def test_every_step_is_drawn_and_told(window):
    """Each step has its mark and its row, in one order, and the crash is where it came."""
    found, root = drawn(window)
    marks = [one for one in root.iter("g") if one.get("class").startswith("mark")]
    assert len(marks) == len(window.steps) == len(found.lines) - 1
    (at,) = [place for place, line in enumerate(found.lines) if line.class_ == "crash"]
    before = sum(step.survived != "after" for step in window.steps)
    assert at == before
    assert found.lines[at - 1].number == f"{window.point:,}"  # it follows the step of its number
    assert all(step.said in line.said for step, line in zip(
        window.steps, [line for line in found.lines if line.class_ != "crash"], strict=True
    ))  # fmt: skip
    texts = [one.text for one in root.iter("text")]
    assert f"crash after change {window.point} of {window.points}" in texts


def test_what_was_lost_is_told_in_words():
    """The picture and the table say lost and torn, and what an answer and a sync are."""
    found, root = drawn(NO_SYNC)
    texts = [one.text for one in root.iter("text")]
    assert "lost: 24 bytes at 24,752" in texts
    assert "torn: 4,096 bytes at 24,776" in texts
    assert [line.left for line in found.lines] == [
        "survived", "", "had been given", "survived", "lost", "torn: a part survived",
        "had been given", "", "came after the crash", "came after the crash",
    ]  # fmt: skip
    assert "… 12 more" in texts
    assert found.left_out == "393 other steps are not shown."
    assert "lost or torn: 2" in root.get("aria-label")


def test_clients_stand_right_of_all_files():
    """Lanes are files in the order in which they come, then those who were answered."""
    steps = (IN_PLACE.steps[2], *FOLDER.steps)
    _, root = drawn(replace(FOLDER, steps=steps))
    names = [one.text for one in root.iter("text") if one.get("class") == "lane-name"]
    assert names == ["chat.json.tmp", "chat.json", "client 1"]


def test_too_many_steps_keep_those_around_the_crash():
    """Of very many steps the last before and the first after the crash are drawn."""
    step = IN_PLACE.steps[0]
    every = tuple(
        replace(step, at=at, survived="yes" if at < 300 else "after") for at in range(500)
    )
    found, _root = drawn(replace(IN_PLACE, steps=every, point=300, points=500, left_out=0))
    assert len([line for line in found.lines if line.class_ != "crash"]) == STEPS_MAX
    assert {"300", "301"} <= {line.number for line in found.lines}
    assert found.left_out == f"{500 - STEPS_MAX} other steps are not shown."


def test_a_crash_before_all_changes():
    """A window whose every step came later begins with the crash."""
    window = CrashWindow(
        model="kill", point=0, points=6, sentence="x",
        steps=tuple(replace(one, survived="after") for one in IN_PLACE.steps),
    )  # fmt: skip
    found, _ = drawn(window)
    assert found.lines[0].said == "crash before the first of 6 changes"
    assert drawn_crash(replace(window, steps=())) is None


def test_the_page_tells_each_crash():
    """Sentence, picture, table and program of each finding, and a part about all crash points."""
    page = Page(render_html(crashed))
    for window in WINDOWS.values():
        assert any(window.sentence in text for text in page.all("p", class_="why"))
    assert len(page.all("div", class_="drawn files")) == len(WINDOWS)
    assert len(page.all("table", class_="file-steps")) == len(WINDOWS)
    assert not page.all("mark")  # the last line of a program is not what went wrong
    (section,) = page.all("section", **{"aria-labelledby": "crashes"})
    assert "712 of 4,180" in section
    assert page.all("a", href="#crashes") == ["Crashes"]
    table = section.split("Crash points of")[0]
    assert all(one.note in table for one in CRASHES["DUR-01"])


def test_a_page_without_crashes_has_none_of_their_style():
    """Runs without a crash have no such part, no link to it, and no style for it."""
    page = render_html(all_hold)
    assert "crash-line" not in page
    assert 'href="#crashes"' not in page


def test_the_other_forms_tell_crashes_too():
    """Terminal, JUnit and summary have the sentence, and the lines of all models."""
    out = io.StringIO()
    print_summary(crashed, Console(file=out, width=2_000, color_system=None))
    terminal, junit, markdown = out.getvalue(), render_junit(crashed), render_summary(crashed)
    for window in WINDOWS.values():
        assert window.sentence in terminal
        assert window.sentence in junit
        assert window.sentence in markdown
    lines = crash_lines(crash_rows(crashed))
    for line in lines:
        assert line in terminal
    assert markdown.count(" states, ") == len(lines)
    assert "> store.append" not in terminal


@pytest.mark.parametrize("anomaly", WINDOWS)
def test_samples_are_findings(anomaly):
    """Each sample belongs to the anomaly that it shows."""
    assert finding(anomaly).crash is WINDOWS[anomaly]
