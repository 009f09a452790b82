"""A window on the page: every operation in the picture and in the table, the guilty ones marked."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from report_page import Page
from report_samples import HOSTILE_WINDOW, broken, records, run
from report_windows import DENSE, LOST, STALE, STARVED, WINDOWS, act, finding

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.verdicts import Window
from sessionproof.report.html import render_html
from sessionproof.report.result import merge
from sessionproof.report.windows import ACTS_MAX, drawn_window, key_of, marks


def page(window: Window) -> tuple[str, Page]:
    """The page of a run in which one finding has this window."""
    found = replace(finding(Anomaly.STALE_READ), window=window)
    source = render_html(run(merge(records(broken("CONC-05", found)))))
    return source, Page(source)


def bars(shown: Page) -> list[dict[str, str | None]]:
    """The attributes of all bars."""
    return [
        given
        for tag, given in shown.elements
        if tag == "a" and "op" in (given.get("class") or "").split()
    ]


@pytest.mark.parametrize("window", [*WINDOWS.values(), DENSE], ids=[*WINDOWS, "dense"])
def test_every_operation_is_drawn_and_told(window):
    """Each operation has a bar with all its words, in order of time, and leads to its row."""
    _, shown = page(window)
    found = bars(shown)
    ordered = sorted(window.intervals, key=lambda one: one.began_us)
    assert len(found) == len(ordered)
    for bar, one in zip(found, ordered, strict=True):
        name, call = bar["aria-label"], one.call.replace("(", " ", 1).replace(")", "").strip()
        assert name.startswith(f"{one.client}: {call}; from {one.began_us:,.1f}".removesuffix(".0"))
        assert one.said in name
        assert ("wrong" in name or "cannot all be right" in name) is one.guilty
        assert ("guilty" in bar["class"].split()) is one.guilty
        (row,) = shown.all("tr", id=bar["href"][1:])
        assert one.client in row
        assert one.call in row
        assert one.said in row
        assert ("✗" in row) is one.guilty
    rows = [
        given["href"]
        for tag, given in shown.elements
        if tag == "a" and "-bar-" in (given.get("href") or "")
    ]
    assert set(rows) == {f"#{bar['id']}" for bar in found}


def test_outcomes_and_kinds_are_told_without_colour():
    """Refused and unknown ones have words, shapes and a place in the legend; so have reads."""
    _, shown = page(STALE)
    (legend,) = shown.all("ul", class_="legend")
    assert legend == "writes reads refused outcome unknown the 2 that cannot all be right"
    by_name = {bar["aria-label"]: bar["class"].split()[1:3] for bar in bars(shown)}
    found = {name.split(";")[0]: kind for name, kind in by_name.items()}
    assert found["client 3: append #24"] == ["write", "info"]
    assert found["client 3: count"] == ["read", "ok"]
    assert any("refused" in name and kind == ["write", "fail"] for name, kind in by_name.items())
    assert "outcome unknown" in page(STARVED)[1].all("ul", class_="legend")[0]
    assert "refused" not in page(STARVED)[1].all("ul", class_="legend")[0]


def test_the_sentence_stands_beneath():
    """The picture is followed by why it cannot be, and a link leads to the first guilty one."""
    source, shown = page(STALE)
    assert shown.all("p", class_="why") == [f"Why this cannot be: {STALE.sentence}"]
    assert source.index('class="op ') < source.index('class="why"')
    first = next(bar["id"] for bar in bars(shown) if "guilty" in bar["class"])
    assert shown.all("a", href=f"#{first}")[0] == "Jump to the first guilty operation"


def test_what_is_left_out_is_said():
    """Operations that are not in the picture are counted; without any nothing is said."""
    assert "37 other operations on chat-7 are not shown." in page(STALE)[1].all("p")
    assert "1 other operation on chat-7 is not shown." in page(DENSE)[1].all("p")
    assert not re.search(r"other operations? on", page(LOST)[0])


def test_the_history_is_linked_with_its_command():
    """A kept history is a link, and the command that reads it stands below, fit for a shell."""
    _, shown = page(STALE)
    assert shown.all("a", href="history/CONC-05-1.npz") == ["history/CONC-05-1.npz"]
    command = "sessionproof history show history/CONC-05-1.npz --session=chat-7"
    assert command in shown.all("code")
    _, odd = page(replace(STALE, history="../x y.npz", session="\x1b[2J"))
    assert not [g for t, g in odd.elements if t == "a" and "x y" in (g["href"] or "")]
    assert "sessionproof history show '../x y.npz'" in odd.all("code")
    assert "history show" not in page(LOST)[0]


def test_too_many_operations_keep_the_guilty():
    """Of very many the guilty ones and those around them are drawn, and the rest is counted."""
    every = [
        act(n % 5, f"append(#{n})", 10 * n, 10 * n + 4, guilty=n in (7, 900)) for n in range(999)
    ]
    drawn = drawn_window(replace(STALE, intervals=tuple(every), left_out=1), "w")
    assert len(drawn.rows) == ACTS_MAX
    assert [row.call for row in drawn.rows if row.guilty] == ["append(#7)", "append(#900)"]
    assert drawn.left_out.startswith(f"{1_000 - ACTS_MAX} other operations")
    near = {int(row.call[8:-1]) for row in drawn.rows}
    assert {6, 8, 899, 901} <= near


def test_the_scale_of_time_is_said():
    """To scale, or not and how it is shortened: the page says which."""
    assert "Time runs to the right, to scale." in page(WINDOWS[Anomaly.FUTURE_READ])[0]
    assert "In the shaded one, of 5.00 s, nothing began or ended." in page(WINDOWS[Anomaly.BUSY])[0]
    assert "not to scale" in page(DENSE)[0]


def test_lanes_are_in_the_order_of_their_numbers():
    """Client 2 stands above client 10, whoever began."""
    every = (act(10, "read()", 0, 1), act(2, "read()", 2, 3), act(1, "read()", 5, 6))
    drawn = drawn_window(replace(STALE, intervals=every), "w")
    names = re.findall(r"client \d+", re.sub(r"<svg[^>]*>", "", drawn.names))
    assert names == ["client 1", "client 2", "client 10"]


@pytest.mark.parametrize(
    ("times", "written"),
    [
        ([0, 50, 100], ["0", "50 µs", "100 µs"]),
        ([0, 1_000_001, 1_000_004], ["0", "1.000001 s", "1.000004 s"]),
        ([0, 0.5, 1_500], ["0", "0.5 µs", "1.5 ms"]),
    ],
)
def test_marks_of_time_differ(times, written):
    """Marks have as few digits as tell them apart."""
    assert marks(times) == written


def test_a_window_without_operations_has_its_sentence():
    """Where nothing can be drawn, the sentence and the reads are still there."""
    source, shown = page(replace(STALE, intervals=()))
    assert not bars(shown)
    assert STALE.sentence in shown.all("p", class_="why")[0]
    assert "other operations" not in source
    assert shown.all("table", class_="reads")


def test_a_page_without_windows_has_none_of_their_style():
    """The rules for windows come with windows alone."""
    source = render_html(run(merge(records())))
    assert ".readout" not in source
    assert ".readout" in page(STALE)[0]


def test_what_clients_were_asked_is_folded_and_has_no_last_line():
    """Lines of several clients have no order: none is marked as the one that went wrong."""
    lines = ("c1: store.append('s0', ['c1·1'])", "c2: store.read('s0')")
    found = replace(finding(Anomaly.STALE_READ), program=lines)
    result = run(merge(records(broken("CONC-05", found))))
    shown = Page(render_html(result))
    assert not shown.all("mark")
    assert f"What the clients were asked to do {' '.join(lines)}" in shown.all("details")


def test_hostile_windows_are_text():
    """Whatever stands in a window makes no element, and ids stay of plain letters."""
    _, shown = page(HOSTILE_WINDOW)
    assert len(shown.all("script")) == 1  # our own
    assert all(re.fullmatch(r"[\w-]+", bar["id"]) for bar in bars(shown))
    assert key_of("</a> <b>", 3) == "-a-b--3"
