"""What a portal claims as a store under test, and how the contract's messages are its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sessionproof.contract.claims import Claims, Limits
from sessionproof.contract.errors import NotRepresentable, Refused
from sessionproof.contract.message import MESSAGE_FIELDS, Message, message_problems
from sessionproof.portal.appending import NewMessage, checked_details
from sessionproof.portal.models import CONTENT_MOST, ROLES

LATENCY = "latency_us"
"""Where a message's metadata has how long it took."""

CLAIMS = Claims(
    keeps={"role", "content", "tokens", "duration_us", "created_at_us", "metadata"},
    roles=frozenset(ROLES),
    validates=True,
    missing_session="refuses",
    session_ids="store",
    atomic_batches=True,
    handles="processes",
    shared_handle=True,
    writers=16,
    concurrent_readers=True,
    consistency="linearizable",
    durability="power",
    seq_start=1,
    seq_after_delete="never",
    private_files=True,
    missing_folder="refuses",
    on_delete_user="cascades",
    activity={"append", "touch"},
    expires="at_once",
    after_expiry="readable",
    transitions={"active>archived", "archived>active"},
    limits=Limits(content_bytes=CONTENT_MOST, nul=False, surrogates=False),
)
"""On SQLite."""

ON_SERVER = replace(CLAIMS, private_files=False, missing_folder=None)


def encode(message: Message) -> NewMessage:
    """The message as the portal has it; raises ``NotRepresentable`` for what it has no place for.

    How long a message took is ``latency_us`` of its metadata.
    """
    if not isinstance(message, Message):
        raise Refused(f"expected a Message, got {type(message).__name__}")
    if problems := message_problems(message):
        raise Refused(f"message refused: {'; '.join(problems)}")
    if message.role is None or not isinstance(message.content, str):
        raise NotRepresentable("a message of a portal has a role and a text")
    details = None if message.metadata is None else dict(message.metadata)
    if message.duration_us is not None:
        details = {LATENCY: message.duration_us, **(details or {})}
    new = NewMessage(message.role, message.content, message.tokens, details, message.created_at_us)
    back = decode(new)
    lost = [name for name in MESSAGE_FIELDS if getattr(back, name) != getattr(message, name)]
    if lost:
        raise NotRepresentable(f"a message of a portal has no place for this {', '.join(lost)}")
    checked_details(details)
    return new


def decode(row: Any) -> Message:
    """The inverse of ``encode``, of a message to be added or of one that was read."""
    details = None if row.details is None else dict(row.details)
    latency = details.pop(LATENCY, None) if details else None
    return Message(
        row.role,
        row.content,
        tokens=row.tokens,
        duration_us=latency,
        created_at_us=row.created_at_us,
        id=getattr(row, "id", None),
        metadata=None if latency is not None and not details else details,
    )
