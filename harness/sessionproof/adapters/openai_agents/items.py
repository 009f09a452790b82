"""Messages as input items of the Responses API, which every session of the SDK keeps."""

from __future__ import annotations

import json
from typing import Any

from sessionproof.adapters.codec import exact, no_place
from sessionproof.contract.message import Message

ROLES = ("user", "assistant", "system", "developer")


def encode(message: Message) -> dict[str, Any]:
    """The message as an input item of the Responses API; raises NotRepresentable."""
    match message:
        case Message(kind="text", role=role, content=str(text)) if role in ROLES:
            item = {"role": role, "content": text}
        case Message(kind="tool_call", name=str(name), call_id=str(call)):
            item = {"type": "function_call", "call_id": call, "name": name}
            item["arguments"] = json.dumps(message.arguments, ensure_ascii=False)
        case Message(kind="tool_result", content=str(text), call_id=str(call)):
            item = {"type": "function_call_output", "call_id": call, "output": text}
        case _:
            raise no_place(message)
    return exact(message, item, decode)


def decode(item: dict[str, Any]) -> Message:
    """The inverse of ``encode``; the role of tool items is implied by their type."""
    call = item.get("call_id")
    match item.get("type", "message"):
        case "function_call":
            arguments = json.loads(item["arguments"])
            return Message(
                "assistant", None, kind="tool_call", name=item["name"], call_id=call,
                arguments=arguments,
            )  # fmt: skip
        case "function_call_output":
            return Message("tool", item["output"], kind="tool_result", call_id=call)
        case kind:
            shown = "text" if kind == "message" else kind
            return Message(item.get("role"), item.get("content"), kind=shown)
