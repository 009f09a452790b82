"""Messages as those of Agent Framework, which its history providers keep."""

from __future__ import annotations

from typing import Any

from agent_framework import Content
from agent_framework import Message as Item

from sessionproof.adapters.codec import exact, no_place
from sessionproof.contract.message import Message

ROLES = ("user", "assistant", "system")


def encode(message: Message) -> Any:
    """The message with one item of content; raises NotRepresentable."""
    match message:
        case Message(kind="text", role=role, content=str(text)) if role in ROLES:
            content, author = Content.from_text(text), message.name
        case Message(
            kind="tool_call",
            role="assistant",
            name=str(name),
            call_id=str(call),
            arguments=dict(arguments),
        ):
            content = Content.from_function_call(call, name, arguments=arguments)
            author = None
        case Message(kind="tool_result", role="tool", content=str(text), call_id=str(call)):
            content = Content.from_function_result(call, result=text)
            author = message.name
        case _:
            raise no_place(message)
    item = Item(
        str(message.role),
        [content],
        author_name=author,
        message_id=message.id,
        additional_properties=dict(message.metadata or {}),
    )
    return exact(message, item, decode)


def decode(item: Any) -> Message:
    """The inverse of ``encode``; of several items in one message the first is shown."""
    content = item.contents[0]
    fields = {"id": item.message_id, "metadata": item.additional_properties or None}
    match content.type:
        case "function_call":
            fields |= {"call_id": content.call_id, "arguments": content.arguments}
            return Message(item.role, None, kind="tool_call", name=content.name, **fields)
        case "function_result":
            fields |= {"call_id": content.call_id, "name": item.author_name}
            return Message(item.role, content.result, kind="tool_result", **fields)
        case _:
            return Message(item.role, content.text, name=item.author_name, **fields)
