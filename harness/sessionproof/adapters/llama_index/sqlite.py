"""LlamaIndex: ``SQLiteChatStore`` of its integration for SQLite."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence

from sessionproof.contract.claims import Claims
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import MissingExtra
from sessionproof.contract.message import Message
from sessionproof.contract.store import SqliteTables

try:
    from llama_index.storage.chat_store.sqlite import SQLiteChatStore
    from sqlalchemy import URL

    from sessionproof.adapters.llama_index.messages import KEPT, KINDS, ROLES, decode, encode
except ImportError as error:
    raise MissingExtra(
        "llama-index-sqlite", "llama-index-sqlite", "llama-index-storage-chat-store-sqlite"
    ) from error

PAGE = "https://pypi.org/project/llama-index-storage-chat-store-sqlite/0.4.0/"
SOURCE = "https://developers.llamaindex.ai/python/framework-api-reference/storage/chat_store/sqlite"


class Store:
    """One store on one SQLite file."""

    version = importlib.metadata.version("llama-index-storage-chat-store-sqlite")
    claims = Claims(
        keeps=KEPT,
        roles=ROLES,
        kinds=KINDS,
        handles="processes",
        durability="process",
        sources={
            **dict.fromkeys(("keeps", "roles", "kinds", "order", "handles"), SOURCE),
            "durability": PAGE,
        },
    )
    encode = staticmethod(encode)
    decode = staticmethod(decode)

    def __init__(self, location: Location) -> None:
        self._path = location.path("chat.db")
        self._store = SQLiteChatStore.from_params(
            self._path.name,
            connection_string=self._address("sqlite"),
            async_connection_string=self._address("sqlite+aiosqlite"),
        )

    def _address(self, driver: str) -> str:
        return URL.create(driver, database=str(self._path)).render_as_string()

    def append(self, session_id: str, messages: Sequence[Message]) -> None:
        """``add_message`` for each: a transaction for each."""
        for item in [encode(message) for message in messages]:
            self._store.add_message(session_id, item)

    def read(self, session_id: str) -> list[Message]:
        """``get_messages``; an unknown session is empty."""
        return [decode(item) for item in self._store.get_messages(session_id)]

    def list(self) -> list[str]:
        """``get_keys``."""
        return list(self._store.get_keys())

    def replace(self, session_id: str, messages: Sequence[Message]) -> None:
        """``set_messages``."""
        self._store.set_messages(session_id, [encode(message) for message in messages])

    def delete(self, session_id: str) -> None:
        """``delete_messages``: sessions have no rows of their own."""
        self._store.delete_messages(session_id)

    def pop_last(self, session_id: str) -> Message | None:
        """``delete_last_message``."""
        item = self._store.delete_last_message(session_id)
        return None if item is None else decode(item)

    def tables(self) -> SqliteTables:
        """The one table."""
        return SqliteTables(str(self._path), "data_chatstore", "key")

    def close(self) -> None:
        """Close the connections of the engine, for which the store has no call."""
        self._store._session.kw["bind"].dispose()
