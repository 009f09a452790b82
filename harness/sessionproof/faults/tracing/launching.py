"""Processes of a store under the tracer, all of them below one strace, so that calls have an order.

Each looks like a ``subprocess.Popen`` to whoever talks to it.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

from sessionproof.contract.clock import monotonic_s
from sessionproof.faults.recording import CannotTrace
from sessionproof.faults.tracing.launch_main import THREADS
from sessionproof.faults.tracing.strace import CALLS, READS, command, reason_of

_PROGRAM = Path(__file__).with_name("launch_main.py")
_MODULE = "sessionproof.faults.tracing.launch_main"
_START_S = 30.0  # until the launcher has forked; only a tracer that hangs takes longer
_IMPORT_S = 60.0  # beside that, on a machine however busy
_END_S = 10.0  # for what was killed, or is to end by itself
_LEFT_S = 1.0  # a process that a store left behind may hold strace for ever
_LOOK_S = 0.02
_MESSAGE_BYTES = 16


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
        until = monotonic_s() + self._tracer.start_s
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
    """One strace, and processes of one command below it; to be used in a ``with`` block.

    When the block ends, nothing of it runs any more, and the trace is whole, unless ``broken`` says
    why it is not.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        trace: Path,
        words: Path,
        reads: bool,
        imported: str | None = None,
    ) -> None:
        """``trace`` and ``words`` are files for the calls, and for what strace itself says.

        ``reads``: whether reads are traced, too. ``imported`` is a Python store that is imported
        once; the processes are then forks, and ``argv`` is not started.
        """
        self.broken = ""
        self.idle = False  # whether it can be kept for another recording
        self.processes: list[LaunchedProcess] = []
        self.start_s = _START_S if imported is None else _START_S + _IMPORT_S
        self._trace, self._words = trace, words
        self._imported = imported
        self._seen = 0  # bytes of the trace that are none of this recording's
        self._turn = threading.Lock()
        self._ready: list[LaunchedProcess] = []
        self._launcher = 0
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        request: dict[str, object] = {"socket": theirs.fileno(), "argv": [*argv]}
        program = ["-I", "-S", str(_PROGRAM)]
        if imported is not None:
            request |= {"store": imported, "paths": sys.path}
            program = ["-m", _MODULE]
        listed = (*CALLS, *READS) if reads else CALLS
        started = [*command(trace, calls=listed), sys.executable, *program, json.dumps(request)]
        environment = {"UV_USE_IO_URING": "0", **os.environ}  # node's way to be seen
        try:
            with words.open("wb") as said:
                self._strace = subprocess.Popen(
                    started, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environment,
                    pass_fds=[theirs.fileno()], start_new_session=True,
                )  # fmt: skip
        except BaseException:
            self._control.close()
            raise
        finally:
            theirs.close()

    def __enter__(self) -> Tracer:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes, and strace with them."""
        self.idle = False
        self._control.close()  # the launcher then ends all processes, and itself
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
        """Start so many processes already, for ``next``."""
        for _ in range(number):
            self._ready.append(self._launched())

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
        if self._imported is not None and not self._words.read_bytes().strip():
            how = "ended" if self.ended() else f"was not ready within {self.start_s:g} s"
            return f"the process that imports {self._imported} under strace {how}"
        return reason_of(self._words.read_text("utf-8", "replace"))

    def lines(self) -> Iterator[str]:
        """The trace, as far as it belongs to this recording."""
        with self._trace.open(encoding="ascii", errors="replace") as lines:
            lines.seek(self._seen)
            yield from lines

    def begin(self) -> Path:
        """Begin a recording: wait until processes can be started.

        Answers the folder in which they will work. Raises CannotTrace.
        """
        self.idle = False
        if not self._launcher:
            self._control.settimeout(self.start_s)
            try:
                ready = self._control.recv(_MESSAGE_BYTES)
            except OSError:
                ready = b""
            if not ready:
                self._ended_within(_LEFT_S)
                raise CannotTrace(self.reason())
            if ready == THREADS:
                raise CannotTrace(f"importing {self._imported} starts threads: no fork has them")
            self._launcher = int(ready)
        self._seen = max(self._seen, self._trace.stat().st_size)
        return Path(f"/proc/{self._launcher}/cwd").readlink()

    def finish(self) -> None:
        """End all processes; the trace of this recording is whole then. Raises CannotTrace.

        Forks make room for another recording, where all of them can be ended; else all is over.
        """
        self.idle = self._imported is not None and self._rested()
        if not self.idle:
            self.close()
        if self.broken:
            raise CannotTrace(self.broken)

    def forget(self) -> None:
        """Let what was traced up to now take no room any more."""
        self._seen = max(self._seen, self._trace.stat().st_size)
        os.truncate(self._trace, 0)  # strace goes on writing where it was

    def _rested(self) -> bool:
        """End all processes but strace and the launcher; False where some are left."""
        self._ready.clear()
        self._control.settimeout(_END_S)
        try:
            self._control.send(b"end")
            ended = self._control.recv(_MESSAGE_BYTES)
        except OSError:
            return False
        if not ended or _traced_by(self._strace.pid) != [self._launcher]:
            return False
        for process in self.processes:
            process.close()
        self.processes.clear()
        return True

    def _ended_within(self, seconds: float) -> bool:
        try:
            self._strace.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _launched(self) -> LaunchedProcess:
        (calls, stdin), (stdout, answers), (stderr, errors), (status, states) = (
            os.pipe() for _ in range(4)
        )
        process = LaunchedProcess(self, stdin, stdout, stderr, status)
        self.processes.append(process)
        theirs = [calls, answers, errors, states]
        with contextlib.suppress(OSError):  # it has ended, as its first look tells
            socket.send_fds(self._control, [b"start"], theirs)
        for descriptor in theirs:
            os.close(descriptor)
        return process


def _traced_by(tracer: int) -> list[int]:
    """The processes that have this tracer, and so are none of anybody else's."""
    mark = f"\nTracerPid:\t{tracer}\n"
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):  # it may have ended meanwhile
            if mark in status.read_text("utf-8", "replace"):
                found.append(int(status.parent.name))
    return found
