"""Correct stores that differ from the reference hold every guarantee that they claim."""

import pytest

from fixtures.registry import benign_stores, judged
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.verdicts import Verdict

STORES = ("reference", "sessionproof.oracle.memory:MemoryStore", *benign_stores())


@pytest.mark.parametrize("guarantee", GUARANTEES)
@pytest.mark.parametrize("store", STORES, ids=lambda store: store.rpartition(":")[2])
def test_holds_what_it_claims(store, guarantee, tmp_path):
    """No guarantee calls a correct store broken, and none is left in doubt."""
    records = judged(store, guarantee, directory=tmp_path)
    wrong = [record for record in records if record.verdict is not Verdict.HOLDS]
    assert all(record.verdict is Verdict.NOT_CLAIMED for record in wrong), wrong


def test_there_are_enough_of_them():
    """At least eight ways to be right."""
    assert len(benign_stores()) >= 8
