"""Messages as OpenAI's chat API has them: calls of tools lie within a message, here they are some.

https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from sessionproof.contract.message import Json, Message

Told: TypeAlias = Callable[[str], None]
"""Told what is left out of a message."""

NO_ROLE = "messages without a role"

_KNOWN = {"role", "content", "name", "tool_calls", "tool_call_id", "function_call"}
_NO_PLACE = ("tokens", "duration_us", "created_at_us", "id", "metadata")


def to_items(messages: Iterable[Message], told: Told) -> list[dict[str, Any]]:
    """The messages of one chat; calls that follow each other become one message of several."""
    items: list[dict[str, Any]] = []
    calling = False
    for message in messages:
        for name in _NO_PLACE:
            if getattr(message, name) is not None:
                told(f"{name} of messages")
        if not isinstance(message.content, str | list | None):
            told("content that is neither text nor parts, but as JSON text")
        if message.kind == "tool_call":
            if calling and message.content is None and items[-1]["role"] == _role(message):
                items[-1]["tool_calls"].append(_call(message))
            else:
                items.append(_item(message) | {"tool_calls": [_call(message)]})
        elif message.kind == "tool_result":
            items.append(_item(message) | {"tool_call_id": message.call_id} | _named(message))
        elif message.role is None:
            told(NO_ROLE)
        else:
            items.append(_item(message) | _named(message))
        calling = message.kind == "tool_call"
    return items


def from_item(item: Mapping[str, Any]) -> list[Message]:
    """What a message of the API says, as one message or, if it calls tools, one for each call.

    Fields that have no place here are kept in ``metadata``. Raises ``ValueError``.
    """
    role, content, name = item.get("role"), item.get("content"), item.get("name")
    if not isinstance(role, str):
        raise ValueError("a message has no role")
    rest = {key: value for key, value in item.items() if key not in _KNOWN and value is not None}
    metadata: dict[str, Json] | None = rest or None
    calls = item.get("tool_calls") or []
    if item.get("function_call"):  # as it was before there were tools
        calls = [{"function": item["function_call"]}]
    if not isinstance(calls, list):
        raise ValueError("tool_calls is no list")
    if calls:
        first = [_called(role, content, calls[0], metadata)]
        return first + [_called(role, None, call, None) for call in calls[1:]]
    if role in ("tool", "function"):
        return [
            Message(
                "tool", content, kind="tool_result", call_id=item.get("tool_call_id"), name=name,
                metadata=metadata,
            )
        ]  # fmt: skip
    return [Message(role, content, name=name, metadata=metadata)]


def arguments_of(text: object) -> Json:
    """The arguments of a call; a text that is no JSON, as models write now and then, stays one."""
    if not isinstance(text, str):
        return text  # type: ignore[return-value]
    try:
        value: Json = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return text
    return value


def _called(role: str, content: Any, call: object, metadata: Mapping[str, Json] | None) -> Message:
    if not isinstance(call, Mapping):
        raise ValueError("a call of a tool is no object")
    custom = call.get("type") == "custom"
    made = call.get("custom" if custom else "function")
    if not isinstance(made, Mapping):
        raise ValueError("a call of a tool names no function")
    if custom:
        metadata = {**(metadata or {}), "type": "custom"}
    return Message(
        role, content, kind="tool_call", name=made.get("name"), call_id=call.get("id"),
        arguments=made.get("input") if custom else arguments_of(made.get("arguments")),
        metadata=metadata,
    )  # fmt: skip


def _item(message: Message) -> dict[str, Any]:
    content = message.content
    if not isinstance(content, str | list | None):  # the API takes a text, or a list of parts
        content = json.dumps(content)
    return {"role": _role(message), "content": content}


def _role(message: Message) -> str:
    if message.role is None:
        return "tool" if message.kind == "tool_result" else "assistant"
    return message.role


def _named(message: Message) -> dict[str, str]:
    return {} if message.name is None else {"name": message.name}


def _call(message: Message) -> dict[str, Any]:
    made = {"name": message.name, "arguments": _text_of(message.arguments)}
    return {"id": message.call_id, "type": "function", "function": made}


def _text_of(arguments: Json) -> str:
    """The arguments as JSON text; a text that is no JSON was one already."""
    if isinstance(arguments, str) and arguments_of(arguments) is arguments:
        return arguments
    return json.dumps(arguments)


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number")
