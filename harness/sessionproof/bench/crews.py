"""Crews: so many clients in threads, tasks or processes, that are told to work at the same time."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

from sessionproof.bench.clients import Arguments, Block, Call, Did, Schedule, Shift, at_once, serve
from sessionproof.bench.floors import Synchronous
from sessionproof.contract.errors import Refused
from sessionproof.contract.location import Location, location_to_json
from sessionproof.contract.message import Message, to_json
from sessionproof.contract.operations import CRASH, HANG, Failure, Outcome
from sessionproof.host.process import Process, ProcessEnded, ProtocolError
from sessionproof.workload.threads import Stopped, Threads

T = TypeVar("T")
Append: TypeAlias = Callable[..., object]
Seat: TypeAlias = Callable[[Callable[[Append], Did]], Did]
"""Runs a client's work with the append that is its own, in the thread in which it may be called."""

_APART = 10**9  # between the numbers of the texts of one process and of the next
_GRACE_S = 5.0  # for a process to close its store after its last call


class CannotMeasure(Exception):
    """Something of ours ended the measurement, not the store; the text is a reason in one line."""


class ThreadCrew:
    """Clients in threads, one for each seat."""

    def __init__(self, seats: Sequence[Seat], arguments: Arguments, *, deadline_s: float) -> None:
        """``deadline_s`` bounds a single call."""
        self._seats = seats
        self._arguments = arguments
        self._deadline_s = deadline_s
        self._threads = Threads(len(seats))

    def work(self, shift: Shift) -> Block:
        """Do a shift with as many clients as it has sessions."""
        schedule = Schedule(shift.due, clients=len(shift.sessions)) if shift.due else None
        jobs = []
        for seat, session in zip(self._seats, shift.sessions, strict=False):
            take = schedule.take if schedule else at_once(shift.calls)
            arguments = partial(self._arguments, session)
            jobs.append(partial(seat, partial(_served, arguments, take, shift)))
        length_s = (shift.until_ns - shift.begin_ns) / 1e9
        did = self._threads.together(jobs, deadline_s=length_s + self._deadline_s)
        return Block(tuple(did), schedule.late_ns() if schedule else ())

    def close(self) -> None:
        """End the threads; what the seats use stays open."""
        self._threads.close()


def _served(
    arguments: Callable[[], tuple[Any, ...]],
    take: Callable[[], int | None],
    shift: Shift,
    append: Append,
) -> Did:
    return serve(append, arguments, take, shift)


class ProcessCrew:
    """Clients in processes of their own, each with the store and a floor opened on its own.

    Raises Stopped when the store does not open, hangs or ends its process; CannotMeasure for what
    is no fault of the store.
    """

    def __init__(
        self,
        store: str,
        location: Location,
        message: Message,
        *,
        number: int,
        floor: Path,
        synchronous: Synchronous,
        awaits: bool,
        open_s: float,
        operation_s: float,
    ) -> None:
        """Start them; ``awaits`` says that appends answer awaitables."""
        self._operation_s = operation_s
        self._threads = Threads(number)
        self._processes: list[Process] = []
        request = {
            "store": store,
            **location_to_json(location),
            "floor": os.fspath(floor),
            "synchronous": synchronous,
            "awaits": awaits,
            "message": to_json(message),
        }
        try:
            for _ in range(number):
                self._processes.append(Process(client_command()))
            asked = [{**request, "first": (1 + at) * _APART} for at in range(number)]
            self._ask(asked, "the opening of the store", open_s)
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise CannotMeasure(f"no process could be started: {error}") from None
            raise

    def work(self, arm: Literal["store", "floor"], shift: Shift) -> Block:
        """Do a shift of a closed loop with as many processes as it has sessions."""
        asked = {
            "arm": arm,
            "calls": shift.calls,
            "begin_ns": shift.begin_ns,
            "until_ns": shift.until_ns,
        }
        length_s = (shift.until_ns - shift.begin_ns) / 1e9
        answers = self._ask(
            [{**asked, "session": session} for session in shift.sessions],
            "appends",
            length_s + self._operation_s,
        )
        return Block(tuple(_did(answer) for answer in answers))

    def close(self) -> None:
        """Close the pipes, so that the processes close their stores and end; then end the rest."""
        self._threads.close()  # one of them may hang
        closing = Threads(len(self._processes))
        finish = [partial(process.finish, _GRACE_S) for process in self._processes]
        closing.together(finish, deadline_s=4 * _GRACE_S)
        closing.close()

    def _ask(self, requests: Sequence[object], asked: str, deadline_s: float) -> list[Any]:
        jobs = [
            partial(_exchange, process, json.dumps(request).encode() + b"\n", asked, deadline_s)
            for process, request in zip(self._processes, requests, strict=False)
        ]
        return self._threads.together(jobs, deadline_s=deadline_s + 4 * _GRACE_S)


def client_command() -> list[str]:
    """The command of one client, with this process's import path, for this folder."""
    paths = [f"--path={entry}" for entry in sys.path]
    return [sys.executable, "-m", "sessionproof.bench.client_main", *paths]


def _exchange(process: Process, line: bytes, asked: str, deadline_s: float) -> Any:
    try:
        answer = json.loads(process.exchange(line, asked, deadline_s=deadline_s))
    except ProtocolError as error:
        raise Stopped(Outcome("info", failure=Failure(HANG, str(error)))) from None
    except (ProcessEnded, Refused) as error:  # in the middle of the shift, or since the last one
        evidence = {"stderr": process.stderr_tail()}
        failure = Failure(CRASH, _in_a_line(str(error), process), evidence)
        raise Stopped(Outcome("info", failure=failure)) from None
    if "refused" in answer:
        raise Stopped(Outcome("fail", failure=Failure("CannotOpen", answer["refused"])))
    if "error" in answer:
        raise CannotMeasure(answer["error"])
    return answer


def _in_a_line(text: str, process: Process) -> str:
    """How the process ended, with the last line that it wrote to stderr."""
    last = process.stderr_tail().strip().splitlines()[-1:]
    return text.partition(" [")[0] + (f"; its last line: {last[0][:300]}" if last else "")


def _did(answer: dict[str, Any]) -> Did:
    return Did(tuple(Call(*call) for call in answer["calls"]), tuple(answer["said"]))
