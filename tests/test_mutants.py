"""No check without a mutant that it catches, and no mutant that survives its own guarantee."""

import pytest

from fixtures.registry import Mutant, judged, mutants
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.verdicts import Verdict


@pytest.mark.parametrize("mutant", mutants(), ids=lambda mutant: mutant.store.rpartition(":")[2])
def test_is_caught_by_its_own_guarantee(mutant: Mutant, tmp_path):
    """Each mutant is caught by the guarantee that it names, with words and a program."""
    records = judged(mutant.store, mutant.guarantee, directory=tmp_path)
    broken = [record for record in records if record.verdict is Verdict.BROKEN]
    assert broken, [(record.test, record.verdict, record.reason) for record in records]
    for finding in broken[0].findings:
        assert finding.did
        assert finding.expected
        assert finding.seen


def test_every_guarantee_has_a_mutant():
    """Each row of the registry is caught at work by at least one mutant."""
    assert set(GUARANTEES) <= {mutant.guarantee for mutant in mutants()}


def test_there_are_enough_of_them():
    """At least twenty, each of its own class."""
    stores = [mutant.store for mutant in mutants()]
    assert len(stores) == len(set(stores))
    assert len(stores) >= 20
