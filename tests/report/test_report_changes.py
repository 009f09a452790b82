"""Two runs beside each other: what broke, what is mended, what cannot be compared."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from report_measurements import growth, speed
from report_page import Page
from report_samples import (
    CHANGED,
    HOSTILE,
    LOST,
    SAMPLES,
    accepted,
    all_hold,
    broken,
    could_not_tell,
    fast,
    hostile,
    interrupted,
    nothing,
    records,
    run,
    three_broken,
    unknown,
    with_measured,
)

from sessionproof.contract.measurements import Ratio
from sessionproof.contract.verdicts import Verdict
from sessionproof.report.changes.between import Kind, changes, exit_code, kind_of
from sessionproof.report.changes.page import render_changes
from sessionproof.report.changes.wording import headline, to_json, why
from sessionproof.report.plain import shown
from sessionproof.report.result import GuaranteeResult, merge

KNOWN = SAMPLES["known"]
H, B, U, N, X = (
    Verdict.HOLDS, Verdict.BROKEN, Verdict.UNKNOWN, Verdict.NOT_CLAIMED, Verdict.NOT_RUN,
)  # fmt: skip
TABLE = {  # before, after: what became of it; a dot marks a row that decides nothing
    (H, B): Kind.BROKE, (U, B): Kind.UNSEEN, (N, B): Kind.UNSEEN, (X, B): Kind.UNSEEN,
    (H, U): Kind.UNTOLD, (B, U): Kind.UNTOLD, (N, U): Kind.UNTOLD, (U, U): None, (X, U): None,
    (B, H): Kind.MENDED, (U, H): Kind.TOLD, (N, H): Kind.TOLD, (H, H): None, (X, H): None,
    (H, N): Kind.WITHDRAWN, (B, N): Kind.WITHDRAWN, (U, N): Kind.WITHDRAWN, (N, N): None,
    (X, N): None, (H, X): None, (B, X): None, (U, X): None, (N, X): None, (X, X): None,
    (B, B): None,
}  # fmt: skip


def row(verdict: Verdict, name: str = "CORE-08", **changed) -> GuaranteeResult:
    """A guarantee with a verdict, and a finding where it is broken."""
    found = (LOST,) if verdict is B else ()
    plain = GuaranteeResult(id=name, group="CORE", promise="p", verdict=verdict, findings=found)
    return replace(plain, **changed)


@pytest.mark.parametrize(("before", "after"), [*TABLE])
def test_every_pair_of_verdicts_has_its_kind(before, after):
    """What held and is broken is told apart from all other ways to a verdict."""
    assert len(TABLE) == len(Verdict) ** 2
    assert kind_of(row(before), row(after)) is TABLE[before, after]


def test_what_decides_nothing_breaks_nothing():
    """A break that is not claimed is no regression; a claim that was taken back is said."""
    assert kind_of(row(H), row(B, gated=False)) is Kind.WITHDRAWN
    assert kind_of(row(B), row(H, gated=False)) is Kind.WITHDRAWN
    assert kind_of(row(H, gated=False), row(B, gated=False)) is Kind.OPEN
    assert kind_of(row(B, gated=False), row(B, gated=False)) is None
    assert kind_of(row(H, gated=False), row(H)) is Kind.TOLD
    assert kind_of(row(H, gated=False), row(B)) is Kind.BROKE
    assert kind_of(row(B, gated=False), row(B)) is Kind.UNSEEN


def test_a_break_that_the_baseline_lists_is_known():
    """Also where it held before: it is shown, and fails nothing."""
    assert kind_of(row(H), row(B, known="tracked")) is Kind.KNOWN
    found = changes(all_hold, KNOWN)
    assert [one.after.id for one in found.of(Kind.KNOWN)] == ["CORE-08"]
    assert exit_code(found) == 0
    assert "tracker" in why(found.of(Kind.KNOWN)[0])


def test_a_break_of_another_kind_is_told():
    """Both are broken, by other anomalies: it is said, and fails nothing."""
    other = row(B, findings=(CHANGED,))
    assert kind_of(row(B), other) is Kind.OTHERWISE
    assert kind_of(other, replace(other, findings=(CHANGED, CHANGED))) is None
    found = changes(run((row(B),)), run((other,)))
    assert exit_code(found) == 0
    assert why(found.rows[0]) == "lost-message before, changed-content now"


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        (all_hold, all_hold, 0), (all_hold, three_broken, 1), (three_broken, all_hold, 0),
        (three_broken, three_broken, 0), (all_hold, could_not_tell, 4), (all_hold, accepted, 0),
        (could_not_tell, all_hold, 0), (all_hold, interrupted, 4), (nothing, all_hold, 5),
        (all_hold, nothing, 5), (nothing, three_broken, 5), (all_hold, KNOWN, 0),
        (could_not_tell, run(merge(records(broken("CORE-07", LOST)))), 4),
        (nothing, nothing, 5), (all_hold, SAMPLES["no_findings"], 1),
    ],
)  # fmt: skip
def test_the_exit_code_says_whether_something_broke(before, after, code):
    """Something that held is broken: 1. No common row: 5. Not told: 4. Else 0."""
    assert exit_code(changes(before, after)) == code


def test_rows_that_were_run_once_are_named():
    """They are no change, and it is said which they are."""
    some = [one for one in records() if one.guarantee != "CORE-17"]
    found = changes(all_hold, run(merge(some, expected=[one.guarantee for one in some])))
    assert found.notes == ("Judged in the first run alone: CORE-17.",)
    assert not found.rows
    found = changes(nothing, all_hold)
    assert any("Judged in the second run alone: CORE-01, " in one for one in found.notes)
    assert any("more." in one for one in found.notes)


def test_what_makes_runs_unlike_is_said_first():
    """Another store, an incomplete run, the wrong order, the same run: each is a sentence."""
    other = replace(all_hold, store="other:Store", seed=8, profile="smoke")
    found = changes(all_hold, other)
    assert "different stores" in found.notes[0]
    assert [(one.what, one.before, one.after) for one in found.differences] == [
        ("store", "shop.chat:Store", "other:Store"), ("profile", "gate", "smoke"),
        ("seed", "7", "8"),
    ]  # fmt: skip
    late = replace(all_hold, started_at="2026-02-05T09:30:00Z")
    assert "wrong way round" in changes(late, all_hold).notes[0]
    assert changes(all_hold, late).notes == ()
    assert changes(all_hold, all_hold).notes == ("Both reports hold the same run.",)
    assert any("second run is incomplete" in one for one in changes(all_hold, interrupted).notes)


def test_claims_that_differ_are_named():
    """Each claim by itself, and what was not claimed before."""
    claims = {**all_hold.claims, "durability": "power"}
    other = replace(all_hold, claims=claims, claims_declared=False, capabilities=("count",))
    named = {one.what: (one.before, one.after) for one in changes(all_hold, other).differences}
    assert named["claim durability"] == ("process", "power")
    assert named["claims"] == ("declared", "probed")
    assert named["optional methods"][1] == "count"
    assert set(named) == {"claims", "claim durability", "optional methods"}
    gone = changes(all_hold, replace(all_hold, claims=None)).differences
    assert {"claim durability"} <= {one.what for one in gone}
    assert all(one.after == "none" for one in gone)


def measured(*ones):
    """A run that holds, with these measurements."""
    (first, *_) = all_hold.guarantees
    return with_measured(all_hold, {first.id: ones})


def at(value: float, width: float = 0.02, **changed):
    """An append that costs so many times the floor, by a share to each side."""
    ratio = Ratio(value=value, low=value * (1 - width), high=value * (1 + width), rounds=9, of=9)
    return replace(speed("append", 42, 33), ratio=ratio, **changed)


def test_a_ratio_has_changed_where_intervals_lie_apart():
    """By 5 % at least, and against the same floor; the worst is told first."""
    (one,) = changes(measured(at(2.0)), measured(at(2.4))).speeds
    assert one.is_slower
    assert one.times == pytest.approx(1.2)
    (one,) = changes(measured(at(2.4)), measured(at(2.0))).speeds
    assert not one.is_slower
    assert not changes(measured(at(2.0, 0.1)), measured(at(2.2, 0.1))).speeds
    assert not changes(measured(at(2.0, 0.001)), measured(at(2.05, 0.001))).speeds
    assert not changes(measured(at(2.0)), measured(at(2.4, floor="another"))).speeds
    assert not changes(measured(at(2.0)), measured(replace(at(2.4), ratio=None))).speeds
    assert not changes(measured(at(2.0)), measured(at(0.0))).speeds
    many = measured(at(2.4), at(9.0, clients="4 threads"))
    found = changes(measured(at(2.0), at(3.0, clients="4 threads")), many)
    assert [one.clients for one in found.speeds] == ["4 threads", "one client"]
    assert "slower: append, 4 threads, append." in headline(found)
    assert exit_code(found) == 0


def test_another_growth_is_told():
    """A cost that was flat and is not is a change."""
    flat = growth("get", 20)
    found = changes(measured(flat), measured(replace(flat, verdict="linear")))
    assert [one.after.verdict for one in found.growths] == ["linear"]
    assert not changes(measured(flat), measured(flat)).growths


def test_the_page_says_all_of_it():
    """The sentence, what differs, each break with its damage and finding, links to both reports."""
    found = changes(fast, replace(three_broken, seed=8))
    text = render_changes(found, reports=("../a/index.html", "b/index.html"))
    page = Page(text)
    (heading,) = page.all("h1")
    assert "Held before, and is broken: CORE-06, CORE-08, SEQ-03" in heading
    articles = page.all("article")
    assert len(articles) == 3
    assert "lost-message" in articles[1]
    assert "What it does to a chat" in articles[1]
    links = [given["href"] for tag, given in page.elements if tag == "a"]
    assert {"../a/index.html", "b/index.html", "b/index.html#CORE-08"} <= {*links}
    assert "seed78" in page.all("tr")
    assert "Its report" not in render_changes(found)


def test_a_page_without_changes_says_so():
    """Nothing but that all is as it was."""
    (heading,) = Page(render_changes(changes(all_hold, all_hold))).all("h1")
    assert heading == "✓ Nothing that held is broken."
    assert "has the verdict that it had" in render_changes(changes(all_hold, all_hold))


def test_hostile_texts_are_inert():
    """Whatever both runs say makes no element, no link, and no invisible character."""
    for found in (changes(all_hold, hostile), changes(hostile, all_hold)):
        text = render_changes(found, reports=(HOSTILE, "//host/x"))
        page = Page(text)
        assert not {"script", "img"} & {tag for tag, _ in page.elements}
        assert all(one.isprintable() or one == "\n" for one in text)
        links = [given["href"] for tag, given in page.elements if tag == "a"]
        assert all(one.startswith("#") for one in links)
        assert " ".join(shown(HOSTILE).split())[:40] in " ".join(page.all("dd"))
        assert json.loads(json.dumps(to_json(found)))


def test_a_page_is_never_too_large():
    """However much a store says, and however much broke."""
    long = replace(LOST, did="x" * 100_000, expected="y" * 100_000, seen="z" * 100_000)
    names = [one.id for one in all_hold.guarantees]
    after = run(merge(records(*(broken(name, *[long] * 9, reason="r" * 9_000) for name in names))))
    text = render_changes(changes(all_hold, after))
    assert len(text.encode("utf-8")) < 2 * 1024 * 1024
    assert f"{len(names) - 60} more are in what --json prints" in text


def test_json_has_what_the_page_has():
    """Each change with both verdicts, in the order of the page."""
    value = to_json(changes(all_hold, three_broken))
    assert value["exit_code"] == 1
    assert value["guarantees"][0] == {
        "id": "CORE-06", "change": "broke", "before": "holds", "after": "broken",
        "why": "changed-content",
    }  # fmt: skip
    assert [one["change"] for one in value["guarantees"]] == [
        "broke", "broke", "broke", "untold", "withdrawn",
    ]  # fmt: skip


def test_an_accepted_unknown_fails_nothing():
    """As in the run itself."""
    after = run(merge(records(unknown("CORE-07", "slow"))), accepted_unknown=("CORE-07",))
    assert exit_code(changes(all_hold, after)) == 0
