"""The reference beside other stores: where it is ahead, and where not, by how much."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from report_measurements import speed
from report_page import Page
from report_samples import HOSTILE, LOST, fast

from sessionproof.contract.measurements import Size
from sessionproof.contract.verdicts import Verdict
from sessionproof.report.comparison import Column
from sessionproof.report.peers import (
    MARKDOWN,
    pictures,
    render_markdown,
    render_page,
    rows_of,
    seen_broken,
    summary,
    told,
    write_peers,
)


def column(name, *measured, problem=""):
    """A store with these measurements."""
    (first, *others) = fast.guarantees
    rows = (replace(first, measured=measured), *(replace(one, measured=()) for one in others))
    result = None if problem else replace(fast, store=name, guarantees=rows)
    return Column(name=name, store=name, problem=problem, result=result)


OTHER_FLOOR = {"floor": "raw SQLite, synchronous=FULL"}
REFERENCE = column(
    "reference",
    speed("append", 40, 20), speed("open", 900, 300), speed("delete", 90, 30),
    speed("append", 40, None, clients="10 threads", per_second=9_000),
    speed("count", 6, 30), Size(what="bytes", value=300, unit="bytes"),
)  # fmt: skip
SLOW = column(
    "slow",
    speed("append", 400, 20), speed("open", 300, 300), speed("delete", 91, 30),
    speed("append", 40, None, clients="10 threads", per_second=900),
    Size(what="bytes", value=100, unit="bytes"),
)  # fmt: skip
OTHER = column("other", speed("delete", 45, 30, **OTHER_FLOOR), speed("search", 9, 3))
MISSING = column("missing", problem="missing needs the package x: pip install 'x'")
OTHERS = (SLOW, OTHER, MISSING)
ROWS = {row.head: row for row in rows_of(REFERENCE, OTHERS)}


def test_ratios_are_compared_by_their_intervals():
    """Ahead where its interval is below, behind where it is above, level where they overlap."""
    assert ROWS["append"].place == "ahead"
    assert told(ROWS["append"]) == "ahead of all, of slow ×10.0"
    assert ROWS["open"].place == "behind"
    assert told(ROWS["open"]) == "behind slow: 3.00 times slow's ratio"
    beside_slow = {one.store: one for one in ROWS["delete"].standings}["slow"]
    assert (beside_slow.place, beside_slow.by) == ("level", "ratio")


def test_another_durability_has_another_floor():
    """A store that claims more is held against a dearer floor; ratios are compared all the same."""
    best = ROWS["delete"].standings[0]
    assert (best.store, best.place, best.by) == ("other", "behind", "ratio")
    assert best.times == pytest.approx(2.0)


def test_without_a_ratio_times_are_compared_by_a_tenth():
    """Where too few rounds were calm the median of calls stands for it, and a little is nothing."""
    bare = [column(name, speed("get", us, None)) for name, us in (("a", 20), ("b", 21), ("c", 10))]
    (row,) = rows_of(bare[0], bare[1:])
    assert [(one.store, one.place, one.by) for one in row.standings] == [
        ("c", "behind", "p50"), ("b", "level", "p50")
    ]  # fmt: skip


def test_rates_and_bytes_have_their_own_measure():
    """Many clients are compared by what they reach, sizes by their bytes."""
    threads, size = ROWS["append, 10 threads"], ROWS["bytes"]
    assert (threads.place, threads.standings[0].by) == ("ahead", "calls a second")
    assert told(size) == "behind slow: 3.00 times slow's bytes"


def test_rows_of_one_store_say_nothing():
    """What only one has measured is shown, and not judged."""
    assert ROWS["count"].place is None
    assert ROWS["search"].place is None
    assert summary([*ROWS.values()]) == (
        "The reference is ahead in 2 of 5 rows that another store has too, level in 0, behind in 3."
    )


def test_every_form_lists_where_it_is_not_ahead(tmp_path):
    """Page, JSON and Markdown have each such row, and each store that could not be opened."""
    page = write_peers(REFERENCE, OTHERS, tmp_path)
    text = (tmp_path / MARKDOWN).read_text("utf-8")
    assert "- open: behind slow" in text
    assert "missing needs the package x" in text
    shown = Page(page.read_text("utf-8"))
    assert any(item.startswith("open: behind slow") for item in shown.all("li"))
    assert "missing needs the package x" in shown.all("header")[0]
    value = json.loads((tmp_path / "peers.json").read_text("utf-8"))
    assert {row["row"]: row["place"] for row in value["rows"]}["bytes"] == "behind"
    assert [one["problem"] for one in value["stores"]][:3] == ["", "", ""]


def test_a_store_that_lost_messages_is_not_only_fast():
    """What was seen broken while a store was measured stands in every form, beside its figures."""
    first, *others = SLOW.result.guarantees
    lost = replace(first, verdict=Verdict.BROKEN, findings=(LOST,))
    slow = replace(SLOW, result=replace(SLOW.result, guarantees=(lost, *others)))
    assert seen_broken(REFERENCE) == ""
    assert seen_broken(slow).startswith("lost-message was seen while it was measured")
    rows = rows_of(REFERENCE, (slow,))
    assert "lost-message" in Page(render_page(REFERENCE, (slow,), rows)).all("header")[0]
    assert "lost-message was seen" in render_markdown(REFERENCE, (slow,), rows)


def test_pictures_share_one_scale():
    """A bar of the same ratio is as long in each picture; there is none of a single store."""
    drawn = dict(pictures("reference", [*ROWS.values()]))
    assert list(drawn) == ["append", "open", "delete"]
    assert "reference ×2.00; slow ×20.0" in drawn["append"]


def test_no_other_store_is_said():
    """With the reference alone there is nothing to be ahead of."""
    rows = rows_of(REFERENCE, (MISSING,))
    assert summary(rows).startswith("No other store")
    assert "No two stores" in render_page(REFERENCE, (MISSING,), rows)


def test_hostile_names_are_text():
    """A store's name and problem make no element and no markup."""
    evil = column(HOSTILE, speed("append", 40, 20))
    broken = column(HOSTILE, problem=HOSTILE)
    rows = rows_of(REFERENCE, (evil, broken))
    page = render_page(REFERENCE, (evil, broken), rows)
    assert not {"script", "img"} & {tag for tag, _ in Page(page).elements}
    text = render_markdown(REFERENCE, (evil, broken), rows)
    assert all(one.isprintable() or one == "\n" for one in text + page)
