"""What a store shows when it is asked for everything, by the names of a recording."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from sessionproof.checks.flaws import NEWEST, Flaw, Shown, When
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.errors import Conflict
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
    session_of,
)
from sessionproof.workload.guard import Handle

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


def look(handle: Handle, asked: Asked, names: Sequence[str]) -> Shown:
    """All that the store shows of these sessions; raises Stopped."""
    return _look(handle, asked, names, asked.can, "read")


def look_again(handle: Handle, asked: Asked, names: Sequence[str]) -> Shown:
    """The messages of these sessions, and what is counted of them; raises Stopped."""
    return _look(handle, asked, names, {*asked.can} & {"count", "get"}, "go on")


def _look(
    handle: Handle, asked: Asked, names: Sequence[str], can: Collection[str], when: When
) -> Shown:
    reads: list[Operation] = [Read(name) for name in names]
    newest: list[Operation] = [ReadLast(name, NEWEST) for name in names if "read_last" in can]
    counts: list[Operation] = [Count(name) for name in names if "count" in can]
    facts: list[Operation] = [Get(name) for name in names if "get" in can]
    keys = [(name, key) for name in names for key in asked.keys.get(name, ())]
    states: list[Operation] = [GetState(*one) for one in keys if "get_state" in can]
    lists: list[Operation] = [List()] if "list" in can else []
    operations = [*reads, *newest, *counts, *facts, *states, *lists]
    ids = [asked.ids.get(session_of(one), "") for one in operations]
    outcomes = handle.invoke_all([*zip(operations, ids, strict=True)])
    for operation, outcome in zip(operations, outcomes, strict=True):
        require_answer(operation, outcome, when=when)
    answers = iter(outcomes)
    return Shown(
        reads=dict(zip(names, islice(answers, len(reads)), strict=True)),
        newest=dict(zip(names, islice(answers, len(newest)), strict=False)),
        counts=dict(zip(names, islice(answers, len(counts)), strict=False)),
        facts=dict(zip(names, islice(answers, len(facts)), strict=False)),
        states=dict(zip(keys, islice(answers, len(states)), strict=False)),
        listed=next((_logical(one, asked) for one in answers), None),
    )


def invoked(
    handle: Handle, operation: Operation, session_id: str | None = "", *, when: When
) -> Outcome:
    """The outcome of a call, a Conflict tried again; raises Stopped."""
    for _ in range(_RETRIES):
        outcome = handle.invoke(operation, session_id)
        require_answer(operation, outcome, when=when)
        if outcome.failure is None or outcome.failure.type != Conflict.__name__:
            break
    return outcome


def require_answer(operation: Operation, outcome: Outcome, *, when: When) -> None:
    """Raise Stopped if the store hung in this operation, or its process ended."""
    failure = outcome.failure
    if failure is None or failure.type not in _ENDINGS:
        return
    raise Stopped(
        Flaw(
            anomaly=_ENDINGS[failure.type],
            aspect="going on" if when == "go on" else "read",
            expected=f"an answer to {as_call(operation)}",
            seen=failure.text,
            when=when,
            session=session_of(operation),
            evidence=dict(failure.evidence),
        )
    )


def _logical(outcome: Outcome, asked: Asked) -> Outcome:
    """A list of sessions in logical names; without what an empty store lists."""
    if outcome.type != "ok":
        return outcome
    logical = {session_id: name for name, session_id in asked.ids.items()}
    return replace(
        outcome, value=tuple(logical.get(one, one) for one in outcome.value if one not in asked.own)
    )
