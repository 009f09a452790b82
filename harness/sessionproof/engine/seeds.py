"""Several seeds in one run: each test of the suites once for each of them."""

from __future__ import annotations

from typing import Any

from sessionproof.engine.plan import Plan

TRIAL = "trial"


def one_test_each(metafunc: Any, plan: Plan) -> None:
    """Pytest's ``metafunc`` of a test that takes a trial: a test for each seed, where several."""
    if plan.seeds > 1 and TRIAL in metafunc.fixturenames:
        seeds = range(plan.seed, plan.seed + plan.seeds)
        metafunc.parametrize(TRIAL, seeds, indirect=True, ids=[f"seed {seed}" for seed in seeds])


def seed_of(item: Any, plan: Plan) -> int | None:
    """Which of several seeds pytest's ``item`` is run with; None where the run has one."""
    call = getattr(item, "callspec", None)
    seed = None if call is None or plan.seeds == 1 else call.params.get(TRIAL)
    return seed if isinstance(seed, int) else None
