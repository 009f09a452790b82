"""A transcript as the steps of a finding: who did what, and what came of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message, SessionInfo
from sessionproof.contract.operations import (
    AppendWithState,
    Completed,
    Count,
    Get,
    GetState,
    List,
    Outcome,
    PopLast,
    Read,
    ReadLast,
    ReadPages,
    SetState,
    messages_of,
    method_of,
    session_of,
)
from sessionproof.contract.verdicts import Step
from sessionproof.oracle.model import EMPTY, differing, expect, step

_LABEL_CHARACTERS_MAX = 24
_TOKEN = re.compile(r"#\d+$")  # the texts of programs end with one
_REFUSED = Outcome("fail")


def steps_of(transcript: Sequence[Completed], claims: Claims) -> tuple[Step, ...]:
    """Each operation as a step; the last one, which went wrong, with what it should have answered.

    That is the oracle's word. Where the oracle refuses an earlier operation, as it does when the
    check was another one, it has none.
    """
    steps = [_step(done) for done in transcript]
    if steps:
        want = _wanted(transcript, claims)
        if want is not None:
            got = _answered(transcript[-1])
            labels = None if got is None else _labels_beside(got, want, claims)
            steps[-1] = replace(steps[-1], want=tuple(map(_label, want)), got=labels)
    return tuple(steps)


def _step(done: Completed) -> Step:
    operation, outcome = done.operation, done.outcome
    answered = _answered(done)
    return Step(
        call=method_of(operation),
        session=session_of(operation),
        outcome=outcome.type,
        sent=tuple(map(_label, messages_of(operation))),
        got=None if answered is None else tuple(map(_label, answered)),
        said=_said(done),
    )


def _wanted(transcript: Sequence[Completed], claims: Claims) -> list[Message] | None:
    """The messages that the last operation should have answered; None when there is no word."""
    worlds = EMPTY
    for done in transcript[:-1]:
        refused = done.outcome.failure is not None
        known = replace(done, outcome=_REFUSED) if refused else done
        judged = step(worlds, known, claims)
        if judged.accepted:
            worlds = judged.worlds
        elif not refused:  # a check may allow more refusals than the oracle; they change nothing
            return None
    operation = transcript[-1].operation
    if not isinstance(operation, Read | ReadLast | ReadPages | PopLast):
        return None
    answer = expect(worlds[0], operation, claims).answer
    if isinstance(operation, PopLast):
        return [] if answer is None else [answer]
    return list(answer)


def _answered(done: Completed) -> list[Message] | None:
    """The messages of an answer; None where the operation answers none, or has not answered."""
    value = done.outcome.value
    if done.outcome.type != "ok":
        return None
    match done.operation:
        case Read() | ReadLast():
            return list(value)
        case ReadPages():
            return [message for page in value for message in page]
        case PopLast():
            return [] if value is None else [value]
        case _:
            return None


def _labels_beside(
    got: Sequence[Message], want: Sequence[Message], claims: Claims
) -> tuple[str, ...]:
    """The labels of an answer; a message that differs from the one of its label says so."""
    beside = {_label(message): message for message in want}
    out = []
    for message in got:
        label = _label(message)
        other = beside.get(label)
        changed = other is not None and bool(differing(other, message, claims.keeps))
        out.append(f"{label} changed" if changed else label)
    return tuple(out)


def _label(message: Message) -> str:
    """The message's token, or its text in short."""
    text = message.call_id if message.kind == "tool_call" else message.content
    if not isinstance(text, str):
        return message.kind
    found = _TOKEN.search(text)
    return found[0] if found else _short(text)


def _said(done: Completed) -> str:
    """An answer that is no list of messages."""
    failure, value = done.outcome.failure, done.outcome.value
    if failure is not None:
        return _short(failure.type)
    match done.operation:
        case Count():
            return _short(value)
        case GetState() | SetState():
            return _short(f"{done.operation.key} = {_state(done)}")
        case AppendWithState(_, _, state):
            return _short(", ".join(f"{key} = {value!r}" for key, value in state.items()))
        case Get():
            return "unknown" if value is None else _facts(value)
        case List():
            return f"{len(value)} session{'' if len(value) == 1 else 's'}"
        case _:
            return ""


def _state(done: Completed) -> str:
    operation = done.operation
    return repr(operation.value if isinstance(operation, SetState) else done.outcome.value)


def _facts(info: SessionInfo) -> str:
    kept = {
        "messages": info.message_count,
        "tokens": info.total_tokens,
        "µs": info.total_duration_us,
    }
    return ", ".join(f"{value} {name}" for name, value in kept.items() if value is not None)


def _short(value: Any) -> str:
    text = str(value)
    most = _LABEL_CHARACTERS_MAX
    return text if len(text) <= most else f"{text[: most - 1]}…"
