"""Locations that cannot be used."""

import stat
from dataclasses import replace

import pytest
from changing_stores import EmptyMetadata

from fixtures.benign.crash_safe_files import SyncedLines
from fixtures.benign.files import JsonFiles
from fixtures.mutants import places as mutants
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.lookup import find_store
from sessionproof.faults.failing import injection
from sessionproof.faults.failing.injection import why_not
from sessionproof.oracle.memory import MemoryStore
from sessionproof.reference import ReferenceStore
from sessionproof.trials import places
from sessionproof.trials.single import Broken, CouldNotTell, NotClaimed, Trial
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.profiles import PROFILES

can = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")


@pytest.fixture
def trial(tmp_path):
    """Make the trial of a store that other processes can import."""
    stores = []

    def make(factory, **claims):
        spec = find_store(f"{factory.__module__}:{factory.__qualname__}")
        deadlines = PROFILES["smoke"].deadlines
        claimed = replace(spec.claims, **claims)
        stores.append(StoreUnderTest(spec, claimed, parent=tmp_path, deadlines=deadlines))
        return Trial(
            guarantee=GUARANTEES["DUR-07"],
            store=stores[-1],
            capabilities=stores[-1].handle().capabilities,
            profile=PROFILES["smoke"],
            seed=1,
        )

    yield make
    for store in stores:
        store.close()


@can
def test_a_database_refuses_all_places(trial):
    """Also as root, whose right to pass permissions is dropped."""
    made = trial(ReferenceStore)
    places.refused(made)
    assert made.examined["places"] == 4
    assert not made.notes


@can
def test_what_can_be_written_all_the_same_is_not_judged(trial):
    """A store that renames new files over old ones need not write into a read-only file."""
    made = trial(JsonFiles)
    places.refused(made)
    assert made.examined["places"] == 3
    assert made.notes == ["1 of 4 places could be written all the same: files are read-only"]


@can
def test_a_missing_folder_is_made_as_is_claimed(trial):
    """A store that makes the folder on purpose, and keeps there what it acknowledged, holds."""
    made = trial(SyncedLines)
    places.refused(made)
    assert made.examined["places"] == 4
    assert not made.notes


@can
def test_a_missing_folder_that_is_made_without_a_claim_is_noted(trial):
    """Only what is declared can be broken: where nothing is, a made folder is seen and told."""
    made = trial(mutants.MakesTheFolder, missing_folder=None)
    places.refused(made)
    assert made.examined["places"] == 3
    assert made.notes == ["1 of 4 places could be written all the same: folder is missing"]


@can
@pytest.mark.parametrize(
    ("store", "anomaly", "words"),
    [
        (mutants.MakesTheFolder, Anomaly.ACCEPTED_INVALID, "folder is missing"),
        (mutants.MakesAnEmptyFolder, Anomaly.SWALLOWED, "folder is missing"),
        (mutants.SaysThatItMakes, Anomaly.UNEXPECTED_REFUSAL, "folder is missing"),
        (mutants.GoesElsewhere, Anomaly.ESCAPE, "folder is read-only"),
        (mutants.UsesTheHome, Anomaly.ESCAPE, "folder is read-only"),
        (mutants.KeepsInMemory, Anomaly.SWALLOWED, "folder is read-only"),
        (mutants.RemovesTheFile, Anomaly.ACCEPTED_INVALID, "place is a file"),
        (mutants.HasNoConnection, Anomaly.UNEXPECTED_REFUSAL, "folder is missing"),
    ],
)
def test_each_way_of_going_on_is_named(trial, store, anomaly, words):
    """What was made elsewhere, kept in memory, or refused without a word about the place."""
    with pytest.raises(Broken) as raised:
        places.refused(trial(store))
    assert raised.value.finding.anomaly is anomaly
    assert words in raised.value.finding.did


@can
def test_a_change_is_named_as_everywhere(trial):
    """What is wrong without any of this is told in the words of the other rows."""
    with pytest.raises(Broken) as raised:
        places.refused(trial(EmptyMetadata))
    assert raised.value.finding.change == "metadata: None became {}"


@can
def test_places_are_mended_afterwards(trial, tmp_path):
    """Nothing is left that whoever runs the tests cannot remove."""
    places.refused(trial(ReferenceStore))
    modes = [path.stat().st_mode for path in tmp_path.rglob("*")]
    assert all(mode & stat.S_IWUSR for mode in modes)


@can
def test_a_store_without_files_is_not_claimed(trial):
    """It has no location."""
    with pytest.raises(NotClaimed, match="no file below its location"):
        places.refused(trial(MemoryStore))


def test_without_a_listener_nothing_is_told(trial, monkeypatch):
    """What is made elsewhere would not be seen."""

    def refuse(*_arguments, **_options):
        raise injection.CannotInject("not here")

    monkeypatch.setattr(injection, "_started", refuse)
    with pytest.raises(CouldNotTell, match="not here"):
        places.refused(trial(ReferenceStore))
