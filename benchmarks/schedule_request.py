"""What a process must know of a store to explore it: for benchmarks of controlled schedules."""

from __future__ import annotations

import tempfile
from pathlib import Path

from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.contract.lookup import find_store
from sessionproof.trials.crowds import kinds_of
from sessionproof.trials.exploring import Request
from sessionproof.trials.schedules import reachable, request_of
from sessionproof.trials.single import CouldNotTell, NotClaimed, Trial
from sessionproof.workload.execute import StoreUnderTest
from sessionproof.workload.profiles import PROFILES

ROW = "CONC-14"


def request_for(store: str, root: str, *, profile: str = "gate") -> Request | None:
    """As its row asks; None where control does not reach the store.

    ``root`` is a directory of its own. Raises ValueError where the store declares no claims.
    """
    spec, limits, row = find_store(store), PROFILES[profile], GUARANTEES[ROW]
    if spec.claims is None:
        raise ValueError(f"{store} must declare its claims")
    with tempfile.TemporaryDirectory(dir=root) as parent:
        under_test = StoreUnderTest(
            spec, spec.claims, parent=Path(parent), deadlines=limits.deadlines
        )
        try:
            trial = Trial(
                guarantee=row,
                store=under_test,
                capabilities=under_test.handle().capabilities,
                profile=limits,
                seed=0,
            )
            kinds = reachable(trial, kinds_of(trial))
            seconds = limits.share_s * row.weight
            return request_of(trial, kinds, root=root, seconds=seconds) if kinds else None
        except (NotClaimed, CouldNotTell):
            return None
        finally:
            under_test.close()
