"""The trial of repairs: what it needs, what it counts, and what it takes for harm."""

from pathlib import Path

import pytest

from fixtures.benign.repairs import RepairsByKeeping
from fixtures.benign.sqlite import SqliteStore
from sessionproof import Message
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.upkeep import Repaired, Verified
from sessionproof.faults.rows import RowDamage
from sessionproof.reference import ReferenceStore
from sessionproof.trials.repaired import damage_done
from sessionproof.trials.repairs import mended
from sessionproof.trials.single import Broken, NotClaimed
from sessionproof.workload.profiles import PROFILES

ONE, TWO, THREE = (Message("user", text, id=text) for text in ("one", "two", "three"))
GONE = RowDamage("", "gone", (), 1)
VALUE = RowDamage("", "value", (), 1)
TWICE = RowDamage("", "repeated", (), 1)
ORPHANS = RowDamage("", "orphans", ())


def test_the_reference_has_its_evidence(trial_of):
    """At least as many damages as the row needs."""
    trial = trial_of("COR-06", ReferenceStore, profile=PROFILES["smoke"])
    mended(trial)
    assert trial.examined["damages"] >= trial.guarantee.least


def test_a_broken_verify_after_a_repair_is_seen(trial_of):
    """Mended is what verify and our own SQL call mended, and not what repair says."""

    class OnlySays(RepairsByKeeping):
        @staticmethod
        def repair(directory, *, dry_run=True):
            done = RepairsByKeeping.repair(directory, dry_run=True)
            if dry_run or not done.changes:
                return done
            kept = Path(directory, "kept.db")
            kept.write_bytes(Path(directory, "lines.db").read_bytes())
            return Repaired(changes=done.changes, backup=str(kept))

    with pytest.raises(Broken) as raised:
        mended(trial_of("COR-06", OnlySays))
    assert raised.value.finding.anomaly is Anomaly.UNMENDED


def test_a_store_whose_rows_cannot_contradict_each_other_claims_nothing(trial_of):
    """One table, and no rule that SQL could pass by: there is nothing to mend."""

    class Alone(SqliteStore):
        def verify(self, session_id=None):
            return Verified()

        def repair(self, directory, *, dry_run=True):
            return Repaired()

    with pytest.raises(NotClaimed):
        mended(trial_of("COR-06", Alone))


@pytest.mark.parametrize(
    ("damage", "name", "after", "harm"),
    [
        (GONE, "s0", (ONE, THREE), None),
        (GONE, "s0", (ONE, TWO, THREE), Anomaly.PHANTOM),
        (GONE, "s0", (ONE,), Anomaly.LOST_MESSAGE),
        (GONE, "s0", (THREE, ONE), Anomaly.CHANGED),
        (GONE, "s1", (ONE, THREE), Anomaly.LOST_MESSAGE),
        (VALUE, "s0", (ONE, THREE), None),
        (VALUE, "s0", (ONE, Message(None, "two"), THREE), None),
        (VALUE, "s0", (ONE, TWO, Message("user", "x")), Anomaly.CHANGED),
        (TWICE, "s0", (TWO, ONE, THREE), None),
        (TWICE, "s0", (ONE, THREE), Anomaly.LOST_MESSAGE),
        (ORPHANS, "s2", (), None),
        (ORPHANS, "s2", (ONE, TWO, THREE), None),
        (ORPHANS, "s2", (ONE, Message("user", "x")), Anomaly.PHANTOM),
        (ORPHANS, "s0", (ONE, TWO), Anomaly.LOST_MESSAGE),
    ],
)
def test_harm_is_told_from_mending(damage, name, after, harm):
    """What was damaged may be mended, kept or set aside; what was right stays as it was."""
    done = damage_done(damage, name, (ONE, TWO, THREE), after)
    assert (done and done[0]) == harm
