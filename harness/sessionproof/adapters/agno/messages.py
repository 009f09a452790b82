"""Messages as those of Agno, which the runs of a session hold."""

from __future__ import annotations

import json
from typing import Any

from agno.models.message import Message as Item

from sessionproof.adapters.codec import exact, no_place
from sessionproof.contract.message import Message


def encode(message: Message) -> Any:
    """The message as Agno's; raises NotRepresentable.

    A session shows one system message, whatever its runs hold, so none is sent.
    """
    match message:
        case Message(kind="text", role=("user" | "assistant") as role, content=str(text)):
            item = Item(role=role, content=text, name=message.name)
        case Message(kind="tool_call", role="assistant", name=str(name), call_id=str(call)):
            function = {"name": name, "arguments": json.dumps(message.arguments)}
            calls = [{"id": call, "type": "function", "function": function}]
            item = Item(role="assistant", tool_calls=calls)
        case Message(kind="tool_result", role="tool", content=str(text), call_id=str(call)):
            item = Item(role="tool", content=text, tool_call_id=call, tool_name=message.name)
        case _:
            raise no_place(message)
    return exact(message, item, decode)


def decode(item: Any) -> Message:
    """The inverse of ``encode``; of several calls in one message the first is shown.

    Every message has an id of Agno's own, which is left out, as a client's could not be told apart.
    """
    if item.role == "tool":
        fields = {"name": item.tool_name, "call_id": item.tool_call_id}
        return Message("tool", item.content, kind="tool_result", **fields)
    if item.tool_calls:
        call = item.tool_calls[0]
        return Message(
            item.role,
            item.content,
            kind="tool_call",
            name=call["function"]["name"],
            call_id=call["id"],
            arguments=json.loads(call["function"]["arguments"]),
        )
    return Message(item.role, item.content, name=item.name)
