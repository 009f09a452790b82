"""Why the messages that are there after a crash are those of no allowed world."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import replace
from itertools import product

from sessionproof.checks.flaws import Flaw, Shown, many, unreadable
from sessionproof.checks.messages import Difference, Elsewhere, compare
from sessionproof.checks.survivable import Survivable, Timeline
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message, canonical
from sessionproof.contract.operations import (
    Append,
    AppendWithState,
    Operation,
    Outcome,
    Read,
    as_call,
    messages_of,
    method_of,
    session_of,
)
from sessionproof.oracle.model import ASSIGNED, Session, World, Worlds, expect, same_messages

NOTHING = Session()
_BATCHES = (Append, AppendWithState)
_LOOKS = frozenset({"read", "read_last", "page", "count", "get", "list", "get_state", "close"})


def fits(world: World, name: str, outcome: Outcome, claims: Claims) -> bool:
    """Whether a read of this session is right in this world."""
    if outcome.type == "ok":
        return same_messages(world.get(name, NOTHING).messages, outcome.value, claims.keeps)
    return expect(world, Read(name), claims).refusal != "never"


def contents_flaw(
    shown: Shown, timeline: Timeline, survivable: Survivable, *, losing: bool
) -> Flaw:
    """Why no world has these messages; the worst of the sessions is told."""
    claims, worlds = timeline.claims, survivable.worlds
    wrong = [
        name
        for name, outcome in shown.reads.items()
        if not any(fits(world, name, outcome, claims) for world in worlds)
    ]
    flaws = [_content_flaw(name, shown, timeline, survivable, losing=losing) for name in wrong]
    if not flaws:
        return _apart(shown, timeline, survivable)
    return min(flaws, key=lambda flaw: flaw.lost)  # what is merely missing is told last


def _apart(shown: Shown, timeline: Timeline, survivable: Survivable) -> Flaw:
    """Each session is right by itself, but no order of the operations gives all of them."""
    at = survivable.interrupted[-1] if survivable.interrupted else None
    read = ", ".join(f"{name}: {many(len(one.value or ()))}" for name, one in shown.reads.items())
    return Flaw(
        anomaly=Anomaly.NOT_LINEARIZABLE,
        aspect="messages",
        expected="sessions of one moment: an order of the operations that explains all of them",
        seen=read,
        act=at,
        method=method_at(timeline, at),
    )


def _content_flaw(
    name: str, shown: Shown, timeline: Timeline, survivable: Survivable, *, losing: bool
) -> Flaw:
    claims, outcome = timeline.claims, shown.reads[name]
    sessions = values(survivable.worlds, name)
    if outcome.type != "ok":
        flaw = unreadable(name, outcome, max(len(one.messages) for one in sessions))
        return replace(flaw, lost=flaw.aspect == "messages")  # unknown, as it was at the beginning
    seen: Sequence[Message] = outcome.value
    nearest = min(sessions, key=lambda one: _distance(one.messages, seen, claims.keeps))
    difference = compare(
        nearest.messages, seen, claims.keeps, _elsewhere(name, timeline, survivable, nearest)
    ) or Difference(Anomaly.CHANGED, repr(nearest.messages), repr(seen))
    half = _half_done(name, seen, timeline, survivable)
    been = any(
        same_messages((one or NOTHING).messages, seen, claims.keeps)
        for one in survivable.earlier.get(name, ())
    )
    if been and (losing or half is None):
        missing = _keys(nearest.messages, claims.keeps) - _keys(seen, claims.keeps)
        anomaly = Anomaly.LOST_MESSAGE if missing else Anomaly.RESURRECTION
        at = last_of(name, survivable.answered, timeline)
        behind = Difference(anomaly, difference.expected, difference.seen)
        return _flaw(name, behind, timeline, at, lost=True)
    if half is None:
        return _flaw(name, difference, timeline, None, lost=False)
    operation = timeline.acts[half].done.operation
    anomaly = Anomaly.TORN_BATCH if isinstance(operation, _BATCHES) else Anomaly.PARTIAL
    wanted = f"{as_call(operation)} took effect whole or not at all: {difference.expected}"
    torn = Difference(anomaly, wanted, difference.seen)
    return _flaw(name, torn, timeline, half, lost=False)


def _flaw(
    name: str, difference: Difference, timeline: Timeline, at: int | None, *, lost: bool
) -> Flaw:
    return Flaw(
        anomaly=difference.anomaly,
        aspect="messages",
        expected=difference.expected,
        seen=difference.seen,
        session=name,
        change=difference.change,
        act=at,
        method=method_at(timeline, at),
        lost=lost,
    )


def _half_done(
    name: str, seen: Sequence[Message], timeline: Timeline, survivable: Survivable
) -> int | None:
    """The operation in flight of which a part is there: what it keeps is, and nothing else.

    Messages that it leaves alone must all be there, and no others than those of before and after.
    """
    keeps = timeline.claims.keeps
    have = _keys(seen, keeps)
    before = [_keys(one.messages, keeps) for one in values(survivable.acknowledged, name)]
    after = [_keys(one.messages, keeps) for one in values(survivable.worlds, name)]
    for at in survivable.interrupted:
        operation = timeline.acts[at].done.operation
        batch = operation.messages if isinstance(operation, _BATCHES) else ()
        sent = _keys(batch, keeps)
        pairs = product(before, after)
        if session_of(operation) == name and any(_partly(have, *pair, sent) for pair in pairs):
            return at
    return None


def _partly(
    have: Counter[str], before: Counter[str], after: Counter[str], sent: Counter[str]
) -> bool:
    """Whether what is there lies between before and after, with a part of a batch that was sent."""
    kept = before & after
    if have in (before, after) or not kept <= have <= before | after:
        return False
    return not sent or 0 < (sent & (have - kept)).total() < sent.total()


def values(worlds: Worlds | Sequence[World], name: str) -> list[Session]:
    """What a session may be in these worlds, each once."""
    out: list[Session] = []
    for world in worlds:
        session = world.get(name, NOTHING)
        if session not in out:
            out.append(session)
    return out


def method_at(timeline: Timeline, at: int | None) -> str:
    """The store's method of the act at this place; empty for none."""
    return "" if at is None else method_of(timeline.acts[at].done.operation)


def changes(operation: Operation) -> bool:
    """Whether it may change anything."""
    return method_of(operation) not in _LOOKS


def last_of(
    name: str, places: Sequence[int], timeline: Timeline, *, state: bool = False
) -> int | None:
    """The last of these acts that changed the session, or its state; None if none did."""
    for at in reversed(places):
        operation = timeline.acts[at].done.operation
        sets = method_of(operation) in ("set_state", "append_with_state")
        if session_of(operation) == name and (sets if state else changes(operation)):
            return at
    return None


def _distance(expected: Sequence[Message], seen: Sequence[Message], keeps: Set[str]) -> int:
    want, have = _keys(expected, keeps), _keys(seen, keeps)
    return (want - have).total() + (have - want).total()


def _keys(messages: Sequence[Message], keeps: Set[str]) -> Counter[str]:
    names = sorted(keeps - ASSIGNED or keeps)
    return Counter(canonical([getattr(message, name) for name in names]) for message in messages)


def _elsewhere(
    name: str, timeline: Timeline, survivable: Survivable, session: Session
) -> Elsewhere:
    """What would explain messages that are too many, or a batch of which some are missing."""
    living = {id(message) for message in session.messages}
    acts = [timeline.acts[at] for at in survivable.answered]
    sent = [(act, messages_of(act.done.operation)) for act in acts]
    here = [(act, messages) for act, messages in sent if session_of(act.done.operation) == name]
    return Elsewhere(
        others=[m for act, messages in sent if (act, messages) not in here for m in messages],
        deleted=[
            message
            for act, messages in here
            if act.done.outcome.type == "ok"
            for message in messages
            if id(message) not in living  # the oracle keeps the very objects that were sent
        ],
        refused=[m for act, ms in sent if act.done.outcome.type == "fail" for m in ms],
        batches=[messages for act, messages in here if act.done.outcome.type == "ok"],
    )
