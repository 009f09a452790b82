"""Speed over time on a page: changes with their commits and causes, gates with their intervals."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from report_page import Page
from report_samples import HOSTILE

from fixtures.regressions.gates import COMPARISON, night
from fixtures.regressions.runs import COUNT, INSERT, MACHINE, causes, commit, nights, speed, stepped
from sessionproof.bench.tracking.archived import Commit
from sessionproof.bench.tracking.compared import Comparison
from sessionproof.bench.tracking.trend import Unavailable, newest, trends
from sessionproof.contract.measurements import Ratio
from sessionproof.report.courses import course_of
from sessionproof.report.regressions import (
    counted,
    render_comparison,
    render_nights,
    render_trends,
    write_trends,
)
from sessionproof.report.trends import (
    between,
    changes,
    nightly,
    render_markdown,
    sentence,
    summary,
    to_json,
    why,
)

PAGE_BYTES_MOST = 1024 * 1024


def at_steps(values):
    """Where a value is off the one before it by more than a twentieth."""
    return [at for at in range(1, len(values)) if abs(values[at] / values[at - 1] - 1) > 0.05]


def unavailable(values):
    raise Unavailable("could not tell: no package")


def watched(number=30, at=20):
    """A store whose append became slower by an extra statement, and whose page became faster."""
    runs = nights({"get": [3.0] * number, "append": stepped(number, at, 0.2),
                   "page": stepped(number, at - 5, -0.1)})  # fmt: skip
    runs[at - 1] = replace(runs[at - 1], causes=(causes(INSERT),))
    more = Commit(id="f" * 40, subject="keep a count")
    runs[at] = replace(runs[at], causes=(causes(INSERT, COUNT),), between=(more, commit(at)))
    return runs


EVERY = trends(watched(), find=at_steps)


def test_a_slowdown_is_told_with_commits_and_cause():
    """One sentence says how much, one where, and one what a call does more than before."""
    slower, faster = changes(EVERY)
    assert sentence(slower).startswith("append became ")
    assert "% slower: ×2.0" in sentence(slower)
    assert (
        between(slower)
        == f"in one of 2 commits after {commit(19).id[:10]}, up to " + (commit(20).id[:10])
    )
    assert any("SELECT count(*) FROM messages" in said for said in why(slower.change))
    assert "faster" in sentence(faster)
    assert between(faster) == f"at {commit(15).id[:10]}, the only commit since the run before"
    assert summary(EVERY) == "1 slowdown and 1 speed-up in 3 rows of 30 runs."


def test_the_page_shows_the_worst_first():
    """What became slower stands above what became faster, and that above what did not change."""
    page = Page(render_trends(EVERY))
    heads = page.all("h3")
    assert [one.split(" ")[0] for one in heads] == ["append", "append", "page", "page", "No"]
    assert "keep a count" in page.all("ol", class_="commits")[0]
    assert "SELECT count(*)" in page.all("ul", class_="notes")[0]
    assert not page.all("script")


def test_every_picture_has_a_table_beside_it():
    """The runs stand as a table too, the newest first, with each ratio."""
    page = Page(render_trends(EVERY))
    rows = page.all("tr")
    dates = [row.split(" ")[0] for row in rows if row.startswith("2026")]
    assert dates == sorted(dates, reverse=True)
    assert len(dates) == 30


def test_without_change_points_the_page_shows_the_runs():
    """What could not be looked for is said at the top; the pictures are there all the same."""
    text = render_trends(trends(watched(), find=unavailable))
    page = Page(text)
    assert "could not tell: no package" in page.all("header")[0]
    assert text.count('role="img"') == 3


def test_another_machine_is_named_in_the_legend():
    """A line that begins with another CPU says so."""
    runs = [replace(one, machine={**MACHINE, "cpu": "Intel Xeon"}) if at >= 20 else one
            for at, one in enumerate(watched())]  # fmt: skip
    page = Page(render_trends(trends(runs, find=at_steps)))
    assert "cpu: AMD EPYC 7763 → Intel Xeon" in page.all("ul", class_="legend")[0]


def test_the_strip_is_what_each_night_saw():
    """Too few runs at first, then the same, and above the limit from the change on."""
    said = nightly(EVERY[0])
    seen = [said[place, "append", "one client"] for place in range(30)]
    assert seen[:5] == ["undecided"] * 5
    assert set(seen[5:20]) == {"same"}
    assert seen[20] == "above"


def test_the_files_say_the_same(tmp_path):
    """JSON has every point and change, Markdown the changes; the page links to both."""
    assert write_trends(EVERY, tmp_path) == tmp_path / "trend.html"
    value = json.loads((tmp_path / "trend.json").read_text("utf-8"))
    assert value == json.loads(json.dumps(to_json(EVERY)))
    (store,) = value["stores"]
    append = next(one for one in store["trends"] if one["operation"] == "append")
    (line,) = append["lines"]
    (change,) = line["changes"]
    assert [one["run"] for one in line["points"]] == [*range(30)]
    assert (change["run"], change["commits"][0]["subject"]) == (20, "keep a count")
    assert change["differences"]
    text = (tmp_path / "trend.md").read_text("utf-8")
    assert text.index("append became") < text.index("page became")


def test_no_runs_are_a_trend_too(tmp_path):
    """An archive without runs gives all forms."""
    page = write_trends((), tmp_path)
    assert "no runs" in page.read_text("utf-8")
    assert summary(()) == "Could not tell: there are no rows of no runs with a ratio to a floor."


def test_too_few_runs_are_not_called_level():
    """Where no change could be seen yet, on a new machine too, the summary says so."""
    few = trends(nights({"append": [2.0] * 4, "get": [3.0] * 4}), find=at_steps)
    assert "Could not tell yet of 2 rows: fewer than 5 runs" in summary(few)
    moved = [
        replace(one, machine={**MACHINE, "cpu": "Intel Xeon"}) if at > 27 else one
        for at, one in enumerate(watched())
    ]
    assert "Could not tell yet of 3 rows" in summary(trends(moved, find=at_steps))
    assert "ould not tell" not in summary(EVERY)
    for every in (few, trends([replace(one, speeds=()) for one in watched()], find=at_steps)):
        assert "ould not tell" in summary(every)
        assert '<header class="could-not-tell">' in render_trends(every)


def test_a_ratio_of_nothing_is_no_point():
    """What a file says may be nonsense: a ratio of 0 or less is drawn nowhere, and ends nothing."""
    nothing = [replace(one, speeds=(speed("append", 2.0), replace(speed("get", 2.0), ratio=Ratio(
        value=value, low=value, high=value, rounds=9, of=9)))) for value in (0.0, -1.0)
        for one in nights({"append": [2.0] * 9})]  # fmt: skip
    every = trends(nothing, find=at_steps)
    assert [row.operation for row in every[0].rows] == ["append"]
    assert "get" not in [row["operation"] for row in to_json(every)["stores"][0]["trends"]]
    assert render_trends(every).count('role="img"') == 1


def test_no_commit_between_is_a_sentence():
    """Two runs of one commit that differ: page and Markdown say it in the same words."""
    runs = [replace(one, commit=commit(1), between=()) for one in watched()]
    said = f"no commit came between: both runs are of {commit(1).id[:10]}"
    every = trends(runs, find=at_steps)
    assert f"Where: {said}." in render_trends(every)
    assert f"{said}." in render_markdown(every)


def test_equal_counts_are_said_to_be_equal():
    """A change whose counts are the same on both sides says so; without counts nothing is said."""
    counted_twice = [replace(one, causes=(causes(INSERT),)) for one in watched()]
    every = trends(counted_twice, find=at_steps)
    assert "Nothing that was counted of a call differs." in render_trends(every)
    assert "nothing that was counted differs" in render_markdown(every)
    (change, _) = changes(every)
    assert why(change.change) == ()
    without = trends([replace(one, causes=()) for one in watched()], find=at_steps)
    assert "that was counted" not in render_markdown(without) + render_trends(without)


def test_of_several_stores_each_change_names_its_own():
    """A heading of Markdown says which store became slower."""
    other = [replace(one, store="inn.chat:Store") for one in watched()]
    text = render_markdown(trends([*watched(), *other], find=at_steps))
    for store in ("shop.chat:Store", "inn.chat:Store"):
        assert f"## {store}: append became 20" in text
    assert "## append became 20" in render_markdown(EVERY)


def test_a_page_of_many_runs_shows_the_newest():
    """Pictures and table have the last 400 runs and their changes; the page says where all are."""
    levels = {"gone": [1.0] * 500, "early": stepped(500, 50, 0.5), "late": stepped(500, 300, 0.2)}
    runs = [
        replace(one, commit=None, between=(), speeds=one.speeds[at >= 100 :],
                started_at=f"{2000 + at // 28}-01-{1 + at % 28:02}T03:00:00Z")
        for at, one in enumerate(nights(levels))
    ]  # fmt: skip
    every = trends(runs, find=at_steps)
    page, text = render_trends(every), render_markdown(every)
    assert "These are the newest 400 runs" in page
    assert "100 older ones are in trend.json" in page
    assert ("late became" in page, "late became" in text) == (True, True)
    assert ("early became" in page, "early became" in text) == (False, True)
    shown = newest(every[0], 400)
    early, late = shown.rows
    assert (early.operation, early.lines[0].changes) == ("early", ())
    (line,) = late.lines
    (change,) = line.changes
    assert (change.at, line.points[change.at].place) == (200, 200)
    assert shown.runs[200] is every[0].runs[300]
    saw = nightly(every[0])
    picture = course_of(shown, late, saw)
    above = [at for at in range(100, 500) if saw[at, "late", "one client"] == "above"]
    assert picture.count("night broken") == len(above) > 0
    assert "night not-run" not in picture  # which only the first runs of all were


def test_a_page_of_two_hundred_runs_is_small():
    """Fifteen operations in two hundred nights stay below a mebibyte."""
    names = [f"operation {at}" for at in range(15)]
    runs = nights({name: stepped(200, 150, 0.2) for name in names})
    assert len(render_trends(trends(runs, find=at_steps)).encode()) < PAGE_BYTES_MOST


def test_two_versions_show_what_became_slowest_first():
    """Each operation has its row and its interval; what failed says why, beside its measure."""
    page = Page(render_comparison(COMPARISON))
    rows = page.all("th", scope="row")
    assert rows[:3] == ["delete", "append", "create"]
    assert rows[6] == "search"
    assert "Slower: append (+21.0 %), delete (×2.40)" in page.all("header")[0]
    (article,) = page.all("article")
    assert "SELECT count(*)" in article
    assert "sweep was not compared: base has no such call" in page.all("main")[0]
    assert "slower by less than the margin" in page.all("main")[0]


def test_what_could_not_be_told_looks_undecided():
    """A comparison of which nothing is known does not look like one that holds."""
    rows = tuple(row for row in COMPARISON.rows if row.verdict == "undecided")
    undecided = render_comparison(replace(COMPARISON, rows=rows))
    assert '<header class="could-not-tell">' in undecided
    assert '<header class="broken">' in render_comparison(COMPARISON)
    same = tuple(row for row in COMPARISON.rows if row.verdict == "same")
    assert '<header class="holds">' in render_comparison(replace(COMPARISON, rows=same))


def test_nothing_compared_is_a_page_too():
    """When no operation could be compared the problem stands at the top."""
    page = Page(render_comparison(replace(COMPARISON, rows=(), problem="base cannot be opened")))
    assert "base cannot be opened" in page.all("header")[0]
    assert "Nothing was compared." in page.all("main")[0]


def test_a_night_shows_what_two_runs_agree_on():
    """The row that both saw is slower; the one that the second did not see is the same."""
    page = Page(render_nights([night()]))
    assert "append of shop.chat:Store" in page.all("header")[0]
    names = page.all("th", scope="row")
    rows = dict(zip(names, page.all("tr")[1:], strict=False))  # tables of causes follow
    assert names[0] == "append"
    assert "slower" in rows["append"]
    assert "a further run did not confirm it" in rows["delete"]
    assert "0 runs before, and 5 are needed" in rows["count"]
    (article,) = page.all("article")
    assert "one statement more a call" in article
    assert "a new kernel" in page.all("main")[0]


def test_what_could_not_be_counted_has_its_reason():
    """Counts stand by their names; a count that is missing says why, and one of no interest not."""
    one = replace(causes(INSERT), syncs=2.0, missing={"instructions": "no counters here"})
    assert counted(one) == [
        ("steps of SQLite's machine", "308"),
        ("syncs", "2.00"),
        ("instructions of the processor", "not known: no counters here"),
    ]


@pytest.mark.parametrize("kind", ["trend", "comparison", "night"])
def test_hostile_texts_are_text(kind):
    """Stores, subjects, reasons, statements and functions make no element and no markup."""
    match kind:
        case "trend":
            evil = Commit(id=HOSTILE, subject=HOSTILE)
            changed = {"store": HOSTILE, "version": HOSTILE, "between": (evil,),
                       "machine": {**MACHINE, "cpu": HOSTILE}}  # fmt: skip
            runs = [
                replace(one, **changed, commit=replace(evil, at=one.commit.at)) for one in watched()
            ]
            every = trends(runs, find=at_steps)
            assert changes(every)
            text = render_trends(every)
            marked = render_markdown(every)
            assert all(one.isprintable() or one == "\n" for one in marked)
            table = [line for line in marked.splitlines() if line.startswith("|")]
            assert len({line.count("|") for line in table}) == 1
        case "comparison":
            rows = tuple(replace(one, operation=HOSTILE, reason=HOSTILE) for one in COMPARISON.rows)
            text = render_comparison(hostile(rows))
        case _:
            one = night()
            rows = tuple(replace(row, operation=HOSTILE, reason=HOSTILE) for row in one.rows)
            text = render_nights([replace(one, store=HOSTILE, rows=rows, notes=(HOSTILE,))])
    assert not {"script", "img"} & {tag for tag, _ in Page(text).elements}
    assert all(one.isprintable() or one == "\n" for one in text)


def hostile(rows) -> Comparison:
    side = replace(COMPARISON.head, asked=HOSTILE, store=HOSTILE)
    return replace(COMPARISON, rows=rows, head=side, base=side, command=HOSTILE, problem=HOSTILE,
                   left_out={HOSTILE: HOSTILE}, machine={HOSTILE: HOSTILE})  # fmt: skip
