"""Single damaged records: what they may cost."""

import damaged_stores
import pytest

from fixtures.registry import judged
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.verdicts import Verdict


def record(store, directory):
    """The record of the row."""
    name = store if isinstance(store, str) else f"{store.__module__}:{store.__qualname__}"
    (made,) = judged(name, "COR-07", directory=directory)
    return made


def test_a_repair_may_come_first(tmp_path):
    """A session that cannot be read is no break if the store's own repair makes it readable."""
    made = record(damaged_stores.Repairs, tmp_path)
    assert made.verdict is Verdict.HOLDS, made.findings
    assert made.examined >= 2


def test_without_a_repair_it_is_one(tmp_path):
    """The same store without that method hides the other messages."""
    made = record("fixtures.mutants.corruption:StopsAtABadRow", tmp_path)
    assert made.findings[0].anomaly is Anomaly.UNREADABLE


def test_a_document_of_its_own_is_a_record(tmp_path):
    """Where each session is a file, the others stay readable."""
    assert record("fixtures.benign.files:JsonFiles", tmp_path).verdict is Verdict.HOLDS


def test_a_document_may_be_one_message_of_many(tmp_path):
    """Where each message is a file, a torn one costs no more than itself."""
    made = record(damaged_stores.Letters, tmp_path)
    assert made.verdict is Verdict.HOLDS, made.findings
    assert made.examined >= 2


@pytest.mark.night
def test_one_torn_document_of_many_hides_no_other(tmp_path):
    """A session that cannot be read for one torn file of its messages is unreadable."""
    made = record(damaged_stores.LettersOrNothing, tmp_path)
    assert made.findings[0].anomaly is Anomaly.UNREADABLE


def test_a_store_without_known_records_is_not_judged(tmp_path):
    """A database that shows no tables has none that could be found."""
    made = record("fixtures.benign.crash_safe:TruncatedJournal", tmp_path)
    assert made.verdict is Verdict.NOT_CLAIMED


def test_the_reference_holds_it(tmp_path):
    """At once, or after its repair."""
    assert record("reference", tmp_path).verdict is Verdict.HOLDS


def test_a_record_at_the_end_of_a_log_is_one(tmp_path):
    """A file that only grew is a log, whatever its format: its torn end costs one record."""
    made = record("fixtures.benign.damage_safe:CheckedRecords", tmp_path)
    assert made.verdict is Verdict.HOLDS, made.findings
    assert made.examined >= 2


def test_a_torn_record_hides_no_other(tmp_path):
    """Where it makes its session unreadable, the finding says how much was cut."""
    made = record("fixtures.mutants.corruption:StopsAtATornRecord", tmp_path)
    assert made.findings[0].anomaly is Anomaly.UNREADABLE
    assert "its last 20 bytes cut" in made.findings[0].did


def test_a_document_of_all_sessions_may_cost_one(tmp_path):
    """Where all sessions lie in one document, the others stay readable when one is damaged."""
    made = record("fixtures.benign.damage_safe:OneCheckedDocument", tmp_path)
    assert made.verdict is Verdict.HOLDS, made.findings
    made = record("fixtures.mutants.corruption:StopsAllForOne", tmp_path)
    assert made.findings[0].anomaly is Anomaly.UNREADABLE
    assert "a message's text replaced" in made.findings[0].did


def test_damage_that_shows_nowhere_breaks_nothing(tmp_path):
    """A row that no read looks at may be spoiled: nothing is lost, so nobody has to say so."""
    made = record(damaged_stores.KeepsACopyOfEachText, tmp_path)
    assert made.verdict is Verdict.NOT_CLAIMED
    assert "no read shows" in made.reason
