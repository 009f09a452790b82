"""Processes of a store under the tracer, all of them below one strace, so that calls have an order.

Each looks like a ``subprocess.Popen`` to whoever talks to it.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

from sessionproof.contract.clock import monotonic_s
from sessionproof.faults.recording import CannotTrace
from sessionproof.faults.tracing.strace import CALLS, READS, command, reason_of

_PROGRAM = Path(__file__).with_name("launch_main.py")
_START_S = 30.0  # until the launcher has forked; only a tracer that hangs takes longer
_END_S = 10.0  # for what was killed, or is to end by itself
_LEFT_S = 1.0  # a process that a store left behind may hold strace for ever
_LOOK_S = 0.02


class LaunchedProcess:
    """One process; ``pid`` and the pipes are those of the store, not of the tracer."""

    def __init__(self, tracer: Tracer, stdin: int, stdout: int, stderr: int, status: int) -> None:
        self.pipe = f"pipe:[{os.fstat(stdout).st_ino}]"
        self.stdin: IO[bytes] | None = os.fdopen(stdin, "wb", buffering=0)
        self.stdout: IO[bytes] | None = os.fdopen(stdout, "rb", buffering=0)
        self.stderr: IO[bytes] | None = os.fdopen(stderr, "rb", buffering=0)
        self.pid = 0
        self._tracer = tracer
        self._status = status
        self._poll = select.poll()
        self._poll.register(status, select.POLLIN)
        self._told = b""
        self._code: int | None = None

    def begun(self) -> None:
        """Wait until it runs; raises OSError when it cannot be started, and CannotTrace."""
        until = monotonic_s() + _START_S
        while b"\n" not in self._told:
            self._look(_LOOK_S)
            if self._tracer.ended() or monotonic_s() > until:
                raise CannotTrace(self._tracer.reason())
        first = self._told.partition(b"\n")[0]
        if first.startswith(b"!"):
            raise OSError(int(first[1:]), os.strerror(int(first[1:])))
        self.pid = int(first)

    def poll(self) -> int | None:
        """As Popen's: how it ended, None while it runs."""
        if self._code is None:
            self._look(0)
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        """As Popen's; without a timeout it waits some seconds for what was killed before."""
        until = monotonic_s() + (_END_S if timeout is None else timeout)
        while self._code is None:
            self._look(_LOOK_S)
            if self._code is None and monotonic_s() > until:
                if timeout is None:
                    self._code = -signal.SIGKILL
                    break
                raise subprocess.TimeoutExpired("the store", timeout)
        return self._code

    def close(self) -> None:
        """Close every descriptor of it that is still open."""
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        if self._status >= 0:
            os.close(self._status)
            self._status = -1

    def _look(self, seconds: float) -> None:
        if self._status >= 0 and self._poll.poll(seconds * 1000):
            self._told += os.read(self._status, 200)
            lines = self._told.split(b"\n")[:-1]
            if len(lines) > 1:
                self._code = int(lines[1])
                return
        if self._code is None and (self._status < 0 or self._tracer.ended()):
            self._code = -signal.SIGKILL  # nobody is left to tell


class Tracer:
    """One strace with room for some processes of one command; to be used in a ``with`` block.

    When the block ends, nothing of it runs any more, and the trace is whole, unless ``broken`` says
    why it is not.
    """

    def __init__(
        self, argv: Sequence[str], processes: int, *, trace: Path, words: Path, reads: bool
    ) -> None:
        """``trace`` and ``words`` are files for the calls, and for what strace itself says.

        ``reads``: whether reads are traced, too.
        """
        self.broken = ""
        self._words = words
        self._turn = threading.Lock()
        self._waiting: list[LaunchedProcess] = []
        self._ready: list[LaunchedProcess] = []
        self.processes: list[LaunchedProcess] = []
        theirs = [self._made_pipes() for _ in range(processes)]
        listed = (*CALLS, *READS) if reads else CALLS
        request = json.dumps({"argv": [*argv], "processes": theirs})
        started = [
            *command(trace, calls=listed),
            sys.executable,
            "-I",
            "-S",
            str(_PROGRAM),
            request,
        ]
        flat = [descriptor for pipes in theirs for descriptor in pipes]
        environment = {"UV_USE_IO_URING": "0", **os.environ}  # node's way to be seen
        try:
            with words.open("wb") as said:
                self._strace = subprocess.Popen(
                    started, stdin=subprocess.PIPE, stdout=said, stderr=said, pass_fds=flat,
                    start_new_session=True, bufsize=0, env=environment,
                )  # fmt: skip
        except BaseException:
            for process in self.processes:
                process.close()
            raise
        finally:
            for descriptor in flat:
                os.close(descriptor)

    def __enter__(self) -> Tracer:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if self._strace.stdin is not None:
            self._strace.stdin.close()  # the launcher then ends all processes, and itself
        if not self._ended_within(_LEFT_S):
            for pid in _traced_by(self._strace.pid):  # what the store left behind
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not self._ended_within(_END_S):
                self._strace.kill()
                self._strace.wait()
        if self._strace.returncode != 0:
            self.broken = self.reason()
        for process in self.processes:
            process.close()

    def prepare(self, number: int = 1) -> None:
        """Start so many further processes already, for ``next``; none beyond the room."""
        for _ in range(min(number, len(self._waiting))):
            self._ready.append(self._waiting.pop(0))
            if self._strace.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    self._strace.stdin.write(b"n")

    def next(self) -> LaunchedProcess:
        """A process that runs; raises OSError when it cannot be started, and CannotTrace."""
        with self._turn:
            if not self._ready:
                self.prepare()
            process = self._ready.pop(0)
        process.begun()
        return process

    def ended(self) -> bool:
        """Whether strace has ended, which it does not while a process runs."""
        return self._strace.poll() is not None

    def reason(self) -> str:
        """Why nothing can be traced, in one line, by what strace said."""
        return reason_of(self._words.read_text("utf-8", "replace"))

    def _ended_within(self, seconds: float) -> bool:
        try:
            self._strace.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _made_pipes(self) -> list[int]:
        (calls, stdin), (stdout, answers), (stderr, errors), (status, states) = (
            os.pipe() for _ in range(4)
        )
        process = LaunchedProcess(self, stdin, stdout, stderr, status)
        self.processes.append(process)
        self._waiting.append(process)
        return [calls, answers, errors, states]


def _traced_by(tracer: int) -> list[int]:
    """The processes that have this tracer, and so are none of anybody else's."""
    mark = f"\nTracerPid:\t{tracer}\n"
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):  # it may have ended meanwhile
            if mark in status.read_text("utf-8", "replace"):
                found.append(int(status.parent.name))
    return found
