"""Backups under load, and how many of them are kept."""

from dataclasses import replace

import numpy as np
import pytest

from fixtures.benign.backups import AwaitedBackups, BackedUpLines, DumpedBackups, VacuumedBackups
from fixtures.mutants import backups as mutants
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.lookup import find_store
from sessionproof.contract.operations import Outcome
from sessionproof.history.columns import BATCH, NONE, ROW, F, History, Phase, Type
from sessionproof.history.tokens import text_of
from sessionproof.trials import backups
from sessionproof.trials.backup_load import Load, Taken, Written, with_read, wrong_with
from sessionproof.trials.single import Broken, CouldNotTell, Trial
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.profiles import PROFILES

OK = Outcome("ok")


@pytest.fixture
def trial(tmp_path):
    """Make the trial of a store that other processes can import."""
    stores = []

    def make(factory, guarantee):
        spec = find_store(f"{factory.__module__}:{factory.__qualname__}")
        deadlines = PROFILES["smoke"].deadlines
        stores.append(StoreUnderTest(spec, spec.claims, parent=tmp_path, deadlines=deadlines))
        return Trial(
            guarantee=GUARANTEES[guarantee],
            store=stores[-1],
            capabilities=stores[-1].handle().capabilities,
            profile=PROFILES["smoke"],
            seed=1,
        )

    yield make
    for store in stores:
        store.close()


def history(*appends, final):
    """Appends of messages 1, 2, … at these times, by a client each, and a last read of these."""
    rows = np.zeros(len(appends), ROW)
    for at, (began, ended) in enumerate(appends):
        rows[at]["id"], rows[at]["inv"], rows[at]["ret"] = (at + 1) * BATCH, began, ended
        rows[at]["client"], rows[at]["n"], rows[at]["f"] = at, 1, F.APPEND
        rows[at]["type"], rows[at]["value"], rows[at]["phase"] = Type.OK, NONE, Phase.LOAD
    made = History(rows, sessions=("s",))
    quiet = with_read(made, Taken(OK, 10_000, 10_001), {0: texts(final)})
    quiet.rows["phase"][-1] = Phase.FINAL
    return quiet


def texts(numbers):
    """The texts of messages."""
    return [text_of(number * BATCH) for number in numbers]


@pytest.mark.parametrize(
    ("held", "words"),
    [
        ([1, 2], ""),
        ([1, 2, 3], ""),
        ([1], "1 of 2 messages that were acknowledged before it began are gone"),
        ([], "2 of 2 messages"),
        ([1, 2, 4], "another order"),
        ([1, 2, 2], "more often"),
    ],
)
def test_a_backup_is_a_read(held, words):
    """What was acknowledged before is owed, what is in flight may be there, what comes is not."""
    made = history((10, 20), (30, 40), (90, 200), (500, 600), final=[1, 2, 3, 4])
    wrong = wrong_with(Written(made, ["s"]), Taken(OK, 100, 150), [texts(held)], Claims())
    assert bool(wrong) is bool(words), wrong
    if held != [1, 2, 4]:
        assert words in wrong


def test_what_nobody_sent_is_no_backup():
    """A text that no client sent."""
    made = history((10, 20), final=[1])
    taken = Taken(OK, 100, 150)
    wrong = wrong_with(Written(made, ["s"]), taken, [[*texts([1]), "not ours"]], Claims())
    assert wrong == "a message is there that nobody appended"


def test_what_is_wrong_without_the_backup_is_not_its_fault():
    """A store that loses messages is judged by other rows."""
    made = history((10, 20), (30, 40), final=[1])
    taken = Taken(OK, 100, 150)
    assert not wrong_with(Written(made, ["s"]), taken, [texts([1])], Claims())


def test_backups_beside_writes_are_evidence():
    """Those that were made before the first write or after the last are none."""
    load = Load(trial=None, written=[Written(history((100, 200), final=[1]), ["s"])])
    assert load.beside(Taken(OK, 150, 160))
    assert load.beside(Taken(OK, 50, 160))
    assert not load.beside(Taken(OK, 50, 90))
    assert not load.beside(Taken(OK, 201, 300))


@pytest.mark.parametrize("store", [AwaitedBackups, BackedUpLines, DumpedBackups])
def test_each_kind_of_clients_has_its_load(trial, store):
    """Tasks of a loop, the only client, and threads."""
    made = trial(store, "BAK-01")
    backups.under_load(made)
    assert made.examined["backups"] >= 3


def test_too_few_backups_tell_nothing(trial):
    """A store whose backups never meet a write is not judged."""
    made = trial(DumpedBackups, "BAK-01")
    made.profile = replace(made.profile, patience=0.0, patience_s=0.0)
    made.guarantee = replace(made.guarantee, least=1_000)
    with pytest.raises(CouldNotTell, match="1000 are needed"):
        backups.under_load(made)


@pytest.mark.parametrize(
    ("store", "words"),
    [
        (mutants.CopiesTheMainFile, "cannot be restored"),
        (mutants.SavesOldSnapshot, "0 messages instead of 4"),
    ],
)
def test_a_backup_of_one_client_shows_what_is_missing(trial, store, words):
    """No load is needed for what is never there."""
    with pytest.raises(Broken) as raised:
        backups.under_load(trial(store, "BAK-01"))
    assert raised.value.finding.anomaly is Anomaly.BAD_BACKUP
    assert words in raised.value.finding.seen


class RefusesUnderLoad(VacuumedBackups):
    """Each backup meets a lock."""

    quiet = 1

    def backup(self, folder, *, keep=None):
        """The first one is made."""
        if not self.quiet:
            raise OSError("somebody writes")
        RefusesUnderLoad.quiet -= 1
        return super().backup(folder, keep=keep)


def test_backups_that_are_refused_under_load_are_told(trial):
    """One is made before the others begin."""
    RefusesUnderLoad.quiet = 1
    made = trial(DumpedBackups, "BAK-01")
    made.store.spec = replace(made.store.spec, open=RefusesUnderLoad)
    made.store.claims = replace(RefusesUnderLoad.claims, handles="threads")
    with pytest.raises(Broken) as raised:
        backups.under_load(made)
    assert "no backup can be made" in raised.value.finding.seen


@pytest.mark.parametrize("store", [VacuumedBackups, BackedUpLines])
def test_files_and_folders_are_kept(trial, store):
    """Names, retention, the last good one: of files, and of folders."""
    made = trial(store, "BAK-03")
    backups.kept(made)
    assert made.examined["backups"] == 21


@pytest.mark.parametrize(
    ("store", "anomaly", "words"),
    [
        (mutants.NamesBySeconds, Anomaly.OVERWRITTEN, "made twice"),
        (mutants.RemovesForeignFiles, Anomaly.OVERWRITTEN, "0-other.db"),
        (mutants.RemovesWhatBeginsAlike, Anomaly.OVERWRITTEN, ".mine was changed or removed"),
        (mutants.KeepsAll, Anomaly.WRONG_ANSWER, "12 are there"),
        (mutants.SortsByName, Anomaly.OVERWRITTEN, "backup-9.db is there"),
        (mutants.RemovesBeforeItMakes, Anomaly.OVERWRITTEN, "the new one is none"),
        (mutants.CountsDamagedOnes, Anomaly.OVERWRITTEN, "the new one is none"),
    ],
)
def test_each_way_to_lose_a_backup_is_named(trial, store, anomaly, words):
    """Overwritten, taken with others', chosen wrongly, or never removed."""
    with pytest.raises(Broken) as raised:
        backups.kept(trial(store, "BAK-03"))
    assert raised.value.finding.anomaly is anomaly
    assert words in raised.value.finding.seen
