"""TinyDB: a document for each message, in one JSON file."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from typing import Any

from sessionproof.adapters.codec import exact, no_place
from sessionproof.contract.claims import Claims
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import MissingExtra
from sessionproof.contract.message import MESSAGE_FIELDS, Message, from_json, to_json

try:
    from tinydb import TinyDB, where
except ImportError as error:
    raise MissingExtra("tinydb", "tinydb", "tinydb") from error

KEPT = frozenset(MESSAGE_FIELDS) - {"id"}  # documents have numbers of their own
INTRODUCTION = "https://tinydb.readthedocs.io/en/latest/intro.html"


def encode(message: Message) -> dict[str, Any]:
    """The message as a document, a field for each of its own; raises NotRepresentable."""
    if message.id is not None:
        raise no_place(message)
    return exact(message, to_json(message), decode)


def decode(document: dict[str, Any]) -> Message:
    """The inverse of ``encode``."""
    return from_json({name: document[name] for name in KEPT & document.keys()})


class Store:
    """One database; the whole file is read and written at each change."""

    version = importlib.metadata.version("tinydb")
    claims = Claims(
        keeps=KEPT,
        roles={"user", "assistant", "system", "developer", "tool"},
        kinds={"text", "tool_call", "tool_result"},
        sources={
            "keeps": INTRODUCTION, "roles": INTRODUCTION, "kinds": INTRODUCTION,
            "handles": INTRODUCTION, "atomic_batches": INTRODUCTION, "durability": INTRODUCTION,
        },
    )  # fmt: skip
    encode = staticmethod(encode)
    decode = staticmethod(decode)

    def __init__(self, location: Location) -> None:
        self._db = TinyDB(location.path("chat.json"))

    def append(self, session_id: str, messages: Sequence[Message]) -> None:
        """``insert_multiple``."""
        self._db.insert_multiple([{"session": session_id, **encode(one)} for one in messages])

    def read(self, session_id: str) -> list[Message]:
        """``search``; an unknown session is empty."""
        return [decode(found) for found in self._db.search(where("session") == session_id)]

    def count(self, session_id: str) -> int:
        """``count``."""
        return int(self._db.count(where("session") == session_id))

    def delete(self, session_id: str) -> None:
        """``remove`` of all its documents."""
        self._db.remove(where("session") == session_id)

    def close(self) -> None:
        """Close the file."""
        self._db.close()
