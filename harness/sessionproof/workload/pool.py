"""Client processes that are started once, kept, and used for any store and location.

A process that has hung or ended is never given back: another one takes its place.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

from sessionproof.host.process import Process
from sessionproof.workload.threads import Threads

CLIENT = "sessionproof.workload.client_main"
_GRACE_S = 2.0  # for a process that is idle to end by itself


class Pool:
    """Idle processes of one program, import path, working directory and parent."""

    def __init__(self, program: str) -> None:
        """``program`` is the module that a process runs; it takes ``--path``."""
        self._program = program
        self._idle: list[Process] = []
        self._for: object = None
        self._lock = Lock()

    def take(self, number: int) -> list[Process]:
        """So many processes, started where there are none; raises RuntimeError."""
        with self._lock:
            self._suit(here())
            taken = [self._idle.pop() for _ in range(min(number, len(self._idle)))]
        try:
            for _ in range(number - len(taken)):
                taken.append(self.start())  # noqa: PERF401 - each may fail
        except BaseException:
            self.give(taken)
            raise
        return taken

    def start(self) -> Process:
        """A new process, whatever is idle; raises RuntimeError."""
        return started(self._program)

    def give(self, processes: Sequence[Process]) -> None:
        """Give back processes that have closed what they opened, or have ended."""
        with self._lock:
            self._idle += [process for process in processes if process.end is None]

    def close(self) -> None:
        """End all that are idle."""
        with self._lock:
            self._suit(None)

    def _suit(self, here: object) -> None:
        if here == self._for:
            return
        idle, self._idle = self._idle, []
        started_here = self._for is not None and self._for[-1] == os.getpid()  # type: ignore[index]
        self._for = here
        if not idle or not started_here:
            return  # a fork does not end the processes of its parent
        threads = Threads(len(idle))
        finish = [partial(process.finish, _GRACE_S) for process in idle]
        threads.together(finish, deadline_s=10 * _GRACE_S)
        threads.close()


def here() -> tuple[object, ...]:
    """What a process takes over when it starts, and cannot change afterwards; last, its parent."""
    return (*sys.path, Path.cwd(), os.getpid())


def here_for(store: str) -> tuple[object, ...]:
    """What a process takes over that imports this store when it starts; last, its parent."""
    given = {**os.environ, "PYTEST_CURRENT_TEST": ""}
    return (store, tuple(sorted(given.items())), *here())


def started(program: str = CLIENT) -> Process:
    """A new process, a client unless told otherwise, with this process's import path.

    Raises RuntimeError.
    """
    paths = [f"--path={entry}" for entry in sys.path]
    try:
        return Process([sys.executable, "-m", program, *paths])
    except OSError as error:
        raise RuntimeError(f"no process could be started: {error}") from None


def exchange(process: Process, request: dict[str, Any], last_s: float) -> dict[str, Any]:
    """What the process answers to this request, of which ``do`` says what is to be done.

    Raises as ``Process.exchange`` does, and RuntimeError for a mistake of ours in that process.
    """
    line = json.dumps(request).encode() + b"\n"
    answer: dict[str, Any] = json.loads(process.exchange(line, request["do"], deadline_s=last_s))
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return answer


POOL = Pool(CLIENT)
"""The pool of this process; what is in it ends with the process."""

atexit.register(POOL.close)
