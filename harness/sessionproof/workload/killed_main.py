"""A process that forks clients and kills them: ``python -m sessionproof.workload.killed_main``.

It imports everything, the store's module included, opens nothing, and reads one request a line, as
JSON: a queue of clients, of which so many work at the same time, each in a fork of this process.
Some are to die. A client tells when it comes to the call at which it dies, and a moment later
SIGKILL takes it, or the process behind its ``cmd:`` store, or everybody who is alive. Whoever ends
makes room for the next. The answer is one line. What the store prints goes to stderr.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.location import location_from_json
from sessionproof.contract.lookup import StoreNotFound, StoreSpec, find_store
from sessionproof.host.client import HostedStore
from sessionproof.host.server import Channel, begun
from sessionproof.workload.client_main import job_from_json, outcome_json
from sessionproof.workload.guard import CannotOpen, Handle
from sessionproof.workload.profiles import Deadlines
from sessionproof.workload.seats import ThreadSeats, raw, setting_from_json

JSON = dict[str, Any]
Say = Callable[[JSON], None]

OPENING = -1
"""The call at which a client dies that dies while it opens the store."""


@dataclass
class _Child:
    """A client that is alive. ``groups`` are the processes behind its store, if it has any."""

    place: int
    pid: int
    pipe: int
    death: JSON | None
    until_s: float
    groups: tuple[int, ...] = ()
    killed: bool = False
    heard: bytes = b""
    told: JSON | None = None


class Yard:
    """The clients of one queue."""

    def __init__(self, request: JSON, spec: StoreSpec, channel: Channel) -> None:
        self._request = request
        self._spec = spec
        self._channel = channel
        self._alive: dict[int, _Child] = {}  # by pipe
        self._ended: dict[int, JSON] = {}

    def work(self) -> list[JSON]:
        """Let all clients live, and answer in their order how each ended."""
        waiting = deque(enumerate(self._request["clients"]))
        try:
            while waiting or self._alive:
                while waiting and len(self._alive) < self._request["beside"]:
                    self._start(*waiting.popleft())
                self._look()
        finally:
            for child in [*self._alive.values()]:
                self._kill(child, at_once=True)
        return [self._ended[place] for place in sorted(self._ended)]

    def _start(self, place: int, given: JSON) -> None:
        reading, writing = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            for other in self._alive:
                os.close(other)
            self._channel.answers.close()
            _live(self._request, self._spec, given, writing)
        os.close(writing)
        until_s = monotonic_s() + self._request["child_s"]
        self._alive[reading] = _Child(place, pid, reading, given["death"], until_s)

    def _look(self) -> None:
        """Hear whoever speaks next; end whoever is too late."""
        soonest = min(child.until_s for child in self._alive.values())
        ready, _, _ = select.select([*self._alive], [], [], max(0.0, soonest - monotonic_s()))
        for pipe in ready:
            if pipe in self._alive:  # another one's death may have taken it
                self._hear(self._alive[pipe])
        for child in [*self._alive.values()]:
            if monotonic_s() >= child.until_s:
                self._kill(child, at_once=True, late=True)

    def _hear(self, child: _Child) -> None:
        data = os.read(child.pipe, 1 << 16)
        child.heard += data
        *lines, child.heard = child.heard.split(b"\n")
        for line in lines:
            said = json.loads(line)
            if "groups" in said:
                child.groups = tuple(said["groups"])
            elif "now" in said:
                self._strike(child)
            else:
                child.told = said
        if child.pipe in self._alive and (not data or child.told is not None):
            self._bury(child)

    def _strike(self, child: _Child) -> None:
        death = child.death
        if death is None:
            return
        time.sleep(death["wait_us"] / 1e6)
        struck = [*self._alive.values()] if death["everyone"] else [child]
        for one in struck:
            self._kill(one)

    def _kill(self, child: _Child, *, at_once: bool = False, late: bool = False) -> None:
        """SIGKILL; a client whose store is a process lives on, and tells what it saw of that."""
        child.killed = not late
        for group in child.groups:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
        if at_once or not child.groups:
            with suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGKILL)
            self._bury(child, late=late)

    def _bury(self, child: _Child, *, late: bool = False) -> None:
        del self._alive[child.pipe]
        os.close(child.pipe)
        _, status = os.waitpid(child.pid, 0)
        told = child.told or {}
        by_us = os.waitstatus_to_exitcode(status) == -signal.SIGKILL
        if child.groups:  # what was killed is the store's process: the client saw it end
            by_us = told.get("stopped") is not None or "refused" in told
        self._ended[child.place] = {
            **told,
            "killed": child.killed and by_us,
            "late": late,
            "status": os.waitstatus_to_exitcode(status),
        }


def _live(request: JSON, spec: StoreSpec, given: JSON, pipe: int) -> NoReturn:
    """A client's life, in the fork: open, work, close, tell; never returns."""
    code = 1  # a store may have closed the pipe: nothing can be told then, but that

    def say(words: JSON) -> None:
        os.write(pipe, json.dumps(words).encode() + b"\n")

    try:
        try:
            say(_lived(request, spec, given, say))
        except (CannotOpen, StoreNotFound) as refusal:
            say({"refused": " ".join(str(refusal).split())})
        except BaseException:  # noqa: BLE001 - ours: calls of the store are caught singly
            say({"error": traceback.format_exc()[-2_000:]})
        code = 0
    finally:
        os._exit(code)  # whatever was raised: what follows is the parent's, who ends the others


def _lived(request: JSON, spec: StoreSpec, given: JSON, say: Say) -> JSON:
    after = given["death"]["after"] if given["death"] else None
    deadlines = Deadlines(operation_s=request["operation_s"], open_s=request["open_s"])
    location = location_from_json(request)
    if after == OPENING:
        say({"now": True})
    handles: list[Handle] = []
    try:
        for _ in given["jobs"]:
            handles.append(Handle(spec, location, deadlines=deadlines))  # noqa: PERF401 - closed
        stores = [raw(handle) for handle in handles]
        groups = [store.pid for store in stores if isinstance(store, HostedStore)]
        if groups:
            say({"groups": groups})

        def reached() -> bool:
            say({"now": True})
            return True

        if after == 0:
            reached()
        setting = replace(
            setting_from_json(request),
            meet=reached if after is not None and after > 0 else _nobody,
            mortal=True,
        )
        seats = ThreadSeats(handles, _no_other, operation_s=deadlines.operation_s)
        stopped = seats.work([job_from_json(job) for job in given["jobs"]], setting)
    finally:
        for handle in handles:
            handle.close()
    return {
        "ids": setting.ids,
        "stopped": None if stopped is None else outcome_json(stopped),
    }


def _nobody() -> bool:
    return False


def _no_other() -> Handle:
    raise CannotOpen("a client has one handle")


def served(request: JSON, channel: Channel) -> JSON:
    """The answer to one request: how each client ended, or why none was started."""
    try:
        spec = find_store(request["store"])
    except StoreNotFound as error:
        return {"impossible": str(error)}
    if threading.active_count() > 1:
        return {"impossible": "importing the store starts threads, which a fork would not have"}
    return {"ended": Yard(request, spec, channel).work()}


def main() -> None:
    """Take the pipes, then the import path that the command line gives, then serve."""
    channel = begun("sessionproof.workload.killed_main")
    while line := channel.receive():
        channel.send(json.dumps(served(json.loads(line), channel)).encode() + b"\n")


if __name__ == "__main__":
    main()
