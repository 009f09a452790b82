"""Sequence numbers of one transcript: from the start, without gap or repeat; then by the rule."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sessionproof.checks.rules import Numbers
from sessionproof.checks.transcript import Fault
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.operations import (
    Append,
    AppendWithState,
    Clear,
    Completed,
    Delete,
    DeleteMessage,
    PopLast,
    session_of,
)

_CHANGES = (Append, AppendWithState, PopLast, DeleteMessage, Clear, Delete)


@dataclass
class _Numbers:
    """Numbers given in one session: of living messages, and the highest that was ever given."""

    living: list[int] = field(default_factory=list)
    highest: int | None = None
    shrunk: bool = False


def judge_numbers(transcript: Sequence[Completed], claims: Claims) -> Fault | None:
    """The first append whose numbers break the declared rule, or None. Linear.

    Behind a change whose outcome nobody knows, a session is not judged: it may have taken numbers.
    """
    sessions: dict[str, _Numbers] = {}
    for index, done in _certain(transcript):
        match done.operation:
            case Append(session, messages) | AppendWithState(session, messages) if messages:
                numbers = sessions.setdefault(session, _Numbers())
                fault = _append_fault(index, done, numbers, claims)
                if fault:
                    return fault
                given = done.outcome.value.seqs
                numbers.living += given
                del numbers.living[: -(claims.limits.retention or len(numbers.living))]
                numbers.highest = max(given[-1], numbers.highest or given[-1])
            case PopLast(session) if done.outcome.value is not None:
                numbers = sessions.setdefault(session, _Numbers())
                numbers.shrunk = True
                del numbers.living[-1:]
            case DeleteMessage(session, index_of):
                numbers = sessions.setdefault(session, _Numbers())
                numbers.shrunk = True
                if numbers.living:
                    del numbers.living[index_of % len(numbers.living)]
            case Clear(session):
                numbers = sessions.setdefault(session, _Numbers())
                numbers.shrunk = True
                numbers.living.clear()
            case Delete(session):
                sessions.pop(session, None)
    return None


def count_numbers(transcript: Sequence[Completed]) -> int:
    """How many numbers of a transcript are judged."""
    return sum(
        len(done.outcome.value.seqs or ())
        for _, done in _certain(transcript)
        if isinstance(done.operation, Append | AppendWithState) and done.outcome.value is not None
    )


def _certain(transcript: Sequence[Completed]) -> Iterator[tuple[int, Completed]]:
    """What took place, up to the first change of its session whose outcome nobody knows."""
    doubtful: set[str] = set()
    for index, done in enumerate(transcript):
        if done.outcome.type == "info" and isinstance(done.operation, _CHANGES):
            doubtful.add(done.operation.session)
        elif done.outcome.type == "ok" and session_of(done.operation) not in doubtful:
            yield index, done


def _append_fault(index: int, done: Completed, numbers: _Numbers, claims: Claims) -> Fault | None:
    receipt = done.outcome.value
    first, words = _first_expected(numbers, claims)
    exact = words.startswith("exactly")
    rule = Numbers(first, exact, gapless=not numbers.shrunk)
    if receipt is None or receipt.seqs is None:
        return Fault(
            index=index,
            anomaly=Anomaly.MALFORMED,
            expected="sequence numbers in the receipt, as seq_start claims",
            seen="the append answered none",
            rule=rule,
        )
    given = list(receipt.seqs)
    rises = all(one < other for one, other in itertools.pairwise(given))
    in_place = given[0] == first if exact else given[0] >= first
    gapless = given == list(range(given[0], given[0] + len(given)))
    if in_place and rises and (gapless or numbers.shrunk):
        return None
    return Fault(
        index=index,
        anomaly=_anomaly(given, numbers, rises=rises),
        expected=f"{len(given)} rising numbers from {words} {first}",
        seen=f"{given} after {numbers.living[-5:]} (highest ever {numbers.highest})",
        rule=rule,
    )


def _first_expected(numbers: _Numbers, claims: Claims) -> tuple[int, str]:
    start = claims.seq_start if claims.seq_start is not None else 1
    after_living = numbers.living[-1] + 1 if numbers.living else start
    if not numbers.shrunk:
        return after_living, "exactly"
    if claims.seq_after_delete == "reuse":
        return after_living, "exactly"
    if claims.seq_after_delete == "never" and numbers.highest is not None:
        return numbers.highest + 1, "at least"
    return after_living, "at least"


def _anomaly(given: list[int], numbers: _Numbers, *, rises: bool) -> Anomaly:
    if set(given) & set(numbers.living) or len(set(given)) < len(given):
        return Anomaly.DUPLICATE_SEQUENCE
    if not rises or (numbers.living and given[0] < numbers.living[-1]):
        return Anomaly.SEQUENCE_ORDER
    if numbers.shrunk and numbers.highest is not None and given[0] <= numbers.highest:
        return Anomaly.DUPLICATE_SEQUENCE
    return Anomaly.SEQUENCE_GAP
