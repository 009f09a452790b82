"""What the session manager claims as a store."""

from __future__ import annotations

from dataclasses import replace

from sessionproof.reference import claimed
from sessionproof.reference.managing.settings import Settings

# Two to three times what was measured, as ``claimed.COSTS``; what a message costs is the same.
COSTS = {
    **claimed.COSTS,
    "generate_session_id": 9,
    "create_session": 12,
    "get_session": 12,
    "update_parent_id": 12,
    "delete_session": 10,
    "cleanup": 6,
}

CLAIMS = replace(
    claimed.CLAIMS,
    missing_session="refuses",
    access_step_us=Settings().step_us,
    activity={"append", "touch"},
    warns=False,
    expires="by_sweep",
    after_expiry="gone",
    # It has no states, models, transactions, snapshots and search.
    isolation=None,
    on_delete_in_use=None,
    transitions=frozenset(),
    restore_over_live=None,
    search_order=None,
    finds=frozenset(),
    costs=COSTS,
)
