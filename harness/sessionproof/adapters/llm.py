"""llm (the command line tool): ``LogStore``, threads of messages in its SQLite file."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence

from sessionproof.contract.claims import Claims
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import MissingExtra
from sessionproof.contract.message import Message
from sessionproof.contract.upkeep import Verified

try:
    import sqlite_utils
    from llm.logs import LogStore

    from sessionproof.adapters.llm_messages import KEPT, KINDS, ROLES, decode, encode
except ImportError as error:
    raise MissingExtra("llm", "llm", "llm") from error

GUIDE = "https://llm.datasette.io/en/stable/logging.html"
SOURCE = "https://github.com/simonw/llm/blob/0.36/llm/logs.py"


class Store:
    """A thread for each session; several commands use one file at the same time."""

    version = importlib.metadata.version("llm")
    claims = Claims(
        keeps=KEPT,
        roles=ROLES,
        kinds=KINDS,
        handles="processes",
        durability="process",
        checksums=True,
        sources={
            **dict.fromkeys(("roles", "handles", "durability"), GUIDE),
            **dict.fromkeys(("keeps", "kinds", "checksums"), SOURCE),
        },
    )
    encode = staticmethod(encode)
    decode = staticmethod(decode)

    def __init__(self, location: Location) -> None:
        self._db = sqlite_utils.Database(location.path("logs.db"))
        self._log = LogStore(self._db)

    def append(self, session_id: str, messages: Sequence[Message]) -> None:
        """``ensure_thread`` and ``append``."""
        items = [encode(message) for message in messages]
        self._log.append(self._log.ensure_thread(session_id), items)

    def read(self, session_id: str) -> list[Message]:
        """``thread_messages`` in its two steps; an unknown thread, a KeyError, is empty."""
        try:
            tip = self._log.thread_tip(session_id)
        except KeyError:
            return []
        return [decode(item) for item in self._log.load_chain(tip)]

    def verify(self, session_id: str | None = None) -> Verified:  # noqa: ARG002 - it looks at all
        """``verify``, of all threads: the messages whose content has not their hash."""
        return Verified(tuple(f"message {one} has another content" for one in self._log.verify()))

    def close(self) -> None:
        """Close the connection."""
        self._db.conn.close()
