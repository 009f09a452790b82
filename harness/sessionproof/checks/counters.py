"""Counts and totals in one transcript: they must be those of the messages that were read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from sessionproof.checks.transcript import Fault
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message
from sessionproof.contract.operations import (
    Completed,
    Count,
    Get,
    GetState,
    List,
    Read,
    ReadLast,
    ReadPages,
)

FACTS = {"message_count": None, "total_tokens": "tokens", "total_duration_us": "duration_us"}
_LOOKS = (Read, ReadLast, ReadPages, Count, Get, GetState, List)
_PARTS = 10**9  # a total of durations may be off by one of so many


@dataclass(frozen=True)
class _Compared:
    """A fact that was answered at ``index``, and what the messages read before it give."""

    index: int
    fact: str
    kept: int
    real: int
    messages: int


def kept_facts(facts: Collection[str], claims: Claims) -> tuple[str, ...]:
    """Those of these facts that can be told from the fields of messages that the store keeps."""
    return tuple(name for name in facts if FACTS[name] is None or FACTS[name] in claims.keeps)


def judge_counters(
    transcript: Sequence[Completed], claims: Claims, facts: Collection[str]
) -> Fault | None:
    """The first count or total that is not that of the messages read just before it, or None.

    Only what was read since the last change of anything is compared: so a message that was lost
    is no drift, and neither is what one session does to another.
    """
    for one in _compared(transcript, claims, facts):
        tolerated = one.real // _PARTS if one.fact == "total_duration_us" else 0
        if abs(one.kept - one.real) > tolerated:
            return Fault(
                index=one.index,
                anomaly=Anomaly.COUNTER_DRIFT,
                expected=f"{one.fact} {one.real}, as the {one.messages} messages read give",
                seen=f"{one.fact} {one.kept}",
            )
    return None


def count_counters(transcript: Sequence[Completed], claims: Claims, facts: Collection[str]) -> int:
    """How many counts and totals were compared with messages."""
    return sum(1 for _ in _compared(transcript, claims, facts))


def _compared(
    transcript: Sequence[Completed], claims: Claims, facts: Collection[str]
) -> Iterator[_Compared]:
    read: dict[str, Sequence[Message]] = {}
    judged = kept_facts(facts, claims)
    for index, done in enumerate(transcript):
        operation, value = done.operation, done.outcome.value
        if not isinstance(operation, _LOOKS):
            read.clear()
        elif done.outcome.type != "ok":
            continue
        elif isinstance(operation, Read):
            read[operation.session] = value
        elif isinstance(operation, Count) and operation.session in read:
            messages = read[operation.session]
            if "message_count" in judged:
                yield _Compared(index, "message_count", value, len(messages), len(messages))
        elif isinstance(operation, Get) and value is not None and operation.session in read:
            messages = read[operation.session]
            for fact in judged:
                kept = getattr(value, fact)
                if kept is not None:
                    yield _Compared(index, fact, kept, real_value(fact, messages), len(messages))


def real_value(fact: str, messages: Sequence[Message]) -> int:
    """What these messages give: their number, or the sum of a field, unknown values as 0."""
    source = FACTS[fact]
    if source is None:
        return len(messages)
    return sum(getattr(message, source) or 0 for message in messages)
