"""What the reference store claims, and the names of its tables."""

from __future__ import annotations

from sessionproof.contract.claims import Claims
from sessionproof.contract.message import MESSAGE_FIELDS
from sessionproof.contract.store import SqliteTables
from sessionproof.reference.codec import KINDS, ROLES
from sessionproof.reference.transitions import TRANSITIONS

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
    durability="power",
    seq_start=1,
    seq_after_delete="never",
    private_files=True,
    checksums=True,
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
