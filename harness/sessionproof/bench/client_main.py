"""The program of a client that is a process: ``python -m sessionproof.bench.client_main``.

It reads one request a line, as JSON, and answers each with one line. The first request opens the
store by its name, and a floor; each further one is a shift (``crews.ProcessCrew``). It ends when
its stdin does. What the store prints goes to stderr.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sessionproof.bench.clients import (
    Appends,
    Did,
    Shift,
    at_once,
    at_once_awaiting,
    serve,
    serve_awaiting,
    sleep_until,
)
from sessionproof.bench.floors import Floor
from sessionproof.contract.location import location_from_json
from sessionproof.contract.lookup import find_store
from sessionproof.contract.message import from_json
from sessionproof.host.server import Channel, begun
from sessionproof.workload.awaiting import settled, waited
from sessionproof.workload.raised import in_a_line
from sessionproof.workload.texts import ZEROS


@dataclass(frozen=True)
class Client:
    """An open store and a floor; ``runner`` is there when its appends answer awaitables."""

    store: Any
    floor: Floor
    runner: asyncio.Runner
    awaits: bool
    appends: Appends

    def work(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request for a shift."""
        shift = Shift(
            sessions=(request["session"],),
            begin_ns=request["begin_ns"],
            until_ns=request["until_ns"],
            calls=request["calls"],
        )
        did = self._did(request["arm"], shift)
        return {"calls": did.calls, "said": did.said}

    def _did(self, arm: str, shift: Shift) -> Did:
        session = shift.sessions[0]
        if arm == "floor":
            given = (session, ZEROS)
            return serve(self.floor.append, lambda: given, at_once(shift.calls), shift)
        append, appends = self.store.append, self.appends
        if not self.awaits:
            return serve(append, lambda: appends(session), at_once(shift.calls), shift)

        async def awaiting() -> Did:
            return await serve_awaiting(
                append, lambda: appends(session), at_once_awaiting(shift.calls), shift
            )

        sleep_until(shift.begin_ns)
        return self.runner.run(awaiting())

    def close(self) -> None:
        """Close both."""
        self.floor.close()
        _settled(self.runner, self.store.close())
        self.runner.close()


class _DoesNotOpen(Exception):
    """The store did not open; the text is why, in one line."""


def opened(request: dict[str, Any]) -> Client:
    """The client that the first request asks for."""
    floor = Floor(Path(request["floor"]), synchronous=request["synchronous"])
    location = location_from_json(request)
    runner = asyncio.Runner()
    try:
        store = _settled(runner, find_store(request["store"]).open(location))
    except BaseException as error:
        floor.close()
        raise _DoesNotOpen(in_a_line(error)) from error
    appends = Appends(from_json(request["message"]), request["first"])
    return Client(store, floor, runner, request["awaits"], appends)


def answer_all(channel: Channel) -> None:
    """Answer requests until there are no more."""
    client: Client | None = None
    while line := channel.receive():
        request = json.loads(line)
        try:
            if client is None:
                client = opened(request)
                gc.freeze()
                gc.disable()  # as in the harness's own rounds; the process lives for seconds
                answer: dict[str, Any] = {"ok": True}
            else:
                answer = client.work(request)
        except _DoesNotOpen as refusal:
            answer = {"refused": str(refusal)}
        except Exception as error:  # noqa: BLE001 - of ours: calls of the store are caught singly
            answer = {"error": in_a_line(error)}
        channel.send(json.dumps(answer).encode() + b"\n")
        if client is not None:
            client.appends.stock()
    if client is not None:
        with contextlib.suppress(Exception):  # closing is judged elsewhere
            client.close()


def _settled(runner: asyncio.Runner, value: Any) -> Any:
    return waited(value, lambda awaitable: runner.run(settled(awaitable)))


def main() -> None:
    """Take the pipes, then the import path that the command line gives, then serve."""
    channel = begun("sessionproof.bench.client_main")
    answer_all(channel)


if __name__ == "__main__":
    main()
