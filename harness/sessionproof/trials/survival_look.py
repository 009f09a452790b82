"""What a store shows when it is asked for everything, by the names of a recording."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from sessionproof.checks.flaws import Flaw, Shown, When, told_of
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.operations import (
    CRASH,
    HANG,
    Count,
    Get,
    GetState,
    List,
    Operation,
    Outcome,
    Read,
    ReadLast,
    as_call,
)
from sessionproof.workload.guard import Handle

_NEWEST = 2  # messages that are asked for by read_last
_RETRIES = 8  # of a Conflict, as a client would
_ENDINGS = {HANG: Anomaly.HANG, CRASH: Anomaly.CRASH}


class Stopped(Exception):
    """The store hung or its process ended: nothing more can be asked of it."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(flaw.seen)
        self.flaw = flaw


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked: sessions by their logical names with their ids, and keys of their state.

    ``can`` are the store's capabilities, ``own`` the ids that an empty store lists.
    """

    ids: Mapping[str, str]
    keys: Mapping[str, Sequence[str]]
    can: Collection[str]
    own: Collection[str] = ()


def look(handle: Handle, asked: Asked, names: Sequence[str], *, when: When = "read") -> Shown:
    """All that the store shows of these sessions; raises Stopped."""

    def ask(operation: Operation, name: str) -> Outcome:
        return invoked(handle, operation, asked.ids[name], when=when)

    can = asked.can
    return Shown(
        reads={name: ask(Read(name), name) for name in names},
        newest={
            name: (_NEWEST, ask(ReadLast(name, _NEWEST), name))
            for name in names
            if "read_last" in can
        },
        counts={name: ask(Count(name), name) for name in names if "count" in can},
        facts={name: ask(Get(name), name) for name in names if "get" in can},
        states={
            (name, key): ask(GetState(name, key), name)
            for name in names
            if "get_state" in can
            for key in asked.keys.get(name, ())
        },
        listed=_listed(handle, asked, when=when) if "list" in can else None,
    )


def invoked(
    handle: Handle, operation: Operation, session_id: str | None = "", *, when: When
) -> Outcome:
    """The outcome of a call, a Conflict tried again; raises Stopped."""
    for _ in range(_RETRIES):
        outcome = handle.invoke(operation, session_id)
        failure = outcome.failure
        if failure is None:
            return outcome
        if failure.type in _ENDINGS:
            raise Stopped(
                Flaw(
                    anomaly=_ENDINGS[failure.type],
                    aspect="going on" if when == "go on" else "read",
                    expected=f"an answer to {as_call(operation)}",
                    seen=told_of(outcome),
                    when=when,
                    session=getattr(operation, "session", ""),
                    evidence=dict(failure.evidence),
                )
            )
        if failure.type != "Conflict":
            break
    return outcome


def _listed(handle: Handle, asked: Asked, *, when: When) -> Outcome:
    """The list of sessions in logical names; without what an empty store lists."""
    outcome = invoked(handle, List(), when=when)
    if outcome.type != "ok":
        return outcome
    logical = {session_id: name for name, session_id in asked.ids.items()}
    return replace(
        outcome, value=tuple(logical.get(one, one) for one in outcome.value if one not in asked.own)
    )
