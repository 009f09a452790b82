"""LangChain: ``FileChatMessageHistory`` of langchain-community, a JSON file for each session."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Sequence
from typing import Any

from sessionproof.contract.claims import Claims
from sessionproof.contract.errors import Refused
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import MissingExtra
from sessionproof.contract.message import Message

try:
    from langchain_community.chat_message_histories import FileChatMessageHistory
except ImportError as error:
    raise MissingExtra("langchain-file", "langchain-file", "langchain-community") from error

from sessionproof.adapters.langchain.messages import KEPT, KINDS, TEXTS, decode, encode

REFERENCE = (
    "https://reference.langchain.com/python/langchain-community/"
    "chat_message_histories/file/FileChatMessageHistory"
)
EXAMPLE = (  # of LangChain's own server: it names a file by its session, and refuses other ids
    "https://github.com/langchain-ai/langserve/blob/"
    "2ba02566506f3d57f9c08555d1a90e63c866fd31/examples/chat_with_persistence/server.py"
)
NAMED = re.compile(r"[a-zA-Z0-9_-]{1,250}")


class Store:
    """A history, and so a file, for each session; nothing of it is in memory between calls."""

    version = importlib.metadata.version("langchain-community")
    claims = Claims(
        keeps=KEPT,
        roles={*TEXTS, "tool"},
        kinds=KINDS,
        durability="process",
        sources=dict.fromkeys(("keeps", "roles", "kinds", "durability", "order"), REFERENCE)
        | {"handles": EXAMPLE},
    )
    encode = staticmethod(encode)
    decode = staticmethod(decode)

    def __init__(self, location: Location) -> None:
        self._location = location

    def _history(self, session_id: str) -> Any:
        if not NAMED.fullmatch(session_id):
            raise Refused("an id has 1 to 250 letters, digits, hyphens and underscores")
        return FileChatMessageHistory(str(self._location.path(f"{session_id}.json")))

    def append(self, session_id: str, messages: Sequence[Message]) -> None:
        """``add_messages``, which reads and writes the whole file for each of them."""
        items = [encode(message) for message in messages]
        self._history(session_id).add_messages(items)

    def read(self, session_id: str) -> list[Message]:
        """``messages``; an unknown session is empty."""
        return [decode(item) for item in self._history(session_id).messages]

    def clear(self, session_id: str) -> None:
        """``clear``."""
        self._history(session_id).clear()

    def close(self) -> None:
        """Nothing is open between calls."""
