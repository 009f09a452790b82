"""The same upkeep once more, for scripts: recorded anew, and judged up to the first like flaw."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from sessionproof.contract.claims import Claims
from sessionproof.contract.guarantees import GUARANTEES
from sessionproof.trials.crashes.again import named_store
from sessionproof.trials.crashes.upkeep_looks import Budget, looked, played
from sessionproof.trials.crashes.upkeep_scenes import Unfit
from sessionproof.trials.single import Trial
from sessionproof.workload.guard import CannotOpen
from sessionproof.workload.profiles import PROFILES

_LIMIT_S = 30.0


def still_half_done(
    name: str, scene: str, *, model: str, anomaly: str, claims: Claims | None = None
) -> bool:
    """Whether crashes in this scene still leave what the store of this name was broken by.

    Where that cannot be recorded or judged, nothing says that it was mended. ``claims`` are the
    store's own unless given.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        store = named_store(name, claims, Path(directory))
        budget = Budget(
            limit_s=_LIMIT_S, patience_s=_LIMIT_S, least=0, most=sys.maxsize, until=anomaly
        )
        try:
            trial = Trial(
                guarantee=GUARANTEES["DUR-06"],
                store=store,
                capabilities=store.handle().capabilities,
                profile=PROFILES["gate"],
                seed=0,
            )
            (one,) = played(trial, [scene], Path(directory))
            if isinstance(one, Unfit):
                raise one
            look = looked(trial, one, [model], budget)
            return any(wrong.flaw.anomaly == anomaly for wrong in look.wrong)
        except (Unfit, CannotOpen) as why:
            print(f"it cannot be tried again: {why}")  # noqa: T201 - a script says it
            return True
        finally:
            store.close()
