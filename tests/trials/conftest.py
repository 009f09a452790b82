"""A trial of one guarantee against a small store."""

import pytest

from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.lookup import spec_of
from sessionproof.oracle.memory import MemoryStore
from sessionproof.trials.single import Trial
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.profiles import Deadlines, Profile

# Little of everything, and the patience that a busy machine needs for the least evidence.
FAST = Profile(name="fast", share_s=0.02, shrink_s=0.5, patience_s=30.0)


@pytest.fixture
def trial_of(tmp_path):
    """Make the trial of a guarantee, against a store or a memory store with other methods.

    A call may take so long that a busy disk is no hang; who waits for one gives ``operation_s``.
    """
    stores = []

    def make(guarantee, factory=None, *, claims=None, profile=FAST, operation_s=4.0, **methods):
        store = factory or type("Odd", (MemoryStore,), methods)
        spec = spec_of("odd", store)
        stores.append(
            StoreUnderTest(
                spec, claims or spec.claims, parent=tmp_path,
                deadlines=Deadlines(operation_s=operation_s, open_s=5.0),
            )
        )  # fmt: skip
        return Trial(
            guarantee=GUARANTEES[guarantee],
            store=stores[-1],
            capabilities=stores[-1].handle().capabilities,
            profile=profile,
            seed=0,
        )

    yield make
    for store in stores:
        store.close()
