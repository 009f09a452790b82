"""Messages to rows and back, without loss.

Python's sqlite3 refuses text with lone surrogates. Such text is stored as a BLOB: UTF-8 with
surrogates passed. Whether it is needed shows when a statement is bound, so other text pays
nothing for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from sessionproof.contract.errors import NotRepresentable, Refused, TooLarge
from sessionproof.contract.message import (
    MESSAGE_FIELDS,
    Json,
    Message,
    json_problem,
    message_problems,
)

Value: TypeAlias = "str | bytes | int | None"
Row: TypeAlias = "tuple[Value, ...]"

ROLES = frozenset({"system", "user", "assistant", "tool", "developer"})
KINDS = frozenset({"text", "tool_call", "tool_result"})
MOST = 2**63 - 1
"""The largest integer that SQLite keeps."""

COLUMNS = (
    "role", "kind", "tokens", "duration_us", "created_at_us", "message_id", "name", "call_id",
    "content", "content_json", "arguments", "metadata",
)  # fmt: skip

READ = (
    "m.role, m.content, m.content_json, m.kind, m.name, m.call_id, m.arguments, m.tokens, "
    "m.duration_us, coalesce(m.created_at_us, m.appended_at_us), "
    "coalesce(m.message_id, s.tag || '.' || m.seq), m.metadata"
)
"""What ``decode`` takes, of ``messages AS m`` and ``sessions AS s``."""

_GIVEN_ID = re.compile(r"([0-9a-f]{16})\.([1-9][0-9]{0,17})")

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def split_id(name: str) -> tuple[str | None, int | None]:
    """Tag and number of a message's id that the store gave; two Nones for another."""
    match = _GIVEN_ID.fullmatch(name)
    return (match[1], int(match[2])) if match else (None, None)


def encode(message: Message) -> Row:
    """The values of ``COLUMNS``; raises ``Refused`` with every problem of the message."""
    content: Any
    if _is_plain(message):
        content = message.content
        return (
            message.role, message.kind, message.tokens, None, None, None, None, None,
            content, None, None, None,
        )  # fmt: skip
    try:
        problems = _problems(message)
        if problems:
            raise Refused(f"message refused: {'; '.join(problems)}")
        content = message.content
        text, other = (content, None) if type(content) is str else (None, to_text(content))
        return (
            message.role, message.kind, message.tokens, message.duration_us,
            message.created_at_us, message.id, message.name, message.call_id,
            text, other, to_text(message.arguments), to_text(message.metadata),
        )  # fmt: skip
    except RecursionError:
        raise TooLarge("message refused: its JSON is nested too deeply") from None


def encode_all(messages: Sequence[Message]) -> list[Row]:
    """One row for each message; raises ``Refused`` that names the first bad one."""
    if type(messages) is not list and (
        isinstance(messages, str | bytes | Message) or not isinstance(messages, Iterable)
    ):
        raise Refused(f"messages must be a sequence of Message, not {type(messages).__name__}")
    return [encode(message) for message in messages]


class _Draft:
    """A message that is being made.

    To set the fields of a frozen class takes seven times as long as to set those of a plain one
    and to change its class, which Python allows between classes of the same slots.
    """

    __slots__ = MESSAGE_FIELDS


def decode(row: Sequence[Any]) -> Message:
    """The message of a row of ``READ``."""
    (role, content, content_json, kind, name, call_id, arguments, tokens, duration_us,
     created_at_us, message_id, metadata) = row  # fmt: skip
    draft: Any = _Draft()
    draft.role = role
    if type(content) is str:
        draft.content = content
    else:
        draft.content = _other(content) if content_json is None else json.loads(content_json)
    draft.kind = kind
    draft.name = name if name is None else from_value(name)
    draft.call_id = call_id if call_id is None else from_value(call_id)
    draft.arguments = arguments if arguments is None else json.loads(arguments)
    draft.tokens = tokens
    draft.duration_us = duration_us
    draft.created_at_us = created_at_us
    draft.id = message_id if type(message_id) is str else from_value(message_id)
    draft.metadata = metadata if metadata is None else json.loads(metadata)
    draft.__class__ = Message
    message: Message = draft
    return message


def _other(content: Any) -> Any:
    """Content that is no TEXT: a BLOB of text, or none; a number was written by nobody."""
    if type(content) in (int, float):
        raise ValueError("content is a number")
    return from_value(content)


def from_value(value: Any) -> Any:
    """The text of a value of a text column; other values as they are."""
    return value.decode("utf-8", "surrogatepass") if type(value) is bytes else value


def from_json_text(value: Any) -> Any:
    """The value of a JSON column; None for NULL."""
    return None if value is None else json.loads(value)


def lossless(values: Sequence[Value]) -> list[Value]:
    """The values with each text that UTF-8 cannot express as a BLOB."""
    return [_as_blob(value) if type(value) is str else value for value in values]


def to_text(value: Json) -> str | None:
    """The value as compact JSON text, None for None; raises ``NotRepresentable``."""
    if value is None:
        return None
    try:
        return _ENCODER.encode(value)
    except ValueError as error:  # an integer beyond Python's own limit of digits
        raise NotRepresentable(f"JSON cannot express the value: {error}") from None


def checked_text(value: object, what: str, *, optional: bool = False) -> Any:
    """The value when it is a string, or an allowed None; raises ``Refused``."""
    if type(value) is str or (optional and value is None):
        return value
    raise Refused(f"{what} must be a string, not {type(value).__name__}")


def checked_json(value: Json, what: str) -> str:
    """The value as JSON text (``null`` for None); raises ``Refused``."""
    try:
        problem = json_problem(value)
        if problem:
            raise Refused(f"{what} holds {problem}, which JSON cannot express")
        return to_text(value) or "null"
    except RecursionError:
        raise TooLarge(f"{what} is nested too deeply") from None


def _is_plain(message: Message) -> bool:
    """Whether this is text with a role, maybe tokens, and nothing else: it needs no more checks."""
    return (
        type(message) is Message
        and type(message.content) is str
        and type(message.role) is str
        and message.role in ROLES
        and type(message.kind) is str
        and message.kind == "text"
        and (
            message.tokens is None or (type(message.tokens) is int and 0 <= message.tokens <= MOST)
        )
        and message.duration_us is None
        and message.created_at_us is None
        and message.id is None
        and message.name is None
        and message.call_id is None
        and message.arguments is None
        and message.metadata is None
    )


def _problems(message: Message) -> list[str]:
    if not isinstance(message, Message):
        return [f"expected a Message, got {type(message).__name__}"]
    problems = message_problems(message)
    if problems:
        return problems
    if message.role is not None and message.role not in ROLES:
        problems.append(f"unknown role {message.role!r:.80} (known: {', '.join(sorted(ROLES))})")
    if message.kind not in KINDS:
        problems.append(f"unknown kind {message.kind!r:.80} (known: {', '.join(sorted(KINDS))})")
    for name in ("tokens", "duration_us", "created_at_us"):
        value = getattr(message, name)
        if value is not None and not 0 <= value <= MOST:
            problems.append(f"{name} is outside 0 to {MOST}")
    return problems


def _as_blob(text: str) -> str | bytes:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text
