"""Messages to rows and back, without loss.

Python's sqlite3 refuses text with lone surrogates. Such text is stored as a BLOB: UTF-8 with
surrogates passed. Whether it is needed shows when a statement is bound, so other text pays
nothing for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from sessionproof.contract.errors import NotRepresentable, Refused, TooLarge
from sessionproof.contract.message import Json, Message, json_problem, message_problems

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

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def encode(message: Message) -> Row:
    """The values of ``COLUMNS``; raises ``Refused`` with every problem of the message."""
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
    if isinstance(messages, str | bytes | Message) or not isinstance(messages, Iterable):
        raise Refused(f"messages must be a sequence of Message, not {type(messages).__name__}")
    return [encode(message) for message in messages]


def decode(row: Sequence[Any]) -> Message:
    """The message of a row of ``READ``."""
    (role, content, content_json, kind, name, call_id, arguments, tokens, duration_us,
     created_at_us, message_id, metadata) = row  # fmt: skip
    if content_json is not None:
        content = json.loads(content_json)
    elif type(content) is bytes:
        content = from_value(content)
    if type(message_id) is bytes:
        message_id = from_value(message_id)
    return Message(
        role,
        content,
        kind=kind,
        name=name if name is None else from_value(name),
        call_id=call_id if call_id is None else from_value(call_id),
        arguments=arguments if arguments is None else json.loads(arguments),
        tokens=tokens,
        duration_us=duration_us,
        created_at_us=created_at_us,
        id=message_id,
        metadata=metadata if metadata is None else json.loads(metadata),
    )


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


def _problems(message: Message) -> list[str]:
    if not isinstance(message, Message):
        return [f"expected a Message, got {type(message).__name__}"]
    problems = message_problems(message)
    if problems:
        return problems
    if message.role is not None and message.role not in ROLES:
        problems.append(f"unknown role {message.role!r} (known: {', '.join(sorted(ROLES))})")
    if message.kind not in KINDS:
        problems.append(f"unknown kind {message.kind!r} (known: {', '.join(sorted(KINDS))})")
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
