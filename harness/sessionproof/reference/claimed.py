"""What the reference store claims, and the names of its tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from sessionproof.contract.claims import Claims
from sessionproof.contract.message import MESSAGE_FIELDS
from sessionproof.contract.store import SqliteTables
from sessionproof.reference.codec import KINDS, ROLES
from sessionproof.reference.timeouts import Timeouts
from sessionproof.reference.transitions import TRANSITIONS

Durability = Literal["power", "process"]

# Two to three times what was measured against raw SQLite that checks and counts nothing: another
# machine must not break them.
COSTS = {
    "append": 6,
    "get": 8,
    "read_last": 9,
    "page": 12,
    "create": 16,
    "update": 6,
    "delete": 8,
    "open": 16,
}

CLAIMS = Claims(
    keeps=frozenset(MESSAGE_FIELDS),
    roles=ROLES,
    kinds=KINDS,
    validates=True,
    missing_session="creates",
    session_ids="caller",
    atomic_batches=True,
    order="append",
    handles="processes",
    shared_handle=True,
    writers=16,
    concurrent_readers=True,
    consistency="linearizable",
    isolation="strict-serializable",
    durability="power",
    seq_start=1,
    seq_after_delete="never",
    private_files=True,
    missing_folder="refuses",
    checksums=True,
    erases=True,
    on_delete_in_use="refuses",
    activity={"append", "touch", "replace"},
    warns=True,
    expires="at_once",
    after_expiry="readable",
    transitions=TRANSITIONS,
    restore_over_live="refuses",
    search_order="newest",
    finds={"cjk", "code"},
    costs=COSTS,
)


def claimed_by_handle(claims: Claims, durability: Durability, timeouts: Timeouts | None) -> Claims:
    """The claims of a handle that was opened with these options."""
    changed: dict[str, Any] = {}
    if durability != claims.durability:
        changed["durability"] = durability
    if claims.warns and timeouts is not None and not timeouts.warn_us:
        changed["warns"] = False
    return replace(claims, **changed) if changed else claims  # to check them anew takes its time


TABLES = SqliteTables(
    path="",
    messages="messages",
    message_session="sid",
    message_seq="seq",
    sessions="sessions",
    session_key="id",
    children={"state": "sid"},
    message_tokens="tokens",
    message_duration="duration_us",
    session_count="message_count",
    session_tokens="total_tokens",
    session_duration="total_duration_us",
)
"""As ``tables()`` answers, without the path."""
