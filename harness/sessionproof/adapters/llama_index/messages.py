"""Our messages as those of LlamaIndex, which each of its chat stores keeps."""

from __future__ import annotations

from typing import Any

from llama_index.core.base.llms.types import ToolCallBlock
from llama_index.core.llms import ChatMessage

from sessionproof.adapters.codec import exact, no_place
from sessionproof.contract.message import Message

TEXTS = ("user", "assistant", "system", "developer")
ROLES = frozenset({*TEXTS, "tool"})
KINDS = frozenset({"text", "tool_call", "tool_result"})
KEPT = frozenset({"role", "content", "kind", "name", "call_id", "arguments", "metadata"})


def encode(message: Message) -> Any:
    """The message as a ``ChatMessage``; raises NotRepresentable."""
    extra = dict(message.metadata or {})
    if "images" in extra:  # LlamaIndex loads files that are named by this key
        raise no_place(message)
    match message:
        case Message(kind="text", role=role, content=str(text)) if role in TEXTS:
            item = ChatMessage(role=role, content=text, additional_kwargs=extra)
        case Message(kind="tool_call", role="assistant", name=str(name), arguments=dict(given)):
            call = ToolCallBlock(tool_call_id=message.call_id, tool_name=name, tool_kwargs=given)
            item = ChatMessage(role="assistant", blocks=[call], additional_kwargs=extra)
        case Message(kind="tool_result", content=str(text), call_id=str(call_id)):
            extra = {"tool_call_id": call_id, **extra}
            item = ChatMessage(role="tool", content=text, additional_kwargs=extra)
        case _:
            raise no_place(message)
    return exact(message, item, decode)


def decode(item: Any) -> Message:
    """The inverse of ``encode``; of several calls in one message the first is shown."""
    role, extra = item.role.value, dict(item.additional_kwargs)
    if role == "tool":
        call_id = extra.pop("tool_call_id", None)
        return Message(
            role, item.content, kind="tool_result", call_id=call_id, metadata=extra or None
        )
    calls = [block for block in item.blocks if isinstance(block, ToolCallBlock)]
    if calls:
        return Message(
            role,
            item.content,
            kind="tool_call",
            name=calls[0].tool_name,
            call_id=calls[0].tool_call_id,
            arguments=calls[0].tool_kwargs,
            metadata=extra or None,
        )
    return Message(role, item.content, metadata=extra or None)
