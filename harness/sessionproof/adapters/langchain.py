"""LangChain: ``SQLChatMessageHistory`` of langchain-community on an SQLite file."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sessionproof.adapters.codec import exact, no_place
from sessionproof.contract.claims import Claims
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import MissingExtra
from sessionproof.contract.message import Message
from sessionproof.contract.store import SqliteTables

try:
    from langchain_community.chat_message_histories import SQLChatMessageHistory
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
    from sqlalchemy import create_engine
except ImportError as error:
    raise MissingExtra("langchain", "langchain", "langchain-community") from error

TEXTS = {"user": HumanMessage, "assistant": AIMessage, "system": SystemMessage}
ROLES = {"human": "user", "ai": "assistant"}
REFERENCE = (
    "https://reference.langchain.com/python/langchain-community/"
    "chat_message_histories/sql/SQLChatMessageHistory"
)
SOURCE = (
    "https://reference.langchain.com/v0.3/python/_modules/"
    "langchain_community/chat_message_histories/sql.html"
)


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


class Store:
    """One engine on one SQLite file, and a history for each session."""

    version = importlib.metadata.version("langchain-community")
    claims = Claims(
        keeps={"role", "content", "kind", "name", "call_id", "arguments", "id", "metadata"},
        roles={*TEXTS, "tool"},
        kinds={"text", "tool_call", "tool_result"},
        atomic_batches=True,
        handles="processes",
        durability="process",
        sources={
            "keeps": SOURCE, "kinds": SOURCE, "atomic_batches": SOURCE, "order": SOURCE,
            "handles": REFERENCE, "durability": REFERENCE,
        },
    )  # fmt: skip
    encode = staticmethod(encode)
    decode = staticmethod(decode)

    def __init__(self, location: Location) -> None:
        self._path = location.path("chat.db")
        self._engine = engine = create_engine(f"sqlite:///{self._path}")
        # Bounded, as each history maps a class of its own; those that fall out hold nothing open.
        self._history = lru_cache(32)(lambda sid: SQLChatMessageHistory(sid, connection=engine))

    def append(self, session_id: str, messages: Sequence[Message]) -> None:
        """``add_messages``: one transaction for the batch."""
        items = [encode(message) for message in messages]
        self._history(session_id).add_messages(items)

    def read(self, session_id: str) -> list[Message]:
        """``messages``; an unknown session is empty."""
        return [decode(item) for item in self._history(session_id).messages]

    def clear(self, session_id: str) -> None:
        """``clear``."""
        self._history(session_id).clear()

    def tables(self) -> SqliteTables:
        """The one table: sessions have no rows of their own."""
        return SqliteTables(str(self._path), "message_store", "session_id")

    def close(self) -> None:
        """Close the connections of the engine."""
        self._engine.dispose()
