"""Clients that are processes: asked by lines, from the pool, each with the store opened for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from sessionproof.contract.clock import monotonic_ns
from sessionproof.contract.errors import Refused
from sessionproof.contract.location import Location, location_to_json
from sessionproof.contract.operations import CRASH, HANG, Failure, Outcome
from sessionproof.host.process import Process, ProcessEnded, ProtocolError
from sessionproof.workload.client import Job
from sessionproof.workload.guard import CannotOpen
from sessionproof.workload.meeting import prepared
from sessionproof.workload.pool import POOL, exchange, started
from sessionproof.workload.profiles import Deadlines
from sessionproof.workload.seats import Setting, setting_to_json
from sessionproof.workload.threads import Stopped, Threads

T = TypeVar("T")
JSON = dict[str, Any]

_GRACE_S = 10.0  # beyond every deadline of the process's own
_START_S = 60.0  # for a process to start, on a machine however busy
_CLOSE = {"do": "close"}  # what is open; nothing need be
_SOON_NS = 3_000_000  # from the order to the common start: all have heard it by then


class ProcessSeats:
    """Clients in processes of their own. Opening them raises CannotOpen and Stopped."""

    def __init__(
        self, store: str, location: Location, *, number: int, deadlines: Deadlines
    ) -> None:
        """``store`` is its name, by which each process finds it."""
        self._deadlines = deadlines
        self._fresh = partial(ProcessSeats, store, location, number=1, deadlines=deadlines)
        self._processes = POOL.take(number)
        self._threads = Threads(number)
        opening = {
            "do": "open",
            "store": store,
            **location_to_json(location),
            "operation_s": deadlines.operation_s,
            "open_s": deadlines.open_s,
        }
        try:
            self._each(self._open, [opening] * number, deadlines.open_s + _GRACE_S)
        except BaseException:
            self.close()
            raise

    def work(self, jobs: Sequence[Job], setting: Setting) -> Outcome | None:
        """As in ``Seats``."""
        begin_ns = monotonic_ns() + (_SOON_NS if len(jobs) > 1 else 0)
        path = prepared(setting.folder / "meetings", len(jobs))
        requests = [
            {**_ordered(job, setting, begin_ns, self._deadlines), "meetings": [os.fspath(path), at]}
            for at, job in enumerate(jobs)
        ]
        last_s = max(job.budget_s for job in jobs) + 2 * self._deadlines.operation_s + _GRACE_S
        answers = self._each(self._ask, requests, last_s)
        for answer in answers:
            for place, session in enumerate(answer.get("ids", ())):
                setting.ids[place] = session or setting.ids[place]
            setting.frames.update(answer.get("frames", {}))
        stopped = [answer["stopped"] for answer in answers if answer["stopped"] is not None]
        return _joined(stopped) if stopped else None

    def fresh(self) -> ProcessSeats:
        """As in ``Seats``."""
        return self._fresh()

    def close(self) -> None:
        """As in ``Seats``; the processes go back to the pool."""
        processes, self._processes = self._processes, []
        self._threads.close()
        closing = Threads(len(processes))
        last_s = self._deadlines.operation_s + _GRACE_S
        try:
            closing.together(
                [partial(_close, process, last_s) for process in processes],
                deadline_s=last_s + _GRACE_S,
            )
        finally:
            closing.close()
            POOL.give(processes)

    def _each(
        self, ask: Callable[[int, JSON, float], T], requests: Sequence[JSON], last_s: float
    ) -> list[T]:
        jobs = [partial(ask, at, request, last_s) for at, request in enumerate(requests)]
        return self._threads.together(jobs, deadline_s=last_s + 2 * _START_S)

    def _open(self, at: int, request: JSON, last_s: float) -> None:
        self._processes[at] = _lively(self._processes[at])
        answer = self._ask(at, request, last_s)
        if answer.get("stopped") is not None:
            raise Stopped(_joined([answer["stopped"]]))
        if "refused" in answer:
            raise CannotOpen(f"in another process: {answer['refused']}")

    def _ask(self, at: int, request: JSON, last_s: float) -> JSON:
        """The answer; one whose process hung or ended is made here."""
        process = self._processes[at]
        try:
            answer = exchange(process, request, last_s)
        except (ProcessEnded, ProtocolError, Refused) as error:
            return {"stopped": _ended(process, error)}
        if answer.get("stopped") is not None:
            process.kill()  # something in it still hangs
        return answer


def _lively(process: Process) -> Process:
    """The process, or another one if it has ended while it was idle."""
    try:
        exchange(process, _CLOSE, _START_S)
    except (ProcessEnded, ProtocolError, Refused):
        process = started()
        try:
            exchange(process, _CLOSE, _START_S)
        except (ProcessEnded, ProtocolError, Refused) as error:
            raise RuntimeError(f"no client process can be started: {error}") from None
    return process


def _ordered(job: Job, setting: Setting, begin_ns: int, deadlines: Deadlines) -> JSON:
    """The request that a process does this job."""
    return {
        "do": "work",
        **setting_to_json(setting),
        "job": vars(job),
        "begin_ns": begin_ns,
        "patience_s": job.budget_s + 2 * deadlines.operation_s + _GRACE_S / 2,
    }


def _ended(process: Process, error: Exception) -> JSON:
    """What is known of a process that answers no more, as an outcome in JSON."""
    stderr = process.stderr_tail()
    sort = HANG if isinstance(error, ProtocolError) else CRASH
    last = stderr.strip().splitlines()[-1:] if sort == CRASH else []
    text = str(error).partition(" [")[0].partition("\n")[0]
    text += f"; its last line: {last[0][:300]}" if last else ""
    return {"type": "info", "failure": (sort, text, {"stderr": stderr})}


def _joined(stopped: Sequence[JSON]) -> Outcome:
    """The first of these outcomes, with the evidence of all that ended in the same way."""
    sort, text, _ = stopped[0]["failure"]
    alike = [failure[2] for one in stopped if (failure := one["failure"])[0] == sort]
    evidence: dict[str, str] = {}
    for at, further in enumerate(alike):
        evidence |= {f"{name} ({at + 1})" if name in evidence else name: told
                     for name, told in further.items()}  # fmt: skip
    return Outcome(stopped[0]["type"], failure=Failure(sort, text, evidence))


def _close(process: Process, last_s: float) -> None:
    if process.end is None:
        with suppress(ProcessEnded, ProtocolError, Refused):  # closing is judged elsewhere
            exchange(process, _CLOSE, last_s)
