"""Sessions that take appends: created first where the store wants it so."""

from __future__ import annotations

from collections.abc import Collection

from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message
from sessionproof.contract.operations import Append, Create, Operation, Outcome
from sessionproof.workload.guard import Handle


def needs_create(claims: Claims, capabilities: Collection[str]) -> bool:
    """Whether a session must be created before it takes appends."""
    by_us = claims.session_ids == "caller" and claims.missing_session == "creates"
    return "create" in capabilities and not by_us


def creation(session: str, messages: tuple[Message, ...], claims: Claims) -> list[Operation]:
    """What makes a session with these messages: they are appended where ``create`` takes none."""
    if claims.limits.first_messages:
        return [Create(session, messages)]
    return [Create(session), Append(session, messages)]


def begin(handle: Handle, name: str, claims: Claims, capabilities: Collection[str]) -> Outcome:
    """Make a session where appends do not; the outcome's value is the id by which it is known."""
    if not needs_create(claims, capabilities):
        return Outcome("ok", name)
    given = None if claims.session_ids == "store" else name
    return handle.invoke(Create(name), given)
