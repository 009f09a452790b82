"""Our messages as those of llm, which are lists of parts: one part for each of ours."""

from __future__ import annotations

from typing import Any

from llm import Message as Item
from llm.parts import TextPart, ToolCallPart, ToolResultPart

from sessionproof.adapters.codec import exact, no_place
from sessionproof.contract.message import Message

TEXTS = ("user", "assistant", "system")
ROLES = frozenset({*TEXTS, "tool"})
KINDS = frozenset({"text", "tool_call", "tool_result"})
KEPT = frozenset({"role", "content", "kind", "name", "call_id", "arguments"})


def encode(message: Message) -> Any:
    """The message as an ``llm.Message`` of one part; raises NotRepresentable."""
    call_id = message.call_id
    match message:
        case Message(kind="text", role=role, content=str(text)) if role in TEXTS:
            part = TextPart(text=text)
        case Message(kind="tool_call", name=str(name), arguments=dict(arguments)):
            part = ToolCallPart(name=name, arguments=arguments, tool_call_id=call_id)
        case Message(kind="tool_result", content=str(text)):
            part = ToolResultPart(name=message.name or "", output=text, tool_call_id=call_id)
        case _:
            raise no_place(message)
    return exact(message, Item(role=str(message.role), parts=[part]), decode)


def decode(item: Any) -> Message:
    """The inverse of ``encode``; of several parts the first call or answer is shown."""
    for part in item.parts:
        if isinstance(part, ToolCallPart):
            given = {"name": part.name, "call_id": part.tool_call_id, "arguments": part.arguments}
            return Message("assistant", None, kind="tool_call", **given)
        if isinstance(part, ToolResultPart):
            given = {"name": part.name or None, "call_id": part.tool_call_id}
            return Message("tool", part.output, kind="tool_result", **given)
    return Message(item.role, "".join(getattr(part, "text", "") for part in item.parts))
