"""A process that opens a store and forks: ``python -m sessionproof.workload.forked_main``.

It reads one request as JSON from stdin, and answers one line: what parent and child appended at
the same time, each ``[text, outcome, error]``, and how the child ended. What the store prints goes
to stderr. It never runs inside a process of the harness: a fork there would copy its threads.
"""

from __future__ import annotations

import asyncio
import faulthandler
import itertools
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from sessionproof.contract.errors import Conflict
from sessionproof.contract.location import location_from_json
from sessionproof.contract.lookup import find_store
from sessionproof.contract.message import Message, from_json
from sessionproof.host.server import begun
from sessionproof.workload.awaiting import settled, waited
from sessionproof.workload.raised import in_a_line, outcome_of
from sessionproof.workload.texts import said

Line = tuple[str, str, str]

_ATTEMPTS = 40  # of an append that meets a Conflict


def _appended(append: Callable[[str], object], texts: Sequence[str]) -> list[Line]:
    lines: list[Line] = []
    for text in texts:
        try:
            _insisting(append, text)
            lines.append((text, "ok", ""))
        except BaseException as error:  # noqa: BLE001 - a store may raise anything
            outcome = outcome_of(error)
            failure = outcome.failure
            lines.append((text, outcome.type, failure.line[:300] if failure else ""))
    return lines


def _insisting(append: Callable[[str], object], text: str) -> None:
    """Append it; whoever meets a Conflict tries again, as a client would."""
    for attempt in itertools.count(1):
        try:
            append(text)
        except Conflict:
            if attempt == _ATTEMPTS:
                raise
            time.sleep(attempt / 10_000)
        else:
            break


class _Client:
    """The store on this side of the fork, with an event loop of its own."""

    def __init__(self, request: dict[str, Any]) -> None:
        self._loop = asyncio.new_event_loop()
        self._request = request
        self._sample: Message = from_json(request["sample"])
        self._times = request["first_us"]
        location = location_from_json(request)
        self.store = self._done(find_store(request["store"]).open(location))

    def leave_loop(self) -> None:
        """Go on with a new event loop, as every child must.

        The old one's selector and its wake-up pipe are shared with the parent: the child would
        take what wakes the parent.
        """
        self._loop = asyncio.new_event_loop()

    def append(self, text: str) -> None:
        """Append one message to the session that both sides use."""
        timed = self._sample.created_at_us is not None
        self._times += 1
        message = said(self._sample, text, at_us=self._times if timed else None)
        self._done(self.store.append(self._request["session"], [message]))

    def close(self) -> None:
        """Close the store."""
        self._done(self.store.close())

    def _done(self, value: Any) -> Any:
        return waited(value, lambda awaitable: self._loop.run_until_complete(settled(awaitable)))


def _child(client: _Client, request: dict[str, Any], pipe: int) -> None:
    """Append in the child and write what came of it into the pipe; never returns."""
    try:
        faulthandler.dump_traceback_later(request["child_s"], exit=True)
        client.leave_loop()
        lines = []
        if not request["inherits"]:
            own = request | {"first_us": request["first_us"] + 1_000}
            opened: list[_Client] = []
            lines = _appended(lambda _: opened.append(_Client(own)), ["to open"])
            client, lines = (opened[0], []) if opened else (client, lines)
        lines = lines or _appended(client.append, request["child"])
        with os.fdopen(pipe, "w", encoding="utf-8") as file:
            json.dump(lines, file)
        if not request["inherits"] and lines[0][0] != "to open":
            client.close()
    except BaseException:  # noqa: BLE001 - told by the exit code, and on stderr
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def forked(request: dict[str, Any]) -> dict[str, Any]:
    """Open, append once, fork, and append on both sides at the same time."""
    client = _Client(request)
    first = _appended(client.append, request["first"])
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _child(client, request, writing)
    os.close(writing)
    parent = _appended(client.append, request["parent"])
    with os.fdopen(reading, encoding="utf-8") as file:
        told = file.read()
    _, status = os.waitpid(child, 0)
    after = _appended(client.append, request["after"])
    client.close()
    return {
        "parent": [*first, *parent, *after],
        "child": json.loads(told) if told else [],
        "status": os.waitstatus_to_exitcode(status),
    }


def main() -> None:
    """Take the pipes and the import path, answer the one request."""
    channel = begun("sessionproof.workload.forked_main")
    request = json.loads(channel.receive())
    try:
        answer = forked(request)
    except BaseException as error:  # noqa: BLE001 - the store's, as it was opened or closed
        answer = {"refused": in_a_line(error)}
    channel.send(json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    main()
