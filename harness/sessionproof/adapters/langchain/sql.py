"""LangChain: ``SQLChatMessageHistory`` of langchain-community on an SQLite file."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from functools import lru_cache

from sessionproof.contract.claims import Claims
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import MissingExtra
from sessionproof.contract.message import Message
from sessionproof.contract.store import SqliteTables

try:
    from langchain_community.chat_message_histories import SQLChatMessageHistory
    from sqlalchemy import URL, create_engine
except ImportError as error:
    raise MissingExtra("langchain", "langchain", "langchain-community") from error

from sessionproof.adapters.langchain.messages import KEPT, KINDS, TEXTS, decode, encode

REFERENCE = (
    "https://reference.langchain.com/python/langchain-community/"
    "chat_message_histories/sql/SQLChatMessageHistory"
)
SOURCE = (
    "https://reference.langchain.com/v0.3/python/_modules/"
    "langchain_community/chat_message_histories/sql.html"
)


class Store:
    """One engine on one SQLite file, and a history for each session."""

    version = importlib.metadata.version("langchain-community")
    claims = Claims(
        keeps=KEPT,
        roles={*TEXTS, "tool"},
        kinds=KINDS,
        atomic_batches=True,
        handles="processes",
        durability="process",
        sources={
            **dict.fromkeys(("keeps", "roles", "kinds", "atomic_batches", "order"), SOURCE),
            **dict.fromkeys(("handles", "durability"), REFERENCE),
        },
    )
    encode = staticmethod(encode)
    decode = staticmethod(decode)

    def __init__(self, location: Location) -> None:
        self._path = location.path("chat.db")
        self._engine = engine = create_engine(URL.create("sqlite", database=str(self._path)))
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
