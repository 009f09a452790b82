"""Sessions as JSON Lines, with all that is kept of them: nothing is lost on the way back.

A line is an object with one key: ``sessionproof`` begins the file, ``session`` a session, whose
``message`` lines follow, and ``end`` says how much there was, so that a file that was cut is told.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from sessionproof.contract.errors import Refused
from sessionproof.contract.message import from_json, to_json
from sessionproof.reference.exchange.conversations import (
    Conversation,
    Item,
    Tally,
    checked_facts,
)
from sessionproof.reference.exchange.lines import Line, lines_of

FORM = 1
_ITEM = ("seq", "appended_at_us")


def write(conversations: Iterable[Conversation], file: TextIO, tally: Tally) -> None:
    """Write all of it; ASCII alone, so that every text is kept."""
    _put(file, {"sessionproof": {"form": FORM}})
    for one in tally.counted(conversations):
        session = {"session_id": one.session_id, **one.facts}
        session |= {"state": dict(one.state)} if one.state else {}
        session |= {} if one.count is None else {"message_count": one.count}
        _put(file, {"session": session})
        for item in one.messages:
            _put(file, {"message": to_json(item.message) | _numbered(item)})
    _put(file, {"end": {"sessions": tally.sessions, "messages": tally.messages}})


def read(path: Path) -> Iterator[Conversation]:
    """The sessions of such a file; the messages of one are read before the next is asked for.

    Raises ``Refused`` that names the line.
    """
    tally = Tally()
    yield from tally.counted(_Reader(path).conversations(tally))


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = lines_of(path)
        self._ahead: Line | None = None

    def conversations(self, tally: Tally) -> Iterator[Conversation]:
        self._begin()
        while True:
            line = self._next()
            if line is None:
                raise Refused(f"{self._path} ends too early: its last line is missing")
            if "end" in line.value:
                self._finish(line, tally)
                return
            if "session" not in line.value:
                raise line.refused("a session was expected")
            yield self._conversation(line)

    def _begin(self) -> None:
        line = self._next()
        if line is None:
            raise Refused(f"{self._path} is empty: an export begins with a line that says so")
        form = line.only("sessionproof").get("form")
        if form != FORM:
            raise Refused(f"{self._path} is of form {form!r}, this release reads {FORM}")

    def _conversation(self, line: Line) -> Conversation:
        given = dict(line.only("session"))
        session_id, count = given.pop("session_id", None), given.pop("message_count", None)
        state = given.pop("state", {})
        if session_id is not None and type(session_id) is not str:
            raise line.refused("session_id must be a string")
        if type(state) is not dict:
            raise line.refused("state must be an object")
        try:
            facts = checked_facts(given)
        except Refused as error:
            raise line.refused(str(error)) from error
        return Conversation(session_id, self._items(), facts, state, count)

    def _items(self) -> Iterator[Item]:
        while (line := self._next()) is not None:
            if "message" not in line.value:
                self._ahead = line
                return
            given = dict(line.only("message"))
            seq, appended_at_us = (given.pop(name, None) for name in _ITEM)
            for name, value in zip(_ITEM, (seq, appended_at_us), strict=True):
                if value is not None and type(value) is not int:
                    raise line.refused(f"{name} must be an integer")
            try:
                yield Item(from_json(given), seq, appended_at_us)
            except ValueError as error:
                raise line.refused(str(error)) from error

    def _finish(self, line: Line, tally: Tally) -> None:
        said = line.only("end")
        found = {"sessions": tally.sessions, "messages": tally.messages}
        if said != found:
            raise line.refused(f"it says {said}, and there were {found}")
        if self._next() is not None:
            raise line.refused("something follows the end")

    def _next(self) -> Line | None:
        line, self._ahead = self._ahead, None
        return next(self._lines, None) if line is None else line


def _numbered(item: Item) -> dict[str, Any]:
    given = {"seq": item.seq, "appended_at_us": item.appended_at_us}
    return {name: value for name, value in given.items() if value is not None}


def _put(file: TextIO, value: dict[str, Any]) -> None:
    file.write(json.dumps(value, separators=(",", ":")) + "\n")
