"""Sweeps, snapshots and searches beside clients: what is judged, of whom, and how it is told."""

import asyncio
import re
import shlex
import sys
import time
from dataclasses import replace

import pytest

from fixtures.benign.sweeps import Keeping, Sweeping, Worded
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.errors import Refused
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.lifetime import Swept
from sessionproof.contract.lookup import find_store
from sessionproof.trials import misuse, searches_beside, snapshots_beside, sweep_cost, sweeps
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed, Trial
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.profiles import PROFILES, Deadlines


class ForOne(Keeping):
    """One handle at a time."""

    claims = replace(Keeping.claims, handles="one")


class NeverSweeps(Sweeping):
    """A sweep hangs."""

    def sweep(self):
        """Wait."""
        time.sleep(60)


class KeepsNothing(Keeping):
    """Snapshots are refused."""

    def snapshot(self, session_id, *, reason=None):
        """It cannot."""
        raise Refused("the shelf is full")


class SweepsNobody(Sweeping):
    """Limits are taken, and nothing is ever due."""

    def sweep(self):
        """Nothing."""
        return Swept()


class WalksInMemory(Sweeping):
    """What SQLite is asked is one row; the walk is that of Python."""

    claims = replace(Sweeping.claims, durability="none")

    def sweep(self):
        """Look at every session that is known."""
        known = self._rows("SELECT session, due_us FROM sessions")
        for _ in range(3):
            known = [row for row in known if row is not None]
        return super().sweep()


class SeesItsOwn(Worded):
    """What others write may be found later."""

    claims = replace(Worded.claims, consistency="none")


class Awaited:
    """``Keeping`` behind ``async def``, for the tasks of one loop."""

    def __init__(self, location, *, clock=None):
        self.store = Keeping(location, clock=clock)

    def __getattr__(self, name):
        called = getattr(self.store, name)
        if name.startswith("_") or not callable(called):
            return called

        async def call(*arguments, **options):
            await asyncio.sleep(0)
            return called(*arguments, **options)

        return call


def awaited(location, *, clock=None):
    """Opens it."""
    return Awaited(location, clock=clock)


awaited.claims = replace(Keeping.claims, handles="tasks")


@pytest.fixture
def trial_of(tmp_path):
    """Makes trials of stores, which are closed afterwards."""
    stores = []

    def make(name, guarantee, *, hosted=False, operation_s=20.0):
        name = name if ":" in name else f"{__name__}:{name}"
        claims = find_store(name).claims
        if hosted:
            paths = " ".join(f"--path={shlex.quote(entry)}" for entry in sys.path)
            name = f"cmd:{sys.executable} -m sessionproof.host {paths} {name}"
        deadlines = Deadlines(operation_s=operation_s)
        store = StoreUnderTest(find_store(name), claims, parent=tmp_path, deadlines=deadlines)
        stores.append(store)
        return Trial(
            guarantee=GUARANTEES[guarantee],
            store=store,
            capabilities=store.handle().capabilities,
            profile=replace(PROFILES["smoke"], share_s=0.05, shrink_s=0.1, patience_s=60.0),
            seed=0,
        )

    yield make
    for store in stores:
        store.close()


def broken(trial, judge):
    """The finding of a store that is broken."""
    with pytest.raises(Broken) as raised:
        judge(trial)
    return raised.value.finding


ROWS = {
    "TMO-06": sweeps.beside_appends,
    "TMO-07": sweeps.two_at_once,
    "TMO-09": sweep_cost.flat,
    "SNAP-03": snapshots_beside.one_moment,
}


@pytest.mark.night
@pytest.mark.parametrize("guarantee", ROWS)
@pytest.mark.parametrize(
    ("name", "hosted"),
    [("awaited", False), ("fixtures.benign.sweeps:Keeping", True)],
    ids=["tasks", "hosted"],
)
def test_stores_of_other_kinds_are_examined(trial_of, guarantee, name, hosted):
    """What is awaited, and what lives behind pipes, has its least evidence, and no false alarm."""
    trial = trial_of(name, guarantee, hosted=hosted)
    ROWS[guarantee](trial)
    assert trial.examined[trial.guarantee.unit] >= trial.guarantee.least


@pytest.mark.parametrize("guarantee", ["TMO-06", "TMO-07", "SNAP-03"])
def test_a_store_for_one_is_not_raced(trial_of, guarantee):
    """Where one handle at a time is claimed, nobody is beside it."""
    with pytest.raises(NotClaimed, match="several clients"):
        ROWS[guarantee](trial_of("ForOne", guarantee))


def test_searches_of_others_are_not_owed_without_consistency(trial_of):
    """A store without consistency need not find at once what another handle wrote."""
    with pytest.raises(NotClaimed, match="consistency of at least session"):
        searches_beside.at_once(trial_of("SeesItsOwn", "SRCH-01"))


def test_a_sweep_that_hangs_is_a_finding(trial_of):
    """The race ends at its deadline, and the finding says who hung."""
    finding = broken(trial_of("NeverSweeps", "TMO-06", operation_s=0.4), sweeps.beside_appends)
    assert finding.anomaly is Anomaly.HANG
    assert "appended to sessions at their limit" in finding.did


def test_sessions_that_nobody_is_told_of_are_a_finding(trial_of):
    """Sweepers that tell nothing have not expired each session once."""
    finding = broken(trial_of("SweepsNobody", "TMO-07"), sweeps.two_at_once)
    assert finding.seen == "8 of 8 sessions past their limit were told to nobody"
    assert re.fullmatch(r"([1-9]\d*) of \1 races", finding.repeats), "as many as there was time for"


def test_a_sweep_that_expires_nothing_tells_nothing_of_its_cost(trial_of):
    """What was not examined does not hold."""
    with pytest.raises(CouldNotTell, match="no sweep expired"):
        sweep_cost.flat(trial_of("SweepsNobody", "TMO-09"))


def test_a_walk_that_sqlite_does_not_show_is_timed(trial_of):
    """Without steps to count, times at three sizes tell."""
    finding = broken(trial_of("WalksInMemory", "TMO-09"), sweep_cost.flat)
    assert finding.anomaly is Anomaly.GROWTH
    assert "among 1,000" in finding.seen


def test_a_busy_machine_takes_longer_to_tell(trial_of, monkeypatch):
    """Without steps to count, rounds that were disturbed are made up for past the usual time."""
    turns, in_rounds = [], sweep_cost.in_rounds

    def disturbed(arms, number, **more):
        turns.append(number)
        made = in_rounds(arms, number, **more)
        calm = 2 if len(turns) == 1 else number
        return replace(made, costs={name: one[:calm] for name, one in made.costs.items()})

    monkeypatch.setattr(sweep_cost, "in_rounds", disturbed)
    monkeypatch.setattr(sweep_cost, "_MOST_S", 0.0)
    broken(trial_of("WalksInMemory", "TMO-09"), sweep_cost.flat)
    assert len(turns) > 2  # of one measurement and of its confirmation


def test_steps_name_the_statement(trial_of):
    """Where steps can be counted, the statement that takes most of them is told."""
    finding = broken(trial_of("fixtures.mutants.sweeps:ComputesEachEnd", "TMO-09"), sweep_cost.flat)
    assert finding.anomaly is Anomaly.SCAN
    assert "by UPDATE sessions SET status = 'expired'" in finding.seen


def test_snapshots_that_are_refused_are_a_finding(trial_of):
    """A store that refuses each snapshot beside writers does not take any."""
    finding = broken(trial_of("KeepsNothing", "SNAP-03"), snapshots_beside.one_moment)
    assert finding.seen == "no snapshot can be taken: Refused: the shelf is full"


def test_a_handle_is_misused_as_far_as_its_claims_allow(trial_of):
    """A handle for one thread is closed and used; one that is shared has a crowd as well."""
    assert misuse.tried(trial_of("fixtures.benign.sweeps:Keeping", "CONC-10")) == [
        "a handle after close"
    ]
    assert len(misuse.tried(trial_of("sessionproof.reference:ReferenceStore", "CONC-10"))) == 3
    assert misuse.tried(trial_of("fixtures.benign.sweeps:Keeping", "CONC-10", hosted=True)) == []
