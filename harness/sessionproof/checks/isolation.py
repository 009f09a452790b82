"""Isolation in one transcript: what is read of a session changes only by its own operations."""

from __future__ import annotations

from collections.abc import Sequence, Set

from sessionproof.checks.messages import compare
from sessionproof.checks.rules import SameAs, Without
from sessionproof.checks.transcript import Fault
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.message import Message
from sessionproof.contract.operations import (
    Completed,
    List,
    Operation,
    Read,
    Reopen,
    as_call,
    messages_of,
)


def judge_isolation(transcript: Sequence[Completed], keeps: Set[str]) -> Fault | None:
    """The first read of a session that shows what happened in another, or None.

    Two reads of a session must be equal when no operation on that session lies between them, and
    no read may show a text that was only ever appended to other sessions.
    """
    last: dict[str, Sequence[Message]] = {}
    read_at: dict[str, int] = {}
    appended: dict[str, set[str]] = {}
    for index, done in enumerate(transcript):
        operation = done.operation
        if isinstance(operation, List | Reopen):
            continue
        session = operation.session
        if not isinstance(operation, Read):
            last.pop(session, None)
            appended.setdefault(session, set()).update(_texts(operation))
            continue
        failure = done.outcome.failure
        if failure is not None:
            again = index + 1 < len(transcript) and transcript[index + 1].operation is operation
            if again or session not in last:
                continue
            return Fault(
                index=index,
                anomaly=Anomaly.UNEXPECTED_REFUSAL,
                expected=_had(transcript, session, read_at[session], index),
                seen=f"it raised {failure}",
                evidence=dict(failure.evidence),
            )
        seen = done.outcome.value
        leak = _leaked(seen, session, appended)
        if leak is not None:
            return Fault(
                index=index,
                anomaly=Anomaly.LEAK,
                expected=f"only messages of {session}",
                seen=f"a message that was appended to {leak[0]} alone: {leak[1]!r}",
                rule=Without(leak[1]),
            )
        before = last.get(session)
        difference = None if before is None else compare(before, seen, keeps)
        if difference is not None:
            return Fault(
                index=index,
                anomaly=difference.anomaly,
                expected=f"{_had(transcript, session, read_at[session], index)}: "
                f"{difference.expected}",
                seen=difference.seen,
                rule=SameAs(read_at[session]),
            )
        last[session] = seen
        read_at[session] = index
    return None


def _had(transcript: Sequence[Completed], session: str, read: int, index: int) -> str:
    """What a session should have still, and what was done to others since it was read."""
    done = (one.operation for one in transcript[read + 1 : index])
    others = [as_call(one) for one in done if not isinstance(one, Read | List | Reopen)]
    return f"what {session} had{' before ' if others else ''}{'; '.join(others[-3:])}"


def count_watched(transcript: Sequence[Completed]) -> int:
    """How many operations took place between two reads of another session that has messages.

    Only these are evidence: where nothing is read, or nothing is there, nothing can be disturbed.
    """
    watched: set[int] = set()
    since: dict[str, list[int]] = {}  # by session: operations on others since it was read
    for index, done in enumerate(transcript):
        operation = done.operation
        if isinstance(operation, List | Reopen):
            continue
        before = since.pop(operation.session, [])
        if isinstance(operation, Read):
            if done.outcome.type == "ok" and done.outcome.value:
                watched.update(before)
                since[operation.session] = []
        elif done.outcome.type == "ok":
            for operations in since.values():
                operations.append(index)
    return len(watched)


def _leaked(
    seen: Sequence[Message], session: str, appended: dict[str, set[str]]
) -> tuple[str, str] | None:
    own = appended.get(session, set())
    for message in seen:
        text = message.content
        for other, texts in appended.items():
            if isinstance(text, str) and other != session and text in texts and text not in own:
                return other, text
    return None


def _texts(operation: Operation) -> set[str]:
    """The texts that an operation puts into its session."""
    sent = messages_of(operation)
    return {message.content for message in sent if isinstance(message.content, str)}
