"""Our messages as rows of sqlite-utils."""

from __future__ import annotations

import json
from typing import Any

from sessionproof.adapters.codec import exact, no_place
from sessionproof.contract.message import Message

COLUMNS = {
    "id": int, "session": str, "role": str, "content": str, "kind": str, "name": str,
    "call_id": str, "arguments": str, "tokens": int, "metadata": str,
}  # fmt: skip
KEPT = frozenset(COLUMNS) - {"id", "session"}
OBJECTS = ("arguments", "metadata")  # the library stores them as JSON, and reads them as texts
MOST = 2**63  # of an integer in SQLite


def encode(message: Message) -> dict[str, Any]:
    """The message as a row; raises NotRepresentable."""
    given = {name: getattr(message, name) for name in KEPT}
    texts = isinstance(message.content, str | None)
    objects = all(isinstance(given[name], dict | None) for name in OBJECTS)
    if not texts or not objects or not -MOST <= (message.tokens or 0) < MOST:
        raise no_place(message)
    return exact(message, given, decode)


def decode(row: dict[str, Any]) -> Message:
    """The inverse of ``encode``; what was stored as JSON is read as such."""
    given = {name: row[name] for name in KEPT}
    for name in OBJECTS:
        if isinstance(given[name], str):
            given[name] = json.loads(given[name])
    return Message(**given)
