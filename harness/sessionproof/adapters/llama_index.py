"""LlamaIndex: ``SimpleChatStore``, all sessions in memory and in one JSON file."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from typing import Any

from sessionproof.adapters.codec import exact, no_place
from sessionproof.contract.claims import Claims
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import MissingExtra
from sessionproof.contract.message import Message

try:
    from llama_index.core.base.llms.types import ToolCallBlock
    from llama_index.core.llms import ChatMessage
    from llama_index.core.storage.chat_store import SimpleChatStore
except ImportError as error:
    raise MissingExtra("llama-index", "llama-index", "llama-index-core") from error

GUIDE = "https://developers.llamaindex.ai/python/framework/module_guides/storing/chat_stores/"
SOURCE = (
    "https://github.com/run-llama/llama_index/blob/main/"
    "llama-index-core/llama_index/core/storage/chat_store/simple_chat_store.py"
)
TEXTS = ("user", "assistant", "system", "developer")


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


class Store:
    """The store is loaded once; each change is followed by ``persist``, as its guide shows."""

    version = importlib.metadata.version("llama-index-core")
    claims = Claims(
        keeps={"role", "content", "kind", "name", "call_id", "arguments", "metadata"},
        roles={*TEXTS, "tool"},
        kinds={"text", "tool_call", "tool_result"},
        durability="process",
        sources={"keeps": SOURCE, "kinds": SOURCE, "durability": GUIDE},
    )
    encode = staticmethod(encode)
    decode = staticmethod(decode)

    def __init__(self, location: Location) -> None:
        self._path = str(location.path("chat_store.json"))
        self._store = SimpleChatStore.from_persist_path(self._path)

    def append(self, session_id: str, messages: Sequence[Message]) -> None:
        """``add_message`` for each, then ``persist``."""
        for item in [encode(message) for message in messages]:
            self._store.add_message(session_id, item)
        self._store.persist(self._path)

    def read(self, session_id: str) -> list[Message]:
        """``get_messages``; an unknown session is empty."""
        return [decode(item) for item in self._store.get_messages(session_id)]

    def list(self) -> list[str]:
        """``get_keys``."""
        return list(self._store.get_keys())

    def replace(self, session_id: str, messages: Sequence[Message]) -> None:
        """``set_messages``, then ``persist``."""
        self._store.set_messages(session_id, [encode(message) for message in messages])
        self._store.persist(self._path)

    def delete(self, session_id: str) -> None:
        """``delete_messages``, which removes the key, then ``persist``."""
        self._store.delete_messages(session_id)
        self._store.persist(self._path)

    def pop_last(self, session_id: str) -> Message | None:
        """``delete_last_message``, then ``persist``."""
        item = self._store.delete_last_message(session_id)
        self._store.persist(self._path)
        return None if item is None else decode(item)

    def close(self) -> None:
        """Nothing is open between calls."""
