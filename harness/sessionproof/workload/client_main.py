"""The program of a client process: ``python -m sessionproof.workload.client_main``.

It reads one request a line, as JSON, and answers each with one line: ``open`` a store by its name,
``work`` on a job of a round, ``close`` the store again; then it may open another. Without any that
is open it answers what ``visitors.py`` asks. It ends when its stdin does. What the store prints
goes to stderr.

The store lives in a guarded handle of this process, so that a call that hangs is told with its
stack. Should not even this process be able to speak, it writes its stacks to stderr before it is
ended.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from sessionproof.contract.location import location_from_json
from sessionproof.contract.lookup import StoreNotFound, find_store
from sessionproof.contract.operations import Outcome
from sessionproof.history.columns import F, Phase
from sessionproof.host.server import Channel, begun
from sessionproof.workload import visitors
from sessionproof.workload.client import Job
from sessionproof.workload.guard import CannotOpen, Handle, outcome_of
from sessionproof.workload.meeting import OfProcesses
from sessionproof.workload.profiles import Deadlines
from sessionproof.workload.rounds import Call
from sessionproof.workload.seats import ThreadSeats, longest_of, setting_from_json

JSON = dict[str, Any]


class Desk:
    """The one place of this process, and who sits there."""

    def __init__(self) -> None:
        self._seats: ThreadSeats | None = None
        self._handle: Handle | None = None

    def answer(self, request: JSON) -> JSON:
        """The answer to any request; ``error`` is a mistake of ours."""
        try:
            match request["do"]:
                case "open":
                    return self._open(request)
                case "work":
                    return self._work(request)
                case "find" | "visit":
                    return visitors.answer(request)
                case _:
                    return self._close()
        except (CannotOpen, StoreNotFound) as refusal:
            return {"refused": " ".join(str(refusal).split())}
        except Exception as error:  # noqa: BLE001 - calls of the store are caught singly
            return {"error": told(outcome_of(error))}

    def _open(self, request: JSON) -> JSON:
        deadlines = Deadlines(operation_s=request["operation_s"], open_s=request["open_s"])
        location = location_from_json(request)
        spec = find_store(request["store"])
        self._handle = Handle(spec, location, deadlines=deadlines)
        self._seats = ThreadSeats([self._handle], _no_other, operation_s=deadlines.operation_s)
        return {}

    def _work(self, request: JSON) -> JSON:
        if self._seats is None:
            raise RuntimeError("no store is open")
        path, place = request["meetings"]
        job = job_from_json(request["job"])
        meetings = OfProcesses(Path(path), place, longest_s=longest_of([job]))
        setting = replace(
            setting_from_json(request), begin_ns=request["begin_ns"], meet=meetings.meet
        )
        faulthandler.dump_traceback_later(request["patience_s"], exit=False)
        try:
            stopped = self._seats.work([job], setting)
        finally:
            meetings.close()
            faulthandler.cancel_dump_traceback_later()
        return {
            "ids": setting.ids,
            "frames": setting.frames,
            "stopped": None if stopped is None else outcome_json(stopped),
        }

    def _close(self) -> JSON:
        handle, self._handle, self._seats = self._handle, None, None
        closed = Outcome("ok") if handle is None else handle.close()
        return {"closed": "" if closed.type == "ok" else told(closed)}


def outcome_json(outcome: Outcome) -> JSON:
    """An outcome without its value, for another process."""
    failure = outcome.failure
    shown = (failure.type, failure.text, dict(failure.evidence)) if failure else None
    return {"type": outcome.type, "failure": shown}


def told(outcome: Outcome) -> str:
    """How it failed, in a line."""
    failure = outcome.failure
    return failure.line if failure else outcome.type


def job_from_json(given: JSON) -> Job:
    """A job from the form in which another process is given it: its fields."""
    calls = (Call(F(f), session, n, Phase(phase)) for f, session, n, phase in given["program"])
    return Job(**{**given, "program": tuple(calls)})


def _no_other() -> Handle:
    raise CannotOpen("a client process has one handle")


def main() -> None:
    """Take the pipes, then the import path that the command line gives, then serve."""
    channel = begun("sessionproof.workload.client_main")
    faulthandler.enable()
    serve(channel)
    sys.stdout.flush()
    os._exit(0)  # what hangs in a thread does not keep the process


def serve(channel: Channel) -> None:
    """Answer requests until there are no more, and close what is open."""
    desk = Desk()
    while line := channel.receive():
        channel.send(json.dumps(desk.answer(json.loads(line))).encode() + b"\n")
    desk.answer({"do": "close"})


if __name__ == "__main__":
    main()
