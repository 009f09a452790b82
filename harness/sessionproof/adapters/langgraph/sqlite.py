"""LangGraph: the messages of a graph's state, kept by ``SqliteSaver``."""

from __future__ import annotations

import importlib.metadata
import sqlite3
from collections.abc import Sequence

from sessionproof.contract.claims import Claims
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import MissingExtra
from sessionproof.contract.message import Message

try:
    from langgraph.checkpoint.sqlite import SqliteSaver

    from sessionproof.adapters.langgraph import graph
except ImportError as error:
    raise MissingExtra("langgraph", "langgraph", "langgraph-checkpoint-sqlite") from error

SAVER = f"{graph.REFERENCE}/SqliteSaver"


class Store:
    """A graph of one node; each append is an update of its state, as a caller's turn is."""

    version = importlib.metadata.version("langgraph-checkpoint-sqlite")
    claims = Claims(
        keeps=graph.KEPT,
        roles=graph.ROLES,
        kinds=graph.KINDS,
        atomic_batches=True,
        handles="threads",
        shared_handle=True,
        durability="process",
        sources={
            **dict.fromkeys(
                ("keeps", "roles", "kinds", "durability", "atomic_batches"), graph.GUIDE
            ),
            **dict.fromkeys(("handles", "shared_handle"), SAVER),
        },
    )
    encode = staticmethod(graph.encode)
    decode = staticmethod(graph.decode)

    def __init__(self, location: Location) -> None:
        self._db = sqlite3.connect(location.path("chat.db"), check_same_thread=False)
        self._saver = SqliteSaver(self._db)
        self._graph = graph.kept_by(self._saver)

    def append(self, session_id: str, messages: Sequence[Message]) -> None:
        """``update_state``: the messages are added to those of the newest checkpoint."""
        added = graph.update(messages)
        self._graph.update_state(graph.thread(session_id), added, as_node=graph.NODE)

    def read(self, session_id: str) -> list[Message]:
        """The messages of ``get_state``; an unknown thread is empty."""
        return graph.said(self._graph.get_state(graph.thread(session_id)))

    def delete(self, session_id: str) -> None:
        """``delete_thread``."""
        self._saver.delete_thread(session_id)

    def close(self) -> None:
        """Close the connection."""
        self._db.close()
