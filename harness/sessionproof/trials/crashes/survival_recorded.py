"""What a recording says that its states are judged by: worlds, ids, keys, numbers, a sample."""

from __future__ import annotations

from collections.abc import Sequence, Set

from sessionproof.checks.survivable import Act, Timeline
from sessionproof.contract.message import Message, Receipt, canonical
from sessionproof.contract.operations import (
    AppendWithState,
    Completed,
    SetState,
    messages_of,
    session_of,
)
from sessionproof.faults.recording import Acted, Recording
from sessionproof.oracle.model import ASSIGNED


def timeline_of(recording: Recording) -> Timeline:
    """The worlds of a recording, for the checks."""
    acts = [
        Act(
            client=act.client,
            done=Completed(act.on_sessions, act.outcome, act.session_id),
            asked=act.after,
            answered=act.answered,
            order=act.order,
        )
        for act in recording.acts
    ]
    return Timeline(acts, recording.claims)


def ids_of(acts: Sequence[Acted]) -> dict[str, str]:
    """The ids of sessions by their logical names; the name itself where none was ever known."""
    ids: dict[str, str] = {}
    for act in acts:
        name = session_of(act.operation)
        if name:
            ids[name] = act.session_id or ids.get(name, name)
    return ids


def keys_of(acts: Sequence[Acted]) -> dict[str, tuple[str, ...]]:
    """The keys of each session's state that were ever set."""
    keys: dict[str, dict[str, None]] = {}
    for act in acts:
        match act.operation:
            case SetState(name, key, _):
                keys.setdefault(name, {})[key] = None
            case AppendWithState(name, _, state):
                keys.setdefault(name, {}).update(dict.fromkeys(state))
            case _:
                pass
    return {name: tuple(found) for name, found in keys.items()}


def numbers_of(acts: Sequence[Acted], keeps: Set[str]) -> dict[tuple[str, str], int]:
    """The numbers of messages, by session and ``label``. What survives has the one it got."""
    numbers: dict[tuple[str, str], int] = {}
    for act in acts:
        receipt = act.outcome.value
        if not isinstance(receipt, Receipt) or receipt.seqs is None:
            continue
        name = session_of(act.operation)
        for message, number in zip(messages_of(act.operation), receipt.seqs, strict=False):
            numbers[name, label(message, keeps)] = number
    return numbers


def label(message: Message, keeps: Set[str]) -> str:
    """What tells a message from others: all that is kept of it, but what a store may assign."""
    return canonical([getattr(message, name) for name in sorted(keeps - ASSIGNED)])


def sample_of(acts: Sequence[Acted]) -> Message:
    """A message that the store took."""
    taken = [
        message
        for act in acts
        if act.outcome.type == "ok"
        for message in messages_of(act.operation)
    ]
    plain = [one for one in taken if one.kind == "text" and isinstance(one.content, str)]
    return (plain or taken or [Message("user", "")])[0]
