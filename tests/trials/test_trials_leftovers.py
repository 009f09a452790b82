"""Rows that outlive their messages, and calls that come first."""

import pytest

from fixtures.benign.beside import HasPlaces, IndexesOnTheSide, MakesTablesWhenNeeded
from fixtures.benign.files import JsonFiles
from fixtures.benign.related import MarksAsDeleted
from fixtures.benign.sqlite import SqliteStore
from fixtures.mutants.first_calls import ClearsWithoutTables
from fixtures.mutants.leftovers import HidesWhatIsPopped, PlacesWithoutAWord, RemovesThePlaceAlone
from sessionproof.contract.anomalies import Anomaly
from sessionproof.trials import faults, first_calls, leftovers
from sessionproof.trials.single import Broken, NotClaimed
from sessionproof.workload.profiles import PROFILES

SMOKE = PROFILES["smoke"]


def test_what_stays_in_the_table_is_counted(trial_of):
    """The finding says how many rows there are, and how many messages are read."""
    with pytest.raises(Broken) as raised:
        leftovers.none_is_left(trial_of("FK-09", RemovesThePlaceAlone, profile=SMOKE))
    finding = raised.value.finding
    assert finding.anomaly is Anomaly.UNREACHABLE
    assert finding.seen == "messages has 1 rows, and 0 messages can be read"
    assert "readable += len(store.read(name))" in "\n".join(finding.script)


def test_a_hidden_row_is_found(trial_of):
    """Also where it lies under a session that is in no list."""
    with pytest.raises(Broken) as raised:
        leftovers.none_is_left(trial_of("FK-09", HidesWhatIsPopped, profile=SMOKE))
    assert any("pop_last" in line for line in raised.value.finding.program)


@pytest.mark.parametrize("store", [HasPlaces, IndexesOnTheSide])
def test_a_store_that_erases_is_spared(trial_of, store):
    """Whatever is removed is examined, and nothing is found."""
    trial = trial_of("FK-09", store, profile=SMOKE)
    leftovers.none_is_left(trial)
    assert trial.examined["removed messages"] >= trial.guarantee.least


def test_a_store_that_keeps_what_was_deleted_does_not_claim_it(trial_of):
    """The claim is made by those alone that say so."""
    assert not MarksAsDeleted.claims.erases
    assert HasPlaces.claims.erases


def test_rows_are_refused_beside_the_messages(trial_of):
    """A place that could not be written is an error of the append, not of the next read."""
    with pytest.raises(Broken) as raised:
        faults.kept_or_refused(trial_of("CORE-16", PlacesWithoutAWord, profile=SMOKE))
    finding = raised.value.finding
    assert "new rows of another table" in finding.did
    assert any('ON "places"' in line for line in finding.script)


@pytest.mark.parametrize("store", [HasPlaces, IndexesOnTheSide])
def test_an_append_without_its_side_rows_is_right_either_way(trial_of, store):
    """It raises and nothing is kept, or it is kept without them."""
    trial = trial_of("CORE-16", store, profile=SMOKE)
    faults.kept_or_refused(trial)
    assert "refused rows beside" in trial.notes[-1] or store is IndexesOnTheSide


def test_a_first_call_that_fails_is_told(trial_of):
    """Both calls with what came of them, and a script of both."""
    with pytest.raises(Broken) as raised:
        first_calls.answered_alike(trial_of("CORE-11", ClearsWithoutTables, profile=SMOKE))
    finding = raised.value.finding
    assert finding.seen.startswith("first OperationalError: no such table: messages, then")
    assert "store.clear('first')" in "\n".join(finding.script)


@pytest.mark.parametrize("store", [MakesTablesWhenNeeded, SqliteStore])
def test_tables_may_be_made_at_any_time(trial_of, store):
    """When opened, or by the call that needs them."""
    trial = trial_of("CORE-11", store, profile=SMOKE)
    first_calls.answered_alike(trial)
    assert trial.examined["operations"] >= 10


def test_a_store_without_tables_has_no_leftovers(trial_of):
    """They are looked for in tables alone."""
    with pytest.raises(NotClaimed):
        leftovers.none_is_left(trial_of("FK-09", JsonFiles, profile=SMOKE))
