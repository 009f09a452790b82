"""Threads that stay, and are told to work at the same time."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.operations import HANG, Failure, Outcome

T = TypeVar("T")


class Stopped(Exception):
    """The store ended the measurement: a call hung, or its process ended; ``outcome`` says it."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.failure.text if outcome.failure else "")
        self.outcome = outcome


class Threads:
    """Threads that stay, so that what a store keeps for each thread is made once."""

    def __init__(self, number: int) -> None:
        self._wanted: list[SimpleQueue[Callable[[], Any] | None]] = [
            SimpleQueue() for _ in range(number)
        ]
        self._answers: list[SimpleQueue[Any]] = [SimpleQueue() for _ in range(number)]
        self._threads = [
            threading.Thread(target=_obey, args=both, name=f"client-{at}", daemon=True)
            for at, both in enumerate(zip(self._wanted, self._answers, strict=True))
        ]
        for thread in self._threads:
            thread.start()

    def together(self, jobs: Sequence[Callable[[], T]], *, deadline_s: float) -> list[T]:
        """Run each job in a thread of its own; their answers, in order.

        Raises what a job raises, the first in order, when all have ended; and Stopped with the
        stack of a thread that has not answered in time, after which the threads are of no use.
        """
        for wanted, job in zip(self._wanted, jobs, strict=False):
            wanted.put(job)
        until = monotonic_s() + deadline_s
        answers = [self._answer(at, until, deadline_s) for at in range(len(jobs))]
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return answers

    def close(self) -> None:
        """Let the threads end; one that hangs is left to itself."""
        for wanted in self._wanted:
            wanted.put(None)
        until = monotonic_s() + 1.0
        for thread in self._threads:
            thread.join(max(0.0, until - monotonic_s()))

    def _answer(self, at: int, until: float, deadline_s: float) -> Any:
        try:
            return self._answers[at].get(timeout=max(0.0, until - monotonic_s()))
        except Empty:
            frame = sys._current_frames().get(self._threads[at].ident or 0)
            stack = "".join(traceback.format_stack(frame)[-12:]) if frame else "it has ended"
            text = f"no answer within {deadline_s:g} s"
            raise Stopped(Outcome("info", failure=Failure(HANG, text, {"stack": stack}))) from None


def _obey(wanted: SimpleQueue[Callable[[], Any] | None], answers: SimpleQueue[Any]) -> None:
    while (job := wanted.get()) is not None:
        try:
            answers.put(job())
        except BaseException as error:  # noqa: BLE001 - raised by whoever asked
            answers.put(error)
