"""The trials of limits: what they need, what they count, and where they run."""

import os
import time

import pytest

from fixtures.benign.timeouts import EndsBySweep, Lives, MachineTime, PutAway, WarnsBefore
from fixtures.mutants.clocks import MixesZones, NeverStepsBack, SignlessTime
from fixtures.mutants.timeouts import GoesOnAtItsLimit, NeverByTheMachine
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.lifetime import Swept
from sessionproof.contract.lookup import find_store, spec_of
from sessionproof.reference import ReferenceStore
from sessionproof.trials import activity, clocks, expiry, moves
from sessionproof.trials.single import Broken, NotClaimed
from sessionproof.trials.timelines import Timed
from sessionproof.workload.profiles import PROFILES

ROWS = {
    "TMO-01": expiry.idle,
    "TMO-02": expiry.hard,
    "TMO-03": activity.declared,
    "TMO-04": expiry.warned,
    "TMO-05": expiry.refused,
    "TMO-08": clocks.steps,
    "TMO-10": moves.declared,
}


def examined(trial):
    """The evidence in the row's own unit."""
    return trial.examined[trial.guarantee.unit]


@pytest.mark.parametrize("row", ROWS)
def test_the_reference_has_its_evidence(row, trial_of):
    """At least as much as the row needs."""
    trial = trial_of(row, ReferenceStore, profile=PROFILES["smoke"])
    ROWS[row](trial)
    assert examined(trial) >= trial.guarantee.least


@pytest.mark.parametrize("row", ["TMO-02", "TMO-05"])
def test_a_store_with_the_machines_clock_is_waited_for(row, trial_of):
    """Many sessions at once."""
    trial = trial_of(row, MachineTime)
    ROWS[row](trial)
    assert examined(trial) >= trial.guarantee.least


def test_a_store_that_never_ends_anything_is_seen_by_waiting(trial_of):
    """The finding has one session, and says which clock it was."""
    with pytest.raises(Broken) as raised:
        expiry.hard(trial_of("TMO-02", NeverByTheMachine))
    finding = raised.value.finding
    assert "the machine's clock" in finding.did
    assert sum("messages" in line for line in finding.program) == 1


@pytest.mark.parametrize("row", ["TMO-01", "TMO-02", "TMO-03", "TMO-05", "TMO-08"])
def test_who_ends_sessions_by_sweeps_and_has_none_shows_nothing(row, trial_of):
    """It promises nothing that could be seen."""

    class NoSweep(Lives):
        claims = EndsBySweep.claims

    with pytest.raises(NotClaimed, match="no sweep"):
        ROWS[row](trial_of(row, NoSweep))


def test_a_finding_is_small_and_was_seen_again(trial_of):
    """One session, its limit, what moved its end, and the step that shows it."""
    with pytest.raises(Broken) as raised:
        expiry.idle(trial_of("TMO-01", GoesOnAtItsLimit))
    finding = raised.value.finding
    assert finding.anomaly is Anomaly.ACCEPTED_INVALID
    assert finding.repeats == "3 of 3"
    assert len(finding.program) < 8
    assert finding.program[-1].startswith("store.append(")
    assert finding.program[-1].endswith(".999999")


def test_a_sweep_that_raises_is_a_finding(trial_of):
    """Whatever the row is about."""

    class Raises(WarnsBefore):
        def sweep(self):
            raise ZeroDivisionError

    with pytest.raises(Broken) as raised:
        expiry.warned(trial_of("TMO-04", Raises))
    assert raised.value.finding.anomaly is Anomaly.UNEXPECTED_REFUSAL


def test_a_sweep_that_answers_something_else_is_malformed(trial_of):
    """A list of pairs is no Swept."""

    class Odd(WarnsBefore):
        def sweep(self):
            return Swept(expired=((1, 2),))

    with pytest.raises(Broken) as raised:
        expiry.idle(trial_of("TMO-01", Odd))
    assert raised.value.finding.anomaly is Anomaly.MALFORMED


def test_the_zone_of_the_process_is_put_back(trial_of, monkeypatch):
    """Whether there was one or not, and also after a break."""
    for before in ("EST5", None):
        if before is None:
            monkeypatch.delenv("TZ", raising=False)
        else:
            monkeypatch.setenv("TZ", before)
        time.tzset()
        names = time.tzname
        with pytest.raises(Broken):
            clocks.steps(trial_of("TMO-08", MixesZones))
        assert os.environ.get("TZ") == before
        assert time.tzname == names
    monkeypatch.undo()
    time.tzset()


def test_a_store_in_a_process_of_its_own_is_in_the_zone_too(trial_of):
    """It is started again in each."""
    command = f"cmd:{os.sys.executable} -m sessionproof.host fixtures.mutants.clocks:MixesZones"
    with pytest.raises(Broken) as raised:
        clocks.steps(trial_of("TMO-08", find_store(command).open, claims=MixesZones.claims))
    assert any("TZ" in line for line in raised.value.finding.script)


def test_every_night_is_one_of_its_zone(monkeypatch):
    """The clocks of the zone are changed at that second."""
    try:
        for name, nights in clocks.NIGHTS.items():
            monkeypatch.setenv("TZ", clocks.ZONES[name])
            time.tzset()
            for night in nights:
                at = int(night.timestamp())
                assert time.localtime(at).tm_gmtoff != time.localtime(at - 1).tm_gmtoff
    finally:
        monkeypatch.undo()
        time.tzset()


def test_ways_are_the_shortest_declared_ones():
    """And what no move leads to is left out."""
    claims = Claims(transitions={"active>paused", "paused>archived", "active>archived"})
    assert moves._ways(claims) == {"active": (), "paused": ("paused",), "archived": ("archived",)}


def test_what_is_claimed_to_be_activity_must_be(trial_of):
    """A claim alone keeps nothing alive."""

    class Claimed(Lives):
        claims = Claims(
            **{**{name: getattr(Lives.claims, name) for name in ("keeps", "roles", "kinds")},
               "activity": {"append", "get"}, "expires": "at_once"}
        )  # fmt: skip

        def get(self, session_id):
            last = self._life(session_id).last
            info = super().get(session_id)
            self._life(session_id).last = last
            return info

    with pytest.raises(Broken) as raised:
        activity.declared(trial_of("TMO-03", Claimed))
    assert any("get" in line for line in raised.value.finding.program)


def test_only_a_factory_with_a_keyword_takes_a_clock():
    """As the script of a finding must know."""
    assert spec_of("with", PutAway).takes_clock
    assert not spec_of("without", MachineTime).takes_clock


@pytest.mark.parametrize("store", [SignlessTime, NeverStepsBack])
def test_steps_of_a_clock_need_no_luck(trial_of, monkeypatch, store):
    """What a step back does is seen by the examples alone, also where there is no time to draw."""
    monkeypatch.setattr(Timed, "search", lambda *_: None)
    with pytest.raises(Broken):
        clocks.steps(trial_of("TMO-08", store, profile=PROFILES["smoke"]))
