"""Crashes in sweeps, snapshots, their restores, and in what is maintained."""

from dataclasses import replace

import pytest

from fixtures.benign.sweeps import Keeping, Sweeping, name_of
from fixtures.mutants.sweep_crashes import HasNoFiles
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.lifetime import Swept
from sessionproof.contract.lookup import find_store
from sessionproof.trials import interrupted
from sessionproof.trials.crashes.upkeep_scenes import OWN_SCENES
from sessionproof.trials.single import Broken, Trial
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.profiles import PROFILES, Deadlines


class EndsOneByOne(HasNoFiles):
    """A sweep is a transaction for each session: what is left of it is for the next."""

    def sweep(self):
        """As long as one is due."""
        expired = []
        while True:
            with self._transaction() as db:
                sql = (
                    "UPDATE sessions SET status = 'expired' WHERE session = (SELECT session FROM "
                    "sessions WHERE status IN ('active', 'idle') AND due_us <= ? LIMIT 1) "
                    "RETURNING session"
                )
                found = db.execute(sql, (self.clock.now_us(),)).fetchall()
            if not found:
                return Swept(expired=tuple(expired))
            expired += [name_of(key) for (key,) in found]


class LosesOneByOne(HasNoFiles):
    """Sessions that have ended lose a message, and get it back."""

    def sweep(self):
        """The message goes in one transaction, and comes back in another."""
        swept = Sweeping.sweep(self)
        for name in swept.expired:
            key = name.encode()
            sql = "DELETE FROM messages WHERE session = ? AND seq = 1 RETURNING seq, body"
            rows = self._rows(sql, key)
            with self._transaction() as db:
                self._put_back(db, key, rows)
        return swept


class Tidies(Keeping):
    """Upkeep takes messages out, and puts them back."""

    def maintain(self):
        """In two transactions."""
        rows = self._rows("DELETE FROM messages WHERE seq = 2 RETURNING session, seq, body")
        with self._transaction() as db:
            for key, *row in rows:
                self._put_back(db, key, [row])
        return ["tidied"]

    restore = HasNoFiles.restore


@pytest.fixture
def trial_of(tmp_path):
    """Makes trials of stores, which are closed afterwards."""
    stores = []

    def make(name):
        spec = find_store(f"{__name__}:{name}")
        store = StoreUnderTest(spec, spec.claims, parent=tmp_path, deadlines=Deadlines())
        stores.append(store)
        return Trial(
            guarantee=GUARANTEES["DUR-06"],
            store=store,
            capabilities=store.handle().capabilities,
            profile=replace(PROFILES["smoke"], share_s=1.0),
            seed=0,
        )

    yield make
    for store in stores:
        store.close()


@pytest.mark.night
def test_a_sweep_may_end_one_after_the_other(trial_of):
    """After a crash each session is as before the sweep or as after it, and the next ends it."""
    trial = trial_of("EndsOneByOne")
    interrupted.survives(trial)
    told = [note.partition(":")[0] for note in trial.notes if "states were judged" in note]
    assert told == [*OWN_SCENES[:3]]
    assert trial.examined["states"] >= 30


def broken(trial):
    """The finding of a store that does not survive."""
    with pytest.raises(Broken) as raised:
        interrupted.survives(trial)
    return raised.value.finding


@pytest.mark.night
def test_a_session_that_ends_keeps_its_messages(trial_of):
    """A message that a sweep takes out for a moment is missing after a crash."""
    finding = broken(trial_of("LosesOneByOne"))
    assert finding.anomaly is Anomaly.PARTIAL
    assert "in the middle of sweep" in finding.did
    assert finding.program[-1] == "store.sweep()  # in flight"


@pytest.mark.night
def test_upkeep_leaves_messages_alone(trial_of):
    """A crash in the middle of maintain leaves every message that was there."""
    finding = broken(trial_of("Tidies"))
    assert finding.anomaly in (Anomaly.PARTIAL, Anomaly.LOST_MESSAGE)
    assert "in the middle of maintain" in finding.did
