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
