"""Messages as libraries keep them: items of OpenAI's Responses API, messages of LangChain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sessionproof.contract.message import Json, Message
from sessionproof.reference.exchange.chat_items import arguments_of

_LANGCHAIN_ROLES = {
    "human": "user", "ai": "assistant", "system": "system", "tool": "tool", "function": "tool",
    "AIMessageChunk": "assistant", "HumanMessageChunk": "user",
}  # fmt: skip
_LANGCHAIN_KNOWN = {
    "content", "type", "name", "id", "tool_calls", "tool_call_id", "example", "role",
    "additional_kwargs",
}  # fmt: skip
_RESPONSE_KNOWN = {
    "message": {"type", "role", "content", "id"},
    "function_call": {"type", "call_id", "name", "arguments", "id"},
    "function_call_output": {"type", "call_id", "output", "id"},
}


def from_response(item: Mapping[str, Any]) -> list[Message]:
    """An item as ``SQLiteSession`` of openai-agents keeps it; raises ``ValueError``.

    Fields without a place here go into ``metadata``; an item that is neither a message nor about a
    function (reasoning, searches) is the content of a message of the assistant, as it is.
    """
    kind = item.get("type", "message")
    if kind not in _RESPONSE_KNOWN:
        return [Message("assistant", dict(item), metadata={"type": kind})]
    known = _RESPONSE_KNOWN[kind]
    rest = {name: value for name, value in item.items() if name not in known}
    given: dict[str, Any] = {"id": item.get("id"), "metadata": rest or None}
    if kind == "function_call":
        arguments = arguments_of(item.get("arguments"))
        return [
            Message(
                "assistant", None, kind="tool_call", name=item.get("name"),
                call_id=item.get("call_id"), arguments=arguments, **given,
            )
        ]  # fmt: skip
    if kind == "function_call_output":
        call_id = item.get("call_id")
        return [Message("tool", item.get("output"), kind="tool_result", call_id=call_id, **given)]
    if not isinstance(item.get("role"), str):
        raise ValueError("an item has no role")
    return [Message(item["role"], _plain(item.get("content")), **given)]


def from_langchain(item: Mapping[str, Any]) -> list[Message]:
    """A message as ``SQLChatMessageHistory`` keeps it; raises ``ValueError``.

    One with several calls becomes several. Output tokens are its tokens.
    """
    data = item.get("data")
    kind = item.get("type")
    if not isinstance(data, Mapping) or not isinstance(kind, str):
        raise ValueError("a message has no type and data")
    role = data.get("role") if kind.startswith("chat") else _LANGCHAIN_ROLES.get(kind, kind)
    rest = {
        name: value
        for name, value in data.items()
        if name not in _LANGCHAIN_KNOWN and value not in (None, [], {})
    }
    extra = data.get("additional_kwargs")
    metadata: dict[str, Json] = rest | (dict(extra) if isinstance(extra, Mapping) else {})
    given: dict[str, Any] = {
        "id": data.get("id"), "metadata": metadata or None, "tokens": _output_tokens(data),
    }  # fmt: skip
    content, name = data.get("content"), data.get("name")
    if role == "tool":
        call_id = data.get("tool_call_id")
        return [Message(role, content, kind="tool_result", name=name, call_id=call_id, **given)]
    calls = data.get("tool_calls") or []
    if not calls:
        return [Message(role, content, name=name, **given)]
    first = _call(role, content or None, calls[0], given)
    return [first, *(_call(role, None, call, {}) for call in calls[1:])]


def _call(role: Any, content: Any, call: object, given: Mapping[str, Any]) -> Message:
    if not isinstance(call, Mapping):
        raise ValueError("a call of a tool is no object")
    return Message(
        role, content, kind="tool_call", name=call.get("name"), call_id=call.get("id"),
        arguments=call.get("args"), **given,
    )  # fmt: skip


def _plain(content: Any) -> Any:
    """Content that is one part of text, and says no more, as that text."""
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], Mapping):
        (part,) = content
        more = {name for name, value in part.items() if value not in (None, [])}
        if part.get("type") in ("input_text", "output_text") and more == {"type", "text"}:
            return part["text"]
    return content


def _output_tokens(data: Mapping[str, Any]) -> int | None:
    usage = data.get("usage_metadata")
    spent = usage.get("output_tokens") if isinstance(usage, Mapping) else None
    return spent if type(spent) is int and spent >= 0 else None
