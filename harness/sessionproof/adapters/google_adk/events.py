"""Our messages as events of Google ADK, which each of its session services keeps."""

from __future__ import annotations

from typing import Any

from google.adk.events import Event
from google.genai.types import Content, FunctionCall, FunctionResponse, Part

from sessionproof.adapters.codec import exact, no_place
from sessionproof.contract.message import Message

ROLES = {"user": "user", "assistant": "model", "tool": "user"}  # ours: that of the content
KINDS = frozenset({"text", "tool_call", "tool_result"})
KEPT = frozenset(
    {"role", "content", "kind", "name", "call_id", "arguments", "metadata", "created_at_us"}
)
TIMED, UNTIMED = "time-of-client", "time-of-store"  # invocations: who set an event's timestamp


def encode(message: Message) -> Any:
    """The message as an ``Event``; raises NotRepresentable."""
    match message:
        case Message(kind="text", role="user" | "assistant", content=str(text)):
            part, author = Part(text=text), message.name
        case Message(kind="tool_call", role="assistant", name=name, arguments=dict(arguments)):
            call = FunctionCall(id=message.call_id, name=name, args=arguments)
            part, author = Part(function_call=call), None
        case Message(kind="tool_result", role="tool", name=name, content=result):
            response = {"result": result}
            answer = FunctionResponse(id=message.call_id, name=name, response=response)
            part, author = Part(function_response=answer), None
        case _:
            raise no_place(message)
    role, given_us = ROLES[str(message.role)], message.created_at_us
    event = Event(
        author=author or role,
        content=Content(role=role, parts=[part]),
        invocation_id=UNTIMED if given_us is None else TIMED,
        **({} if given_us is None else {"timestamp": given_us / 1e6}),
        **({} if message.metadata is None else {"custom_metadata": message.metadata}),
    )
    return exact(message, event, decode)


def decode(event: Any) -> Message:
    """The inverse of ``encode``; of several parts in one event the first is shown."""
    part, author, role = event.content.parts[0], event.author, event.content.role
    given_us = round(event.timestamp * 1e6) if event.invocation_id == TIMED else None
    fields: dict[str, Any] = {
        "created_at_us": given_us,
        "metadata": getattr(event, "custom_metadata", None),
    }
    if call := part.function_call:
        fields |= {"name": call.name, "call_id": call.id, "arguments": call.args}
        return Message("assistant", None, kind="tool_call", **fields)
    if answer := part.function_response:
        fields |= {"name": answer.name, "call_id": answer.id}
        return Message("tool", answer.response["result"], kind="tool_result", **fields)
    name = None if author in ROLES.values() else author
    return Message("assistant" if role == "model" else role, part.text, name=name, **fields)
