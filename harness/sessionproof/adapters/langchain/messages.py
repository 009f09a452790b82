"""Our messages as those of langchain-core, which several stores keep."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from sessionproof.adapters.codec import exact, no_place
from sessionproof.contract.message import Message

TEXTS = {"user": HumanMessage, "assistant": AIMessage, "system": SystemMessage}
ROLES = {"human": "user", "ai": "assistant"}
KEPT = frozenset({"role", "content", "kind", "name", "call_id", "arguments", "id", "metadata"})
KINDS = frozenset({"text", "tool_call", "tool_result"})


def encode(message: Message) -> Any:
    """The message as a ``BaseMessage``; raises NotRepresentable."""
    metadata = dict(message.metadata or {})
    if "tool_calls" in metadata:  # LangChain reads calls out of this key
        raise no_place(message)
    extra: dict[str, Any] = {"id": message.id, "additional_kwargs": metadata}
    match message:
        case Message(kind="text", role=role, content=str(text)) if role in TEXTS:
            item = TEXTS[role](content=text, name=message.name, **extra)
        case Message(kind="tool_call", name=str(name), arguments=dict(arguments)):
            call = {"name": name, "args": arguments, "id": message.call_id, "type": "tool_call"}
            item = AIMessage(content="", tool_calls=[call], **extra)
        case Message(kind="tool_result", content=str(text), call_id=str(call_id)):
            item = ToolMessage(content=text, tool_call_id=call_id, name=message.name, **extra)
        case _:
            raise no_place(message)
    return exact(message, item, decode)


def decode(item: Any) -> Message:
    """The inverse of ``encode``; of several calls in one message the first is shown."""
    role = ROLES.get(item.type, item.type)
    fields = {"id": item.id, "metadata": item.additional_kwargs or None}
    if item.type == "tool":
        call_id = item.tool_call_id
        return Message(
            role, item.content, kind="tool_result", name=item.name, call_id=call_id, **fields
        )
    if calls := getattr(item, "tool_calls", None):
        call, text = calls[0], item.content or None
        given = {"name": call["name"], "call_id": call["id"], "arguments": call["args"]}
        return Message(role, text, kind="tool_call", **given, **fields)
    return Message(role, item.content, name=item.name, **fields)
