"""Deleted sessions in one transcript: nothing of them is answered, also when the id lives again."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, field

from sessionproof.checks.transcript import Fault
from sessionproof.checks.wording import amount
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.message import Message, SessionInfo, canonical
from sessionproof.contract.operations import (
    AppendWithState,
    Completed,
    Count,
    Delete,
    DeleteMessage,
    EditMessage,
    Get,
    GetState,
    List,
    PopLast,
    Read,
    ReadLast,
    ReadPages,
    Reopen,
    SetState,
    messages_of,
    session_of,
)

# What answers something of a session.
_LOOKS = (Read, ReadLast, ReadPages, Count, Get, GetState, List, PopLast)


@dataclass
class _Life:
    """What was put into a session since it began, or was deleted."""

    after_deletion: bool = False
    used: bool = False
    messages: list[Message] = field(default_factory=list)
    states: set[str] = field(default_factory=set)
    former: list[Message] = field(default_factory=list)  # of lives before it, all deleted since
    looks: int = 0
    deleted: int = 0  # messages that had been put into it before


def judge_deleted(transcript: Sequence[Completed], keeps: Set[str]) -> Fault | None:
    """The first answer that shows something of a session from before its deletion, or None.

    An answer may show less than was put in since: what is lost is no matter of this check.
    """
    lives: dict[str, _Life] = {}
    for index, done in enumerate(transcript):
        for session in _asked(done, lives):
            seen = _risen(done, session, lives[session], keeps)
            if seen is not None:
                used = lives[session].used
                return Fault(
                    index=index,
                    anomaly=Anomaly.RESURRECTION,
                    expected=f"only what was put into {session} since it was deleted"
                    if used
                    else f"nothing of {session}, which was deleted",
                    seen=seen,
                )
        _follow(done, lives)
    return None


def count_deletions(transcript: Sequence[Completed], *, reused: bool) -> int:
    """How many deletions were examined: messages had been there, and something was asked after.

    ``reused`` counts only those whose session was used again before it was asked.
    """
    lives: dict[str, _Life] = {}
    ended: list[_Life] = []
    for done in transcript:
        for session in _asked(done, lives):
            life = lives[session]
            life.looks += life.used is reused
        before = lives.get(session_of(done.operation))
        _follow(done, lives)
        if before is not None and lives.get(session_of(done.operation)) is not before:
            ended.append(before)
    return sum(
        life.after_deletion and life.deleted > 0 and life.looks > 0
        for life in (*ended, *lives.values())
    )


def _asked(done: Completed, lives: dict[str, _Life]) -> list[str]:
    """The deleted sessions that an answered operation could show something of."""
    if done.outcome.type != "ok" or not isinstance(done.operation, _LOOKS):
        return []
    names = [*lives] if isinstance(done.operation, List) else [session_of(done.operation)]
    return [name for name in names if name in lives and lives[name].after_deletion]


def _follow(done: Completed, lives: dict[str, _Life]) -> None:
    """Note what the operation put into its session; what surely did not happen put in nothing."""
    operation = done.operation
    if isinstance(operation, (*_LOOKS, Reopen)) or done.outcome.type == "fail":
        return
    name = session_of(operation)
    life = lives.setdefault(name, _Life())
    if isinstance(operation, Delete):
        sure = done.outcome.type == "ok"  # what was there may be there still where it is not
        former = [*life.former, *life.messages]
        lives[name] = _Life(after_deletion=sure, former=former, deleted=len(life.messages))
        return
    life.used = life.used or not isinstance(operation, DeleteMessage | EditMessage)
    life.messages += messages_of(operation)
    if isinstance(operation, SetState):
        life.states.add(operation.key)
    elif isinstance(operation, AppendWithState):
        life.states |= operation.state.keys()


def _risen(done: Completed, session: str, life: _Life, keeps: Set[str]) -> str | None:
    """What an answer shows from before the deletion, in words."""
    value = done.outcome.value
    match done.operation:
        case Read() | ReadLast():
            return _messages_risen(value, life, keeps)
        case ReadPages():
            return _messages_risen([one for page in value for one in page], life, keeps)
        case PopLast() if value is not None:
            return _messages_risen([value], life, keeps)
        case Count() if value > len(life.messages):
            return f"a count of {value}"
        case Get() if value is not None:
            return _facts_risen(value, life, keeps)
        case GetState(_, key) if value is not None and key not in life.states:
            return f"the state {key!r} = {value!r}"
        case List() if session in value and not life.used:
            return "it is listed"
    return None


def _messages_risen(seen: Sequence[Message], life: _Life, keeps: Set[str]) -> str | None:
    dead = {_key(message, keeps) for message in life.former}
    own = {_key(message, keeps) for message in life.messages}
    risen = [one for one in seen if (key := _key(one, keeps)) in dead and key not in own]
    if not risen and len(seen) <= len(life.messages):
        return None
    shown = [repr(one.content)[:60] for one in (risen or seen)[:3]]
    which = ", among them" if len(shown) < len(seen) else ":"
    return f"{amount(len(seen), 'message')}{which} {', '.join(shown)}"


def _facts_risen(info: SessionInfo, life: _Life, keeps: Set[str]) -> str | None:
    if not life.used:
        return "facts of it, as if it were there"
    facts = [("message_count", len(life.messages))]
    for name, source in (("total_tokens", "tokens"), ("total_duration_us", "duration_us")):
        if source in keeps:
            facts.append((name, sum(getattr(one, source) or 0 for one in life.messages)))
    risen = [
        f"{name} {getattr(info, name)}" for name, most in facts if (getattr(info, name) or 0) > most
    ]
    return ", ".join(risen) or None


def _key(message: Message, keeps: Set[str]) -> str:
    """What tells a message of a program from all others, in fields that are kept."""
    names = [name for name in ("content", "call_id") if name in keeps]
    return canonical([getattr(message, name) for name in names])
