"""What is stored: messages, receipts, session facts, pages; and their one JSON form."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation.

    ``role`` is None for stores that keep no role; ``content`` is None for tool calls, which have
    no text. ``kind`` is ``text``, ``tool_call`` or ``tool_result``, or a store's own word.
    ``tokens`` is None when unknown (totals count it as 0). ``duration_us`` and ``created_at_us``
    are integer microseconds, the latter since 1970-01-01 UTC. ``id`` is the store's name of the
    message: a store sets it on what it reads, a client may propose one when it appends.
    """

    role: str | None
    content: Json
    kind: str = field(default="text", kw_only=True)
    name: str | None = field(default=None, kw_only=True)
    call_id: str | None = field(default=None, kw_only=True)
    arguments: Json = field(default=None, kw_only=True)
    tokens: int | None = field(default=None, kw_only=True)
    duration_us: int | None = field(default=None, kw_only=True)
    created_at_us: int | None = field(default=None, kw_only=True)
    id: str | None = field(default=None, kw_only=True)
    metadata: Mapping[str, Json] | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an append may answer: a sequence number and an id for each message, in batch order.

    Either part is None when the store has none. An append may also answer None instead.
    """

    seqs: Sequence[int] | None = None
    ids: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionInfo:
    """Facts of one session; a fact that the store does not keep is None, and is not judged."""

    session_id: str
    message_count: int | None = None
    total_tokens: int | None = None
    total_duration_us: int | None = None
    created_at_us: int | None = None
    last_activity_us: int | None = None
    status: str | None = None
    owner: str | None = None
    title: str | None = None
    llm_model: str | None = None
    metadata: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some messages, oldest first, and the cursor of the next page (None after the last)."""

    messages: Sequence[Message]
    next: str | int | None = None


MESSAGE_FIELDS: tuple[str, ...] = tuple(item.name for item in fields(Message))
_TEXT_FIELDS = ("name", "call_id", "id")
_INTEGER_FIELDS = ("tokens", "duration_us", "created_at_us")


def to_json(message: Message) -> dict[str, Any]:
    """The message as a JSON object; role and content always, other fields when they are set."""
    always = ("role", "content")
    out: dict[str, Any] = {}
    for name in MESSAGE_FIELDS:
        value = getattr(message, name)
        if (
            name in always
            or (name == "kind" and value != "text")
            or (name != "kind" and value is not None)
        ):
            out[name] = value
    return out


def from_json(value: object) -> Message:
    """The inverse of ``to_json``; raises ValueError that lists every problem of the object."""
    if not isinstance(value, dict):
        raise ValueError(f"a message must be a JSON object, not {type(value).__name__}")
    unknown = sorted(map(str, value.keys() - set(MESSAGE_FIELDS)))
    known = {name: value[name] for name in MESSAGE_FIELDS if name in value}
    message = Message(**{"role": None, "content": None} | known)
    problems = [f"unknown field {name!r}" for name in unknown] + message_problems(message)
    if problems:
        raise ValueError("; ".join(problems))
    return message


def message_problems(message: Message) -> list[str]:
    """Every field whose type is wrong, one line each; empty when the message is well formed."""
    problems = []
    if message.role is not None and type(message.role) is not str:
        problems.append(f"role is {_kind(message.role)}, expected a string or None")
    if type(message.kind) is not str:
        problems.append(f"kind is {_kind(message.kind)}, expected a string")
    for name in _TEXT_FIELDS:
        value = getattr(message, name)
        if value is not None and type(value) is not str:
            problems.append(f"{name} is {_kind(value)}, expected a string or None")
    for name in _INTEGER_FIELDS:
        value = getattr(message, name)
        if value is not None and type(value) is not int:
            problems.append(f"{name} is {_kind(value)}, expected an integer or None")
    for name in ("content", "arguments", "metadata"):
        bad = json_problem(getattr(message, name))
        if bad:
            problems.append(f"{name} holds {bad}, which JSON cannot express")
    if message.metadata is not None and not isinstance(message.metadata, Mapping):
        problems.append(f"metadata is {_kind(message.metadata)}, expected an object or None")
    return problems


def json_problem(value: object) -> str | None:
    """The first type inside ``value`` that JSON cannot express, or None."""
    if value is None or type(value) in (bool, int, str):
        return None
    if type(value) is float:
        return None if math.isfinite(value) else "a number without a value"
    if type(value) in (list, tuple):
        return next((bad for item in value if (bad := json_problem(item))), None)  # type: ignore[attr-defined]
    if type(value) is dict:
        if any(type(key) is not str for key in value):
            return "a key that is no string"
        return next((bad for item in value.values() if (bad := json_problem(item))), None)
    return _kind(value)


def canonical(value: object) -> str:
    """One text for equal JSON values: keys sorted, 1 and 1.0 and true told apart."""
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def _kind(value: object) -> str:
    # The type's name alone: repr() of a store's object is the store's code, and may hang.
    return f"a {type(value).__name__}"
