"""Reads beside each other: cells in order, wrong ones marked, long ones shortened around them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from report_page import Page
from report_samples import broken, records, run
from report_windows import DENSE, STALE, finding

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.verdicts import Seen, Window
from sessionproof.report.html import render_html
from sessionproof.report.reads import COLUMNS_MAX, READS_MAX, reads_table
from sessionproof.report.result import merge

LONG = tuple(f"#{n}" for n in range(500))


def seen(*labels: str, wrong: tuple[int, ...] = (), call: str = "read()") -> Seen:
    """A read by client 2."""
    return Seen(client="client 2", call=call, ended_us=1_234.5, labels=labels, wrong=wrong)


def window(*reads: Seen, order: tuple[str, ...] = ()) -> Window:
    """A window of reads alone."""
    return Window(session="s", sentence="no", intervals=(), reads=reads, order=order)


def labels(read) -> list[str]:
    """The cells of a row, wrong ones with a mark."""
    return [f"{'✗' if cell.wrong else ''}{cell.label}" for cell in read.cells]


def test_cells_stand_below_the_order():
    """The order is the first row, and each read's messages stand below it place by place."""
    table = reads_table(window(seen("a", "c", wrong=(1,)), seen("a"), order=("a", "b", "c")))
    assert table.heads == ("1", "2", "3")
    assert labels(table.order) == ["a", "b", "c"]
    assert [labels(one) for one in table.rows] == [["a", "✗c", ""], ["a", "", ""]]
    assert table.rows[0].when == "1,234.5"


def test_what_is_missing_at_the_end_is_marked():
    """A wrong place behind the last message is a message that is missing there."""
    table = reads_table(window(seen("a", wrong=(1,)), order=("a", "b")))
    assert labels(table.rows[0]) == ["a", "✗missing"]
    alone = reads_table(window(seen(wrong=(2,))))
    assert labels(alone.rows[0]) == ["", "", "✗missing"]
    assert alone.order is None


@pytest.mark.parametrize("place", [0, 3, 250, 499, 500])
def test_long_reads_are_shortened_around_the_disagreement(place):
    """The wrong place and its neighbours are there, the first and last too, the rest is counted."""
    table = reads_table(window(seen(*LONG, wrong=(place,)), order=LONG))
    assert len(table.heads) <= COLUMNS_MAX + 5
    assert [cell.wrong for cell in table.rows[0].cells].count(True) == 1
    for near in range(max(place - 2, 0), min(place + 3, 500)):
        assert str(near + 1) in table.heads
    length = max(place + 1, 500)
    assert {"1", str(length)} <= {*table.heads}
    counted = sum(
        int(head.removesuffix(" more")) if gap else 1
        for head, gap in zip(table.heads, table.gaps, strict=True)
    )
    assert counted == length


def test_long_reads_without_a_disagreement_are_short():
    """Reads that are wrong nowhere show how they begin and how they end."""
    table = reads_table(window(seen(*LONG), order=LONG))
    assert labels(table.rows[0])[:5] == ["#0", "#1", "#2", "#3", "#4"]
    assert labels(table.rows[0])[-3:] == ["#497", "#498", "#499"]
    assert "492 more" in table.heads


def test_a_read_that_ends_too_early_is_shown_at_its_end():
    """Where no place is wrong, the columns around the ends of the reads are there."""
    table = reads_table(window(seen(*LONG[:204]), seen(*LONG), order=LONG))
    assert {"203", "204", "205", "206", "207"} <= {*table.heads}
    assert labels(table.rows[0])[table.heads.index("205")] == ""
    assert labels(table.rows[0])[table.heads.index("204")] == "#203"


def test_many_wrong_places_are_cut():
    """Where all is wrong the first places are shown, and what is left out is marked as wrong."""
    table = reads_table(window(seen(*LONG, wrong=tuple(range(500))), order=LONG))
    assert len(table.heads) <= COLUMNS_MAX + 5
    assert all(cell.wrong for cell in table.rows[0].cells)


def test_the_newest_stand_where_they_stand_in_the_order():
    """A read of the newest alone is put below their places, and stays where the order has none."""
    order = ("a", "b", "c")
    table = reads_table(window(seen("b", "x", wrong=(1,), call="read_last(2)"), order=order))
    assert labels(table.rows[0]) == ["", "b", "✗x"]
    other = reads_table(window(seen("y", call="read_last(1)"), order=order))
    assert labels(other.rows[0]) == ["y", "", ""]


def test_a_first_label_may_stand_for_many():
    """Places are counted from the first message, also where the first label stands for twelve."""
    table = reads_table(window(seen("… 12", "n", "p", wrong=(2,)), order=("… 12", "n", "o")))
    assert table.heads == ("12 more", "13", "14")
    assert labels(table.rows[0]) == ["…", "n", "✗p"]


def test_many_reads_are_cut_to_those_that_disagree():
    """Of many reads those that are wrong stay, in their order, and the others are counted."""
    reads = [seen("a", wrong=(0,) if n in (30, 70) else ()) for n in range(99)]
    table = reads_table(window(*reads))
    assert len(table.rows) == READS_MAX
    assert table.left_out == 99 - READS_MAX
    assert sum(cell.wrong for one in table.rows for cell in one.cells) == 2


def test_no_reads_no_table():
    """A window without reads has none."""
    assert reads_table(window()) is None


def test_the_page_has_the_table():
    """On the page a wrong cell has a mark and a word, not its colour alone."""
    found = replace(finding(Anomaly.STALE_READ), window=STALE)
    dense = replace(found, window=DENSE)
    page = Page(render_html(run(merge(records(broken("CONC-05", found, dense))))))
    rows = page.all("tr")
    assert "the order#0#8#16#32" in rows
    assert "client 2 read()236#0#8✗wrong: missing" in rows
    assert "client 4 read_last(2)380#16#32" in rows
    assert page.all("td", class_="cell-of wrong") == ["✗wrong: missing", "✗wrong: #58"]
