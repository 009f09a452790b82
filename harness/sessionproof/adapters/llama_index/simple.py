"""LlamaIndex: ``SimpleChatStore``, all sessions in memory and in one JSON file."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence

from sessionproof.contract.claims import Claims
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import MissingExtra
from sessionproof.contract.message import Message

try:
    from llama_index.core.storage.chat_store import SimpleChatStore

    from sessionproof.adapters.llama_index.messages import KEPT, KINDS, ROLES, decode, encode
except ImportError as error:
    raise MissingExtra("llama-index", "llama-index", "llama-index-core") from error

GUIDE = "https://developers.llamaindex.ai/python/framework/module_guides/storing/chat_stores/"
SOURCE = (
    "https://github.com/run-llama/llama_index/blob/main/"
    "llama-index-core/llama_index/core/storage/chat_store/simple_chat_store.py"
)


class Store:
    """The store is loaded once; each change is followed by ``persist``, as its guide shows."""

    version = importlib.metadata.version("llama-index-core")
    claims = Claims(
        keeps=KEPT,
        roles=ROLES,
        kinds=KINDS,
        durability="process",
        sources={**dict.fromkeys(("keeps", "roles", "kinds"), SOURCE), "durability": GUIDE},
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
