"""What scripts of limits need to know of a store."""

from __future__ import annotations

from typing import Literal

from sessionproof.scripts.sweeps import Setting
from sessionproof.trials.lines import said
from sessionproof.trials.single import Trial
from sessionproof.workload.crews import is_hosted
from sessionproof.workload.sessions import needs_create


def setting_of(trial: Trial) -> Setting | None:
    """The setting; None for a store that no such script can use: behind pipes, or awaited."""
    if is_hosted(trial.store) or "append" in trial.store.awaited:
        return None
    made = "name"
    if needs_create(trial.claims, trial.capabilities):
        made = f"maker.create({'' if trial.claims.session_ids == 'store' else 'name'})"
    clock: Literal["taken", "set"] | None = None
    if "set_clock" in trial.capabilities:
        clock = "taken" if trial.store.spec.takes_clock else "set"
    return Setting(
        made=made,
        message=said(trial, "TEXT").replace("'TEXT'", "text"),
        clock=clock,
        warns=trial.claims.warns,
        snapshots="snapshots" in trial.capabilities,
        batches=len(trial.several(2)) == 2 and trial.claims.atomic_batches,
        readable=trial.claims.after_expiry == "readable" and trial.words.samples[0].kind == "text",
    )
