"""Many states judged by processes that are kept: a store that ends or hangs one ends no more.

States go to the processes in small batches. A batch that its process did not survive is judged
again state by state, so that the one that is to blame is known.
"""

from __future__ import annotations

import atexit
import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from sessionproof.checks.flaws import Flaw
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.errors import Refused
from sessionproof.faults.crashes.states import State
from sessionproof.faults.recording import Recording
from sessionproof.host.process import Process, ProcessEnded, ProtocolError
from sessionproof.trials.crashes.survival import Survived
from sessionproof.trials.crashes.survival_main import state_to_json
from sessionproof.workload.guard import CannotOpen, FlightRecorder
from sessionproof.workload.pool import Pool, exchange

JSON = dict[str, Any]

_BATCH_S, _BATCH_MOST = 0.1, 32  # a batch takes about so long
_START_S, _GRACE_S = 60.0, 10.0  # for a process to start; beyond all deadlines of its own
_HANGS = 2  # each costs its whole deadline
_DEATHS = 30  # each costs the start of a process
_USED_MOST = 2_000  # states in one process: what a store leaks shall not add up


POOL = Pool("sessionproof.trials.crashes.survival_main")
"""The processes of this process; they end with it."""

atexit.register(POOL.close)


def judged(
    recording: Recording,
    states: Iterable[State],
    *,
    workers: int,
    operation_s: float,
    on_progress: Callable[[int], None] | None = None,
) -> Iterator[Survived]:
    """What each of these states shows, in their order, judged by so many processes at once.

    ``operation_s`` bounds each call of the store in seconds. ``on_progress`` is told how many are
    judged. A state that the process of the store did not survive has the flaw ``CRASH``. After
    two hangs, or thirty such ends, nothing further is judged. Raises CannotOpen where the store
    does not open at an empty location, RuntimeError where the states cannot be written.
    """
    order = _Order(operation_s)
    done = hangs = deaths = 0
    with tempfile.TemporaryDirectory(prefix="judged-", dir=recording.folder) as scratch:
        seats = [_Seat(recording, Path(scratch), at, order) for at in range(workers)]
        free: SimpleQueue[_Seat] = SimpleQueue()
        for seat in seats:
            free.put(seat)
        threads = ThreadPoolExecutor(workers, thread_name_prefix="judging")
        try:
            for survived in _in_order(threads, free, iter(states), workers, order):
                done += 1
                hangs += survived.hung
                deaths += any(flaw.anomaly is Anomaly.CRASH for flaw in survived.flaws)
                if on_progress is not None:
                    on_progress(done)
                yield survived
                if hangs >= _HANGS or deaths >= _DEATHS:
                    return
        finally:
            order.ended = True
            threads.shutdown(wait=True, cancel_futures=True)
            POOL.give([seat.process for seat in seats if seat.process is not None])


class _Order:
    """What all seats share: deadlines, how long a state takes, and whether all is over."""

    def __init__(self, operation_s: float) -> None:
        self.operation_s = operation_s
        self.open_s = 1.5 * operation_s
        self.state_s = _BATCH_S
        self.ended = False

    @property
    def longest_s(self) -> float:
        """The longest that one state may take: two openings that hang, and a call."""
        return 2 * self.open_s + self.operation_s + _GRACE_S

    @property
    def size(self) -> int:
        """How many states the next batch has."""
        return max(1, min(_BATCH_MOST, round(_BATCH_S / max(self.state_s, 1e-6))))


def _in_order(
    threads: ThreadPoolExecutor,
    free: SimpleQueue[_Seat],
    states: Iterator[State],
    workers: int,
    order: _Order,
) -> Iterator[Survived]:
    """Keep every seat busy, and answer in the order of the states."""
    waiting: deque[Future[list[Survived]]] = deque()
    while True:
        while len(waiting) < 2 * workers and (batch := [*islice(states, order.size)]):
            waiting.append(threads.submit(_judge, free, batch))
        if not waiting:
            return
        yield from waiting.popleft().result()


def _judge(free: SimpleQueue[_Seat], batch: Sequence[State]) -> list[Survived]:
    seat = free.get()
    try:
        return seat.judge(batch)
    finally:
        free.put(seat)


class _Seat:
    """One process at a time, with the recording open in it."""

    def __init__(self, recording: Recording, scratch: Path, at: int, order: _Order) -> None:
        self.process: Process | None = None
        self._folder = scratch / f"seat-{at}"
        self._folder.mkdir()
        self._note = scratch / f"note-{at}"
        self._order = order
        self._opening = {
            "do": "open",
            "recording": os.fspath(recording.folder.absolute()),
            "parent": os.fspath(self._folder.absolute()),
            "note": os.fspath(self._note.absolute()),
            "operation_s": order.operation_s,
            "open_s": order.open_s,
        }

    def judge(self, batch: Sequence[State]) -> list[Survived]:
        """What each state shows; fewer where one hung and all is over."""
        out: list[Survived] = []
        together = True
        while len(out) < len(batch) and not self._order.ended:
            rest = batch[len(out) :]
            answered = self._ask(rest if together else rest[:1])
            together = together and bool(answered)
            out += answered
        return out

    def _ask(self, states: Sequence[State]) -> list[Survived]:
        """What the process says of them, up to the first that hung; nothing if it did not live."""
        process = self._ready()
        begun_s = monotonic_s()
        request = {
            "do": "judge",
            "states": [state_to_json(state) for state in states],
            "patience_s": self._order.longest_s - _GRACE_S / 2,
        }
        try:
            answer = exchange(process, request, self._order.longest_s + len(states))
        except (ProcessEnded, ProtocolError, Refused) as error:
            self.process = None
            return [] if len(states) > 1 else [self._dead(states[0], process, error)]
        told = answer["told"]
        self._order.state_s = (monotonic_s() - begun_s) / len(told)
        if told[-1]["hung"] or answer["used"] >= _USED_MOST:
            self.process = None
            process.kill()
        return [_survived(state, one) for state, one in zip(states, told, strict=False)]

    def _ready(self) -> Process:
        """The process with the recording open; another one where the last has ended."""
        if self.process is not None:
            return self.process
        for taken in (POOL.take(1)[0], None):  # one that was idle may have ended meanwhile
            process = taken or POOL.start()
            try:
                answer = exchange(process, self._opening, _START_S + self._order.longest_s)
            except (ProcessEnded, ProtocolError, Refused) as error:
                reason = error
                continue
            if "refused" in answer:
                POOL.give([process])
                raise CannotOpen(answer["refused"])
            self.process = process
            return process
        raise CannotOpen(f"the process that judges ended: {reason}")

    def _dead(self, state: State, process: Process, error: Exception) -> Survived:
        """A state that its process did not survive."""
        hung = isinstance(error, ProtocolError)
        note = FlightRecorder.last_note(self._note)
        flaw = Flaw(
            anomaly=Anomaly.HANG if hung else Anomaly.CRASH,
            aspect="open" if note.startswith("open(") else "read",
            expected=f"an answer to {note}",
            seen=str(error).partition(" [")[0].partition("\n")[0],
            when="open" if note.startswith("open(") else "read",
            evidence={"stderr": process.stderr_tail()},
        )
        return Survived(state=state, flaws=(flaw,), opened_s=None, hung=hung)


def _survived(state: State, told: JSON) -> Survived:
    flaws = tuple(Flaw(**{**one, "anomaly": Anomaly(one["anomaly"])}) for one in told["flaws"])
    return Survived(state=state, flaws=flaws, opened_s=told["opened_s"], hung=told["hung"])
