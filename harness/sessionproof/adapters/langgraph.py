"""LangGraph: the messages of a graph's state, kept by ``SqliteSaver``."""

from __future__ import annotations

import importlib.metadata
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sessionproof.adapters.codec import no_place
from sessionproof.contract.claims import Claims
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import MissingExtra
from sessionproof.contract.message import Message

try:
    from langgraph.checkpoint.sqlite import SqliteSaver
    from langgraph.graph import END, START, MessagesState, StateGraph
except ImportError as error:
    raise MissingExtra("langgraph", "langgraph", "langgraph-checkpoint-sqlite") from error

from sessionproof.adapters import langchain_messages
from sessionproof.adapters.langchain_messages import TEXTS

GUIDE = "https://docs.langchain.com/oss/python/langgraph/persistence"
REFERENCE = "https://reference.langchain.com/python/langgraph.checkpoint.sqlite/SqliteSaver"
_NODE = "said"


def encode(message: Message) -> Any:
    """The message as a ``BaseMessage``; raises NotRepresentable.

    The reducer gives each message an id, and puts one whose id is known in the old one's place.
    """
    if message.id is not None:
        raise no_place(message)
    return langchain_messages.encode(message)


def decode(item: Any) -> Message:
    """The inverse of ``encode``."""
    return replace(langchain_messages.decode(item), id=None)


class Store:
    """A graph of one node; each append is an update of its state, as a caller's turn is."""

    version = importlib.metadata.version("langgraph-checkpoint-sqlite")
    claims = Claims(
        keeps={"role", "content", "kind", "name", "call_id", "arguments", "metadata"},
        roles={*TEXTS, "tool"},
        kinds={"text", "tool_call", "tool_result"},
        atomic_batches=True,
        handles="threads",
        shared_handle=True,
        durability="process",
        sources={
            "keeps": GUIDE, "kinds": GUIDE, "durability": GUIDE,
            "handles": REFERENCE, "shared_handle": REFERENCE,
        },
    )  # fmt: skip
    encode = staticmethod(encode)
    decode = staticmethod(decode)

    def __init__(self, location: Location) -> None:
        self._db = sqlite3.connect(location.path("chat.db"), check_same_thread=False)
        graph = StateGraph(MessagesState)
        graph.add_node(_NODE, lambda _: {})
        graph.add_edge(START, _NODE)
        graph.add_edge(_NODE, END)
        self._saver = SqliteSaver(self._db)
        self._saver.setup()
        self._graph = graph.compile(checkpointer=self._saver)

    def append(self, session_id: str, messages: Sequence[Message]) -> None:
        """``update_state``: the messages are added to those of the newest checkpoint."""
        items = [encode(message) for message in messages]
        self._graph.update_state(_config(session_id), {"messages": items}, as_node=_NODE)

    def read(self, session_id: str) -> list[Message]:
        """The messages of ``get_state``; an unknown thread is empty."""
        state = self._graph.get_state(_config(session_id))
        return [decode(item) for item in state.values.get("messages", [])]

    def delete(self, session_id: str) -> None:
        """``delete_thread``."""
        self._saver.delete_thread(session_id)

    def close(self) -> None:
        """Close the connection."""
        self._db.close()


def _config(session_id: str) -> dict[str, Any]:
    return {"configurable": {"thread_id": session_id}}
