"""The rows of a session's life and odd stores: right in a way of their own, wrong, or slow."""

import time
from dataclasses import replace

import pytest
from odd_lives import (
    AsksAgain,
    BusyLives,
    BusySearch,
    FindsBeginnings,
    FindsNowhere,
    Forgets,
    KeepsFew,
    KeepsThree,
    Names,
    NamesByNumbers,
    NoClock,
    ReadsDicts,
    StatusIsAList,
    SweepsNothing,
    SweepsNothingAtOnce,
    SweepsSets,
    TellsTwice,
)

from fixtures.benign.sweeps import Keeping
from fixtures.benign.timeouts import WarnsBefore
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.lookup import find_store
from sessionproof.trials import (
    activity,
    expiry,
    misuse,
    moves,
    searches,
    searches_beside,
    snapshots,
    snapshots_beside,
    sweep_cost,
    sweeps,
)
from sessionproof.trials.single import Broken, CouldNotTell, Trial
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.profiles import PROFILES, Deadlines

SMOKE = replace(PROFILES["smoke"], share_s=0.05, shrink_s=0.1)


@pytest.fixture
def trial_of(tmp_path):
    """Makes trials of stores, which are closed afterwards."""
    stores = []

    def make(guarantee, store, *, operation_s=20.0):
        spec = find_store(f"{store.__module__}:{store.__name__}")
        deadlines = Deadlines(operation_s=operation_s)
        stores.append(StoreUnderTest(spec, spec.claims, parent=tmp_path, deadlines=deadlines))
        return Trial(
            guarantee=GUARANTEES[guarantee],
            store=stores[-1],
            capabilities=stores[-1].handle().capabilities,
            profile=SMOKE,
            seed=0,
        )

    yield make
    for store in stores:
        store.close()


def late(trial):
    """The same, after most of its test's time."""
    trial.started_s -= trial.profile.deadlines.test_s
    return trial


@pytest.mark.night
@pytest.mark.parametrize("store", [FindsBeginnings, KeepsThree])
@pytest.mark.parametrize(
    ("row", "judge"),
    [("SRCH-01", searches.at_once), ("SRCH-02", searches.any_text), ("SRCH-03", searches.equal)],
)
def test_what_a_store_keeps_and_how_it_splits_is_its_own_matter(trial_of, store, row, judge):
    """Words may be found by less than all of them, and of a session that keeps few messages few."""
    trial = trial_of(row, store)
    judge(trial)
    assert trial.examined["searches"] >= trial.guarantee.least


@pytest.mark.parametrize(
    ("row", "judge", "store"),
    [
        ("TMO-10", moves.declared, StatusIsAList),
        ("TMO-01", expiry.idle, NamesByNumbers),
        ("TMO-01", expiry.idle, SweepsNothing),
        ("TMO-04", expiry.warned, SweepsSets),
        ("TMO-06", sweeps.beside_appends, SweepsNothingAtOnce),
        ("TMO-06", sweeps.beside_appends, ReadsDicts),
    ],
)
def test_what_is_no_answer_is_a_finding(trial_of, row, judge, store):
    """An answer of another type never becomes an error of ours."""
    with pytest.raises(Broken) as raised:
        judge(trial_of(row, store))
    assert raised.value.finding.anomaly is Anomaly.MALFORMED


@pytest.mark.parametrize(("row", "judge"), [("TMO-01", expiry.idle), ("TMO-04", expiry.warned)])
def test_an_answer_that_tells_a_session_twice_is_a_finding(trial_of, row, judge):
    """Once is once, also within one sweep; the script looks for the same."""
    with pytest.raises(Broken) as raised:
        judge(trial_of(row, TellsTwice))
    finding = raised.value.finding
    assert finding.anomaly is Anomaly.DUPLICATE
    assert finding.script[-2].endswith(".count(s0) < 2, swept")


@pytest.mark.parametrize(
    ("row", "judge"),
    [("SRCH-01", searches.at_once), ("SRCH-02", searches.any_text), ("SRCH-03", searches.equal)],
)
def test_hits_of_no_session_are_a_finding(trial_of, row, judge):
    """What is found lies in a session that the store has."""
    with pytest.raises(Broken):
        judge(trial_of(row, FindsNowhere))


def test_a_clock_that_cannot_be_set_is_told_as_that(trial_of):
    """The finding names the call, and its script asks for the same."""
    with pytest.raises(Broken) as raised:
        expiry.idle(trial_of("TMO-01", NoClock))
    finding = raised.value.finding
    assert "no clock is here" in finding.seen
    assert "set_clock" in finding.program[-1]
    assert any("store.set_clock(began" in line for line in finding.script)


@pytest.mark.parametrize(
    ("row", "judge", "store"),
    [
        ("TMO-01", expiry.idle, BusyLives),
        ("SRCH-03", searches.equal, BusySearch),
        ("SNAP-01", snapshots.equal, AsksAgain),
        ("SNAP-03", snapshots_beside.one_moment, AsksAgain),
    ],
)
def test_what_conflicts_is_asked_for_again(trial_of, row, judge, store):
    """Somebody else who is at work is no reason to call it broken."""
    trial = trial_of(row, store)
    judge(trial)
    assert trial.examined[trial.guarantee.unit] >= trial.guarantee.least


def test_a_store_that_names_its_sessions_need_not_take_names(trial_of):
    """What it refuses then cannot be examined, and is not broken."""
    with pytest.raises(CouldNotTell, match="names its sessions"):
        snapshots_beside.one_moment(trial_of("SNAP-03", Names))


def test_memory_may_forget_with_the_last_handle(trial_of):
    """Closing a handle in use is judged while another one is open."""
    assert "a handle that is closed while threads use it" in misuse.tried(
        trial_of("CONC-10", Forgets)
    )


def test_searches_beside_need_room(trial_of):
    """Where the newest messages push others out, nothing is said."""
    with pytest.raises(CouldNotTell, match="keeps 3"):
        searches_beside.at_once(trial_of("SRCH-01", KeepsFew))


@pytest.mark.parametrize(
    ("row", "judge"),
    [("TMO-01", expiry.idle), ("TMO-03", activity.declared), ("TMO-04", expiry.warned)],
)
def test_what_is_late_is_left(trial_of, row, judge):
    """A store for which there is no time is not examined, and not said to hang."""
    trial = late(trial_of(row, WarnsBefore))
    judge(trial)
    assert trial.examined[trial.guarantee.unit] < trial.guarantee.least


def test_late_searches_are_left(trial_of):
    """Not one search more."""
    trial = late(trial_of("SRCH-03", FindsBeginnings))
    searches.equal(trial)
    assert not trial.examined["searches"]


@pytest.mark.parametrize("judge", [sweeps.beside_appends, sweeps.two_at_once])
def test_late_races_are_not_begun(trial_of, judge):
    """The reason is said."""
    with pytest.raises(CouldNotTell, match="too slow"):
        judge(late(trial_of("TMO-06", Keeping)))


class MakesSlowly(Keeping):
    """Each limit takes a while."""

    def set_limits(self, session_id, *, idle_us=None, hard_us=None):
        """Later."""
        time.sleep(0.02)
        super().set_limits(session_id, idle_us=idle_us, hard_us=hard_us)


def test_a_store_that_is_slow_to_fill_is_not_measured(trial_of, monkeypatch):
    """What the growth of a sweep needs takes longer than there is time."""
    monkeypatch.setattr(sweep_cost, "_FILL_MOST_S", 0.1)
    with pytest.raises(CouldNotTell, match="sessions were made"):
        sweep_cost.flat(trial_of("TMO-09", MakesSlowly))


class LimitsSlowly(Keeping):
    """Each is well within its deadline, and all together are not."""

    def set_limits(self, session_id, *, idle_us=None, hard_us=None):
        """Later."""
        time.sleep(0.3)
        super().set_limits(session_id, idle_us=idle_us, hard_us=hard_us)


def test_sessions_of_a_race_are_made_one_by_one(trial_of):
    """Eight slow calls are no hang."""
    trial = trial_of("TMO-07", LimitsSlowly, operation_s=2.0)
    made = sweeps.Sessions(trial).made(8, idle_us=10_000_000)
    assert len(made) == 8
