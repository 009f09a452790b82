"""A graph whose state is the messages of a chat, and our messages as that state's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from langgraph.graph import END, START, MessagesState, StateGraph

from sessionproof.adapters.codec import no_place
from sessionproof.adapters.langchain import messages as langchain
from sessionproof.contract.message import Message

GUIDE = "https://docs.langchain.com/oss/python/langgraph/persistence"
REFERENCE = "https://reference.langchain.com/python/langgraph.checkpoint.sqlite"
KEPT = langchain.KEPT - {"id"}
KINDS = langchain.KINDS
ROLES = frozenset({*langchain.TEXTS, "tool"})
NODE = "said"


def kept_by(saver: Any) -> Any:
    """A graph of one node, which says nothing itself; its threads are kept by the saver."""
    graph = StateGraph(MessagesState)
    graph.add_node(NODE, lambda _: {})
    graph.add_edge(START, NODE)
    graph.add_edge(NODE, END)
    return graph.compile(checkpointer=saver)


def thread(session_id: str) -> dict[str, Any]:
    """The configuration that names a thread."""
    return {"configurable": {"thread_id": session_id}}


def update(messages: Sequence[Message]) -> dict[str, Any]:
    """The update of a state that adds these messages; raises NotRepresentable."""
    return {"messages": [encode(message) for message in messages]}


def said(state: Any) -> list[Message]:
    """The messages of a state; that of an unknown thread is empty."""
    return [decode(item) for item in state.values.get("messages", [])]


def encode(message: Message) -> Any:
    """The message as a ``BaseMessage``; raises NotRepresentable.

    The reducer gives each message an id, and puts one whose id is known in the old one's place.
    """
    if message.id is not None:
        raise no_place(message)
    return langchain.encode(message)


def decode(item: Any) -> Message:
    """The inverse of ``encode``."""
    return replace(langchain.decode(item), id=None)
