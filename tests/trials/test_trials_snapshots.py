"""Trials of snapshots: what they notice, in which words, and what they do not judge."""

import sys

import pytest

from fixtures.benign.snapshots import ReplacingFiles, RestoresAside
from fixtures.mutants import snapshots as mutants
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.errors import Refused
from sessionproof.contract.lookup import find_store
from sessionproof.reference import AsyncReferenceStore, ReferenceStore
from sessionproof.trials import snapshots
from sessionproof.trials.single import Broken
from sessionproof.workload.profiles import PROFILES, Deadlines

TRIALS = {"SNAP-01": snapshots.equal, "SNAP-02": snapshots.outlives, "SNAP-04": snapshots.over_live}


@pytest.fixture
def trial(trial_of):
    """Make a trial with the time that it needs on a busy machine."""

    def make(guarantee, factory, **more):
        made = trial_of(guarantee, factory, profile=PROFILES["smoke"], **more)
        made.store.deadlines = Deadlines()
        return made

    return make


@pytest.mark.parametrize("guarantee", TRIALS)
@pytest.mark.parametrize(
    "store", [ReferenceStore, AsyncReferenceStore, ReplacingFiles, RestoresAside, mutants._Kept]
)
def test_correct_stores_hold(trial, guarantee, store):
    """Whatever their manner of restoring, with enough evidence."""
    made = trial(guarantee, store)
    TRIALS[guarantee](made)
    assert made.examined[made.guarantee.unit] >= made.guarantee.least


@pytest.mark.parametrize(
    ("store", "guarantee", "anomaly", "words"),
    [
        (mutants.KeepsNoMessages, "SNAP-01", Anomaly.LOST_MESSAGE, "0 messages instead of"),
        (mutants.KeepsSomeFields, "SNAP-01", Anomaly.CHANGED, "message"),
        (mutants.KeepsByRole, "SNAP-01", Anomaly.REORDER, "message"),
        (mutants.NumbersAnew, "SNAP-01", Anomaly.DUPLICATE_SEQUENCE, "the next message got"),
        (mutants.KeepsNoState, "SNAP-01", Anomaly.CHANGED, "the value of"),
        (mutants.RestoresWithoutLimits, "SNAP-01", Anomaly.CHANGED, "as if it had no limit"),
        (mutants.RestoresActive, "SNAP-01", Anomaly.CHANGED, "status is 'active'"),
        (mutants.RestoresWithoutTotals, "SNAP-01", Anomaly.COUNTER_DRIFT, "total_"),
        (mutants.SnapshotsCascade, "SNAP-02", Anomaly.WRONG_ANSWER, "0 others"),
        (mutants.SnapshotsInMemory, "SNAP-02", Anomaly.UNEXPECTED_REFUSAL, "NotFound"),
        (mutants.RestoresTwice, "SNAP-04", Anomaly.DUPLICATE, "instead of"),
        (mutants.EmptiesThenRefuses, "SNAP-04", Anomaly.LOST_MESSAGE, "0 messages"),
        (mutants.MergesNewer, "SNAP-04", Anomaly.PHANTOM, "instead of"),
    ],
)
def test_what_is_wrong_has_its_name(trial, store, guarantee, anomaly, words):
    """Each break is named, told in words, and shown by a script."""
    made = trial(guarantee, store)
    with pytest.raises(Broken) as broken:
        TRIALS[guarantee](made)
    finding = broken.value.finding
    assert finding.anomaly is anomaly
    assert words in finding.seen
    assert any("restore_snapshot" in line or "listed" in line for line in finding.script)


class Renumbers(ReferenceStore):
    """Messages get numbers without gaps when they are restored, and all else is as it was."""

    def restore_snapshot(self, snapshot_id, *, session_id=None, replace=False):
        made = super().restore_snapshot(snapshot_id, session_id=session_id, replace=replace)

        def work(db):
            db.execute("DROP TRIGGER IF EXISTS messages_before_move")
            db.execute(
                "UPDATE messages SET seq = (SELECT count(*) FROM messages AS m "
                "WHERE m.sid = messages.sid AND m.seq <= messages.seq) "
                "WHERE sid = (SELECT id FROM sessions WHERE session_id = ?)",
                (made,),
            )

        self._write(work)
        return made


def test_numbers_are_seen_in_the_tables(trial):
    """Where the store shows its tables, numbers that nothing else tells are compared."""
    with pytest.raises(Broken) as broken:
        snapshots.equal(trial("SNAP-01", Renumbers))
    assert broken.value.finding.seen == "the table of messages has other numbers"
    assert any("tables.message_seq" in line for line in broken.value.finding.script)


class OneLife(mutants._Kept):
    """Nothing can be deleted, and restores are for copies and for what was emptied."""

    delete = None


def test_without_deletion_copies_are_compared(trial):
    """A store that deletes nothing is examined all the same."""
    for guarantee in ("SNAP-01", "SNAP-04"):
        made = trial(guarantee, OneLife)
        TRIALS[guarantee](made)
        assert made.examined[made.guarantee.unit] >= made.guarantee.least


class RefusesAll(mutants._Kept):
    """Nothing is restored where anything is: allowed, as nothing is lost."""

    def _loses(self, name, picture):
        return True


class RaisesAll(mutants._Kept):
    """It refuses with an error that leaves open what happened."""

    def _loses(self, name, picture):
        raise RuntimeError("no")


def test_a_refusal_must_be_one(trial):
    """Where a store refuses, it may refuse more; an error that says nothing is no refusal."""
    snapshots.over_live(trial("SNAP-04", RefusesAll))
    with pytest.raises(Broken, match="RuntimeError"):
        snapshots.over_live(trial("SNAP-04", RaisesAll))


class PausesAll(ReferenceStore):
    """It declares a move, and refuses it: that is another guarantee's business."""

    def set_status(self, session_id, status):
        raise Refused("not today")


def test_what_cannot_be_paused_is_kept_as_it_is(trial):
    """A status that cannot be had is not looked at."""
    snapshots.equal(trial("SNAP-01", PausesAll))


class EndsEarly(ReferenceStore):
    """What is restored has a limit of a minute, whatever it was."""

    def restore_snapshot(self, snapshot_id, *, session_id=None, replace=False):
        made = super().restore_snapshot(snapshot_id, session_id=session_id, replace=replace)
        sql = "UPDATE sessions SET idle_timeout_us = 60000000 WHERE idle_timeout_us > 0"
        self._write(lambda db: db.execute(sql).fetchall())
        return made


def test_a_limit_is_neither_lost_nor_shortened(trial):
    """On a clock that is set the session lives until its hour is over."""
    with pytest.raises(Broken, match="it has ended"):
        snapshots.equal(trial("SNAP-01", EndsEarly))


def test_another_process_is_asked_in_the_same_way(trial):
    """A store behind a pipe is kept and restored, with its limits."""
    hosted = find_store(f"cmd:{sys.executable} -m sessionproof.host reference")
    made = trial("SNAP-01", hosted.open, claims=ReferenceStore.claims)
    snapshots.equal(made)
    assert made.examined["snapshots"] >= made.guarantee.least
