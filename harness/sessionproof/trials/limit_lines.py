"""What scripts of limits need to know of a store."""

from __future__ import annotations

from typing import Any

from sessionproof.contract.clock import SettableClock
from sessionproof.scripts.sweeps import Setting
from sessionproof.trials.lines import said
from sessionproof.trials.single import Trial
from sessionproof.workload.crews import is_hosted
from sessionproof.workload.guard import CannotOpen
from sessionproof.workload.seats import raw
from sessionproof.workload.sessions import needs_create


def setting_of(trial: Trial) -> Setting | None:
    """The setting; None for a store that no such script can use: behind pipes, or awaited."""
    if is_hosted(trial.store) or "append" in trial.store.awaited:
        return None
    made = "name"
    if needs_create(trial.claims, trial.capabilities):
        made = f"maker.create({'' if trial.claims.session_ids == 'store' else 'name'})"
    try:
        store: Any = raw(trial.handle())
    except CannotOpen:
        return None
    owner = getattr(getattr(store, "set_clock", None), "__self__", None)
    virtual = "set_clock" in trial.capabilities
    return Setting(
        made=made,
        message=said(trial, "TEXT").replace("'TEXT'", "text"),
        clock=("taken" if isinstance(owner, SettableClock) else "set") if virtual else None,
        warns=trial.claims.warns,
        snapshots="snapshots" in trial.capabilities,
        batches=len(trial.several(2)) == 2 and trial.claims.atomic_batches,
        readable=trial.claims.after_expiry == "readable" and trial.words.samples[0].kind == "text",
    )
