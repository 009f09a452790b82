"""Sessions as chats: JSON Lines, each an object with the ``messages`` of OpenAI's chat API."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from sessionproof.contract.errors import Refused
from sessionproof.reference.exchange.chat_items import NO_ROLE, from_item, to_items
from sessionproof.reference.exchange.conversations import Conversation, Item, Tally
from sessionproof.reference.exchange.lines import Line, lines_of

_NO_PLACE = ("owner", "title", "metadata", "idle_timeout_us", "hard_deadline_us")


def write(conversations: Iterable[Conversation], file: TextIO, tally: Tally) -> None:
    """Write a line for each session; what a chat has no place for is counted in the tally."""
    for one in tally.counted(conversations):
        for name in _NO_PLACE:
            if name in one.facts:
                tally.leave_out(f"{name} of sessions")
        if one.state:
            tally.leave_out("state of sessions")
        items = to_items((item.message for item in one.messages), tally.leave_out)
        line = {"session_id": one.session_id}
        line |= {"model": one.facts["llm_model"]} if "llm_model" in one.facts else {}
        file.write(json.dumps({**line, "messages": items}, separators=(",", ":")) + "\n")
    tally.messages -= tally.left_out.get(NO_ROLE, 0)


def read(path: Path) -> Iterator[Conversation]:
    """The chats of such a file; raises ``Refused`` that names the line."""
    for line in lines_of(path):
        session_id, model = line.value.get("session_id"), line.value.get("model")
        if session_id is not None and type(session_id) is not str:
            raise line.refused("session_id must be a string")
        if type(line.value.get("messages")) is not list:
            raise line.refused("messages must be a list")
        facts = {"llm_model": model} if type(model) is str else {}
        yield Conversation(session_id, _items(line), facts)


def _items(line: Line) -> Iterator[Item]:
    for number, item in enumerate(line.value["messages"], 1):
        try:
            if not isinstance(item, dict):
                raise Refused("it is no object")
            for message in from_item(item):
                yield Item(message)
        except (ValueError, Refused) as error:
            raise line.refused(f"message {number}: {error}") from error
