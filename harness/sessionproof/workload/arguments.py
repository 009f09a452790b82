"""The arguments of a store's methods."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from sessionproof.contract.operations import (
    Append,
    AppendWithState,
    Create,
    DeleteMessage,
    EditMessage,
    GetState,
    List,
    Operation,
    ReadLast,
    Replace,
    SetState,
)


def arguments_of(
    operation: Operation, session_id: str | None, message_id: str | None
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The call's arguments, copied: what a store does to them must not change the operation."""
    match operation:
        case List():
            return (), {}
        case Append(_, messages) | Replace(_, messages):
            return (session_id, deepcopy([*messages])), {}
        case Create(_, messages):
            return (session_id,), {"messages": deepcopy([*messages])} if messages else {}
        case ReadLast(_, n):
            return (session_id, n), {}
        case DeleteMessage():
            return (session_id, message_id), {}
        case EditMessage(_, _, message):
            return (session_id, message_id, deepcopy(message)), {}
        case GetState(_, key):
            return (session_id, key), {}
        case SetState(_, key, value):
            return (session_id, key, deepcopy(value)), {}
        case AppendWithState(_, messages, state):
            return (session_id, deepcopy([*messages]), deepcopy({**state})), {}
        case _:
            return (session_id,), {}
