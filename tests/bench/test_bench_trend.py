"""The trend: a change is shown after two nights, with its commits, its causes, and its machine."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from fixtures.regressions.runs import COUNT, INSERT, MACHINE, causes, commit, nights, speed, stepped
from sessionproof.bench.tracking import trend as module
from sessionproof.bench.tracking.archived import Commit
from sessionproof.bench.tracking.trend import (
    NEEDED,
    Unavailable,
    commits_between,
    found_by_otava,
    seen_twice,
    settled,
    trends,
)


def at_steps(values):
    """Where a value differs from the one before it by more than a twentieth: finds what is made."""
    return [at for at in range(1, len(values)) if abs(values[at] / values[at - 1] - 1) > 0.05]


def changes_of(runs, find=at_steps):
    """The changes of the only row of the only store."""
    ((row,),) = (one.rows for one in trends(runs, find=find))
    return [change for line in row.lines for change in line.changes]


def test_a_change_is_shown_after_two_nights():
    """The first night that is slower shows nothing; the second shows it where it began."""
    runs = nights({"append": stepped(30, 20, 0.2)})
    assert changes_of(runs[:21]) == []
    (change,) = changes_of(runs[:22])
    assert change.at == 20
    assert change.share == pytest.approx(0.2, abs=0.02)


def test_two_nights_may_place_a_change_one_run_apart():
    """A change that moves by one run between two nights is the same change; by two it is not."""
    for moved, shown in ((0, (8,)), (1, (8,)), (2, ())):
        found = {12: [8], 11: [8 - moved]}
        assert seen_twice([1.0] * 12, lambda values, found=found: found[len(values)]) == shown


def test_a_single_odd_night_is_set_aside():
    """A night off both its neighbours goes to the nearer one; a step, noise and the last stay."""
    assert settled([2.0, 2.0, 5.0, 2.1, 2.0]) == [2.0, 2.0, 2.1, 2.1, 2.0]
    assert settled([2.0, 2.0, 0.8, 2.1]) == [2.0, 2.0, 2.0, 2.1]
    for same in ([2.0, 2.0, 2.4, 2.4], [2.0, 2.05, 2.0], [2.0, 2.0, 5.0], [2.0], []):
        assert settled(same) == same


def test_an_odd_night_hides_no_change():
    """A night of half the cost, long before, does not keep a slowdown of 10 % from being found."""
    pytest.importorskip("otava.analysis")
    levels = stepped(40, 30, 0.1)
    levels[18] = 0.9
    (change,) = changes_of(nights({"append": levels}), found_by_otava)
    assert change.at == 30


def test_the_order_is_that_of_commits():
    """Runs are sorted by the time of their commit, in whatever order they came."""
    runs = nights({"append": stepped(30, 20, 0.2)})
    (one,) = trends(runs[::-1], find=at_steps)
    assert list(one.runs) == runs
    assert [point.place for point in one.rows[0].lines[0].points] == [*range(30)]


def test_every_commit_between_is_named():
    """What came since the run before is listed, the oldest first, and known to be all."""
    runs = nights({"append": stepped(30, 20, 0.2)})
    more = Commit(id="a" * 40, subject="keep a count")
    runs[20] = replace(runs[20], between=(more, commit(20)))
    (change,) = changes_of(runs)
    assert change.commits == (more, commit(20))
    assert change.all_known


def test_what_is_not_known_between_is_not_called_all():
    """Where a run does not say what came since, its own commit is named and no more is claimed."""
    runs = nights({"append": stepped(30, 20, 0.2)})
    runs[20] = replace(runs[20], between=())
    (change,) = changes_of(runs)
    assert change.commits == (commit(20),)
    assert not change.all_known
    runs[20] = replace(runs[20], commit=None)
    assert commits_between(runs[19:21]) == ((), False)


def test_a_change_without_a_commit_is_not_the_stores():
    """Two runs of one commit that differ have no commit between, but may have another kernel."""
    runs = nights({"append": stepped(30, 20, 0.2)})
    later = {**MACHINE, "platform": "Linux-6.18", "load": "7.0"}
    runs[20] = replace(runs[20], commit=commit(19), between=(), started_at="2026-01-20T04:00:00Z")
    runs[20:] = [replace(one, machine=later) for one in runs[20:]]
    (change,) = changes_of(runs)
    assert (change.commits, change.all_known) == ((), True)
    assert change.facts == ("platform: not known → Linux-6.18",)


def test_what_else_changed_there_is_said():
    """Another harness at the same place is named; it may be what was slower."""
    runs = nights({"append": stepped(30, 20, 0.2)})
    runs[20:] = [replace(one, sessionproof="0.2") for one in runs[20:]]
    (change,) = changes_of(runs)
    assert change.facts == ("sessionproof: 0.1 → 0.2",)


def test_runs_on_another_machine_have_commits_of_their_own():
    """What a run says came before it counts from the run before in its line, not in another."""
    runs = nights({"append": stepped(30, 20, 0.2)})
    runs[19] = replace(runs[19], machine={**MACHINE, "cpu": "Intel Xeon"},
                       between=tuple(map(commit, range(20))))  # fmt: skip
    runs[20] = replace(runs[20], between=(commit(19), commit(20)))
    (change,) = changes_of(runs)
    assert change.commits == (commit(19), commit(20))
    assert change.all_known


def test_what_was_already_there_is_not_between():
    """A run that was recorded before another was merged in may tell of commits too old."""
    runs = nights({"append": stepped(30, 20, 0.2)})
    runs[20] = replace(runs[20], between=(commit(18), commit(19), commit(20)))
    (change,) = changes_of(runs)
    assert change.commits == (commit(20),)


def test_another_machine_begins_a_line():
    """Runs on another CPU are not compared with those before, and the line says why."""
    runs = nights({"append": stepped(30, 15, 0.5)})
    runs[15:] = [replace(one, machine={**MACHINE, "cpu": "Intel Xeon"}) for one in runs[15:]]
    (one,) = trends(runs, find=at_steps)
    first, second = one.rows[0].lines
    assert (len(first.points), first.reason) == (15, "")
    assert (len(second.points), second.reason) == (15, "cpu: AMD EPYC 7763 → Intel Xeon")
    assert not first.changes + second.changes


def test_another_floor_begins_a_line():
    """A ratio to something else is another ratio."""
    runs = nights({"append": stepped(30, 15, 0.5)})
    for at in range(15, 30):
        row = replace(runs[at].speeds[0], floor="raw SQLite, synchronous=FULL")
        runs[at] = replace(runs[at], speeds=(row,))
    (one,) = trends(runs, find=at_steps)
    assert [line.reason for line in one.rows[0].lines] == [
        "", "floor: raw SQLite → raw SQLite, synchronous=FULL"
    ]  # fmt: skip


def test_causes_stand_on_both_sides():
    """The last run before and the first run after that were looked at say what a call does."""
    runs = nights({"append": stepped(30, 20, 0.2)})
    before, after = causes(INSERT), causes(INSERT, COUNT)
    runs[17] = replace(runs[17], causes=(before,))
    runs[23] = replace(runs[23], causes=(after,))
    (change,) = changes_of(runs)
    assert change.causes == (before, after)
    runs[23] = replace(runs[23], causes=())
    assert changes_of(runs)[0].causes is None


def test_levels_are_those_between_the_changes():
    """A second change is measured from the level that the first one left."""
    levels = [2.0] * 20 + [3.0] * 20 + [2.4] * 20
    slower, faster = changes_of(nights({"append": levels}))
    assert (slower.before, slower.after) == pytest.approx((2.0, 3.0), rel=0.02)
    assert (faster.before, faster.after) == pytest.approx((3.0, 2.4), rel=0.02)
    assert faster.share < 0


def test_rows_without_a_ratio_have_no_trend():
    """A row of many clients without a floor is left out; stores do not mix."""
    runs = nights({"append": [2.0] * 3})
    bare = replace(speed("append", 2.0), clients="10 threads", ratio=None, floor=None)
    runs = [replace(one, speeds=(*one.speeds, bare)) for one in runs]
    runs += [replace(one, store="other:Store") for one in runs]
    found = trends(runs, find=at_steps)
    assert [(one.store, len(one.rows), len(one.runs)) for one in found] == [
        ("shop.chat:Store", 1, 3), ("other:Store", 1, 3)
    ]  # fmt: skip


def test_without_otava_the_reason_is_said(monkeypatch):
    """The series is there all the same, with what to install."""
    monkeypatch.setitem(sys.modules, "otava.analysis", None)
    with pytest.raises(Unavailable, match="sessionproof"):
        found_by_otava([1.0, 2.0])
    (one,) = trends(nights({"append": [2.0] * 8}))
    assert one.rows[0].untold == NEEDED
    assert len(one.rows[0].lines[0].points) == 8


@pytest.mark.parametrize("share", [0.05, 0.1, 1.0, -0.1])
def test_a_real_change_is_found(share):
    """Change points find a change of 5 % in noise of 0.6 %, at the night that it came or beside."""
    pytest.importorskip("otava.analysis")
    for seed in range(5):
        runs = nights({"append": stepped(60, 40, share)}, seed=seed)
        places = [change.at for change in changes_of(runs, found_by_otava)]
        assert any(abs(at - 40) <= module.NEAR for at in places), (seed, places)


def test_equal_nights_show_nothing():
    """In sixty nights of the same nothing is found, for each of five stores."""
    pytest.importorskip("otava.analysis")
    for seed in range(5):
        assert not changes_of(nights({"append": [2.0] * 60}, seed=seed), found_by_otava)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_few_nights_are_a_trend_too(number):
    """The first nights of a new archive are shown, without a change."""
    pytest.importorskip("otava.analysis")
    assert not changes_of(nights({"append": [2.0] * number}), found_by_otava)
