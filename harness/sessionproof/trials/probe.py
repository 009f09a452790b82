"""Probing a store that declares no claims: what it seems to keep, at the strongest level."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sessionproof.contract.claims import Claims
from sessionproof.contract.message import MESSAGE_FIELDS, Message
from sessionproof.contract.operations import Append, Create, Operation, Outcome, PopLast, Read
from sessionproof.oracle.model import differing
from sessionproof.workload.guard import CannotOpen, Handle

_PROBES = itertools.count(1)  # each probe has a session of its own

# What no probe can show is assumed at the strongest level, and then tried by the suites.
STRONGEST = Claims(atomic_batches=True, validates=True, handles="one")

_FULL = Message(
    "user", "probe", name="probe", tokens=7, duration_us=11,
    created_at_us=1_767_225_600_000_000, metadata={"a": 1},
)  # fmt: skip
_TOOL = (
    Message("assistant", None, kind="tool_call", name="probe", call_id="c1", arguments={"a": 1}),
    Message("tool", "probe", kind="tool_result", call_id="c1"),
)


def probe(handle: Handle) -> Claims:
    """The strongest claims that agree with what the open handle answers to a few calls."""
    claims = STRONGEST
    creates = "create" in handle.capabilities
    unknown = handle.invoke(Append("s", (Message("user", "probe"),)), "probe-unknown")
    if unknown.type != "ok" and creates:
        claims = replace(claims, missing_session="refuses")
        named = handle.invoke(Create("s"), "probe-named")
        if named.type != "ok" or named.value != "probe-named":
            claims = replace(claims, session_ids="store")
    answered = _tried(handle, claims, Message("user", "probe"))
    claims = replace(claims, keeps=_kept(handle, claims), **_numbered(handle, claims, answered))
    if "created_at_us" in claims.keeps:
        claims = _ordered(handle, claims)
    if "role" in claims.keeps:
        roles = {
            role
            for role in ("system", "user", "assistant", "tool", "developer")
            if _returns(handle, claims, Message(role, "probe"))
        }
        claims = replace(claims, roles=frozenset(roles or {"user"}))
    kinds = {message.kind for message in _TOOL if _keeps_kind(handle, claims, message)}
    if not kinds:
        return claims
    tool_fields = {"kind", "name", "call_id", "arguments"} if "tool_call" in kinds else {"call_id"}
    return replace(
        claims, kinds=frozenset({"text", *kinds}), keeps=frozenset({*claims.keeps, *tool_fields})
    )


def survives(handle: Handle, reopen: Callable[[], Handle], claims: Claims) -> Claims:
    """The claims with the durability that one close and one open show.

    It must be known before other rows are tried: they reopen only stores that keep their data.
    """
    message = Message("user", "probe")
    session = _session(handle, claims, "probe-reopened")
    appended = handle.invoke(Append("s", (message,)), session)
    handle.close()
    try:
        again = reopen()
    except CannotOpen:
        return replace(claims, durability="none")
    try:
        read = again.invoke(Read("s"), session)
    finally:
        again.close()
    kept = appended.type == read.type == "ok" and len(read.value) == 1
    return replace(claims, durability="process" if kept else "none")


def _ordered(handle: Handle, claims: Claims) -> Claims:
    """Whether a message with an earlier time is put before the one that was appended first."""
    late, early = (Message("user", text, created_at_us=at) for text, at in (("b", 2), ("a", 1)))
    _, read = _tried(handle, claims, late, early)
    swapped = read.type == "ok" and [message.content for message in read.value] == ["a", "b"]
    return replace(claims, order="timestamp") if swapped else claims


def _session(handle: Handle, claims: Claims, name: str) -> str:
    if claims.missing_session == "creates":
        return name
    made = handle.invoke(Create("s"), None if claims.session_ids == "store" else name)
    return made.value if made.type == "ok" else name


def _tried(handle: Handle, claims: Claims, *messages: Message) -> tuple[Outcome, Outcome]:
    """Append to a session of its own, and read it back."""
    session = _session(handle, claims, f"probe-{next(_PROBES)}")
    return handle.invoke(Append("s", messages), session), handle.invoke(Read("s"), session)


def _kept(handle: Handle, claims: Claims) -> frozenset[str]:
    """Fields of a full message that come back; core fields when even that cannot be sent."""
    appended, read = _tried(handle, claims, _FULL)
    if appended.type != "ok" or read.type != "ok" or len(read.value) != 1:
        appended, read = _tried(handle, claims, Message("user", "probe"))
        if read.type != "ok" or len(read.value) != 1:
            return frozenset({"content"})
        fields = ["role", "content"]
        changed = differing(Message("user", "probe"), read.value[0], frozenset(fields))
    else:
        fields = [name for name in MESSAGE_FIELDS if name not in ("id", "call_id", "arguments")]
        changed = differing(_FULL, read.value[0], frozenset(fields))
        plain = Message("user", "probe")  # what was not given must not come back either
        _, read = _tried(handle, claims, plain)
        if read.type == "ok" and len(read.value) == 1:
            changed += differing(plain, read.value[0], frozenset(fields))
    kept = frozenset(fields) - set(changed)
    return kept | {"content"}  # a store that loses the content is broken, not modest


def _returns(handle: Handle, claims: Claims, message: Message) -> bool:
    appended, read = _tried(handle, claims, message)
    return (
        appended.type == "ok"
        and read.type == "ok"
        and len(read.value) == 1
        and not differing(message, read.value[0], claims.keeps)
    )


def _keeps_kind(handle: Handle, claims: Claims, message: Message) -> bool:
    fields = frozenset({"role", "content", "kind", "name", "call_id", "arguments"})
    return _returns(handle, replace(claims, keeps=fields), message)


def _numbered(handle: Handle, claims: Claims, answered: tuple[Outcome, Outcome]) -> dict[str, Any]:
    receipt = answered[0].value if answered[0].type == "ok" else None
    if receipt is None or receipt.seqs is None:
        return {}
    other, _ = _tried(handle, claims, Message("user", "probe"))
    if other.type != "ok" or other.value is None or other.value.seqs != receipt.seqs:
        return {}  # numbers that run on from session to session have no start in each
    out: dict[str, Any] = {"seq_start": receipt.seqs[0]}
    if "pop_last" in handle.capabilities:
        session = _session(handle, claims, "probe-numbers")
        one: Operation = Append("s", (Message("user", "probe"),))
        first = handle.invoke(one, session)
        handle.invoke(PopLast("s"), session)
        again = handle.invoke(one, session)
        if first.type == again.type == "ok" and again.value and again.value.seqs:
            reused = again.value.seqs[0] <= first.value.seqs[0]
            out["seq_after_delete"] = "reuse" if reused else "never"
    return out
