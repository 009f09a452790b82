"""Messages as those of Strands: two roles, and blocks of content."""

from __future__ import annotations

from typing import Any

from sessionproof.adapters.codec import exact, no_place
from sessionproof.contract.message import Message


def encode(message: Message) -> dict[str, Any]:
    """The message with one block of content; raises NotRepresentable.

    The answer of a tool is a user's message there, so its role is implied by its block.
    """
    match message:
        case Message(kind="text", role=("user" | "assistant") as role, content=str(text)):
            block: dict[str, Any] = {"text": text}
        case Message(kind="tool_call", role="assistant", name=str(name), call_id=str(call)):
            role = "assistant"
            block = {"toolUse": {"toolUseId": call, "name": name, "input": message.arguments}}
        case Message(kind="tool_result", role="tool", content=str(text), call_id=str(call)):
            role, answer = "user", [{"text": text}]
            block = {"toolResult": {"toolUseId": call, "status": "success", "content": answer}}
        case _:
            raise no_place(message)
    item: dict[str, Any] = {"role": role, "content": [block]}
    if message.id is not None:
        item["tracking_id"] = message.id
    if message.metadata is not None:
        item["metadata"] = {"custom": dict(message.metadata)}
    return exact(message, item, decode)


def decode(item: dict[str, Any]) -> Message:
    """The inverse of ``encode``; of several blocks in one message the first is shown."""
    block, role = item["content"][0], item["role"]
    metadata = item.get("metadata", {}).get("custom")
    fields = {"id": item.get("tracking_id"), "metadata": metadata}
    if use := block.get("toolUse"):
        fields |= {"call_id": use["toolUseId"], "arguments": use["input"]}
        return Message(role, None, kind="tool_call", name=use["name"], **fields)
    if answer := block.get("toolResult"):
        text = answer["content"][0]["text"]
        return Message("tool", text, kind="tool_result", call_id=answer["toolUseId"], **fields)
    return Message(role, block["text"], **fields)
