"""A child that answers lines: started, asked, watched, and always buried.

What can go wrong, in the order in which a call meets it:

1. it has ended before the call: ``Refused``, nothing was sent;
2. it ends while the call is being sent: ``Refused``, as a line that is cut is no call;
3. it ends before it has answered, or closes its stdout: ``ProcessEnded``, outcome unknown;
4. its line never ends (a limit), or a deadline passes: ``ProtocolError``, outcome unknown.

After each of them the child and its whole process group are gone. POSIX only.
"""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import signal
import subprocess
import threading
from collections.abc import Sequence
from typing import IO, Protocol

from sessionproof.contract.clock import monotonic_s
from sessionproof.contract.errors import Indefinite, Refused

LINE_BYTES = 256 * 1024 * 1024
STDERR_BYTES = 64 * 1024
_LOOK_MS = 50  # how often a silent child is looked at: a grandchild can hold its pipes open
_LAST_WORDS_S = 1.0  # a child closes its pipes a moment before it can be reaped
_TERMINATE_S = 1.0
_PIPE_BYTES = 64 * 1024  # a pipe holds no more at once, and a larger buffer costs time


class ProcessEnded(Indefinite):
    """The store's process ended, or was killed, in the middle of a call."""


class ProtocolError(Indefinite):
    """The store's process wrote what the protocol does not allow."""


class _Silent(Exception):
    """The child ended or closed its end of the pipe."""


class _Late(Exception):
    """The deadline of this exchange has passed."""


class Started(Protocol):
    """What ``subprocess.Popen`` has, of a process that was started in whichever way.

    Its pipes are unbuffered. It leads a process group of its own, which is killed with it.
    """

    pid: int
    stdin: IO[bytes] | None
    stdout: IO[bytes] | None
    stderr: IO[bytes] | None

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """The exit code when it has ended; raises subprocess.TimeoutExpired."""
        ...


class Tail:
    """The last bytes of a stream, read by a thread so that its writer never has to wait."""

    def __init__(self, stream: int) -> None:
        self._stream = stream
        self._kept = bytearray()
        self._lock = threading.Lock()
        # Closing the one end wakes the reader: a grandchild may keep the stream itself open.
        self._woken, self._wake = os.pipe()
        self._thread = threading.Thread(target=self._read, name="stderr of a store", daemon=True)
        self._thread.start()

    def text(self) -> str:
        """What is kept, as text that is safe to show: control characters are escaped."""
        with self._lock:
            kept = bytes(self._kept)
        text = kept.decode("utf-8", "replace")
        return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)

    def stop(self) -> None:
        """Take what has been written up to now, and close the stream."""
        os.close(self._wake)
        self._thread.join()
        os.close(self._woken)

    def _read(self) -> None:
        poll = select.poll()
        poll.register(self._stream, select.POLLIN)
        poll.register(self._woken, select.POLLIN)
        left_after_stop = 2 * STDERR_BYTES  # bounds a writer that outlives the child
        while left_after_stop > 0:
            ready = {descriptor for descriptor, _ in poll.poll()}
            if self._stream not in ready:
                return
            data = os.read(self._stream, STDERR_BYTES)
            if not data:
                return
            if self._woken in ready:
                left_after_stop -= len(data)
            with self._lock:
                self._kept += data
                del self._kept[:-STDERR_BYTES]


class Process:
    """A running command; ``end`` says how it ended, None while it is in use.

    ``answers`` is how many whole lines it has answered.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        line_bytes: int = LINE_BYTES,
        started: Started | None = None,
    ) -> None:
        """Start the command without a shell; raises OSError when it cannot be started.

        ``started`` is the process if it runs already; ``argv`` then only names it.
        """
        self.command = shlex.join(argv)
        self.end: str | None = None
        self.answers = 0
        self._line_bytes = line_bytes
        self._popen: Started = started or subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # a group of its own: Ctrl-C is ours, and kill takes all
        )
        self.pid = self._popen.pid
        self._stdin, self._stdout, stderr = (
            stream.fileno()
            for stream in (self._popen.stdin, self._popen.stdout, self._popen.stderr)
            if stream is not None
        )
        os.set_blocking(self._stdin, False)
        self._to_write, self._to_read = select.poll(), select.poll()
        self._to_write.register(self._stdin, select.POLLOUT)
        self._to_read.register(self._stdout, select.POLLIN)
        self._turn = threading.Lock()
        self._received = bytearray()
        self._tail = Tail(stderr)

    def stderr_tail(self) -> str:
        """The last 64 KB that the process wrote to stderr."""
        return self._tail.text()

    def exchange(self, line: bytes, asked: str, *, deadline_s: float | None = None) -> bytes:
        """Send one line and wait for one; ``asked`` names the call in errors.

        Raises Refused, ProcessEnded or ProtocolError, as the head of this module says.
        """
        with self._turn:
            known = self.end
            if known is None and self._popen.poll() is not None:
                self._bury()
            if self.end is not None:
                text = f"the store's process has ended ({self.end}): {asked} was not sent"
                raise Refused(text if known else self.told(text))  # its last words, once
            try:
                return self._exchange(line, asked, deadline_s)
            except BaseException:
                self._bury()  # the answer may still come: nobody could tell it from the next one
                raise

    def kill(self) -> None:
        """End the process group at once, from any thread; a blocked call ends with an error."""
        self._signal(signal.SIGKILL)
        if self._turn.acquire(blocking=False):  # otherwise the call in progress buries it
            try:
                self._bury()
            finally:
                self._turn.release()

    def finish(self, grace_s: float) -> None:
        """Close its stdin and let it go: after ``grace_s`` terminate it, then kill its group."""
        with self._turn:
            if self.end is not None:
                return
            self._close(self._popen.stdin)
            if not self._waited(grace_s):
                self._signal(signal.SIGTERM)
                self._waited(_TERMINATE_S)
            self._bury()

    def told(self, text: str) -> str:
        """The text, with the command and the last lines of stderr as evidence."""
        lines = self.stderr_tail().splitlines()[-10:]
        shown = "\n".join(lines)[-2000:].strip()
        return f"{text} [{self.command}]" + (f"; stderr:\n{shown}" if shown else "")

    def _exchange(self, line: bytes, asked: str, deadline_s: float | None) -> bytes:
        end = None if deadline_s is None else monotonic_s() + deadline_s
        try:
            self._send(line, end)
        except _Late:
            raise ProtocolError(self._lateness(asked, deadline_s)) from None
        except (_Silent, BrokenPipeError):
            self._last_words()
            text = f"the store's process ended ({self.end}) before it took {asked}"
            raise Refused(self.told(text)) from None
        try:
            return self._receive(asked, end)
        except _Late:
            raise ProtocolError(self._lateness(asked, deadline_s)) from None
        except _Silent:
            self._last_words()
            text = f"the store's process ended ({self.end}) in the middle of {asked}"
            raise ProcessEnded(self.told(text + self._half_line())) from None

    def _send(self, line: bytes, end: float | None) -> None:
        left = memoryview(line)
        while left:
            try:
                left = left[os.write(self._stdin, left) :]
            except BlockingIOError:
                self._await(self._to_write, end)

    def _receive(self, asked: str, end: float | None) -> bytes:
        searched = 0
        while True:
            newline = self._received.find(b"\n", searched)
            searched = len(self._received) if newline < 0 else newline
            if searched > self._line_bytes:
                text = f"{asked} was answered by a line of more than {self._line_bytes:,} bytes"
                raise ProtocolError(self.told(text + self._half_line()))
            if newline >= 0:
                line = bytes(self._received[:newline])
                del self._received[: newline + 1]
                self.answers += 1
                return line
            self._await(self._to_read, end)
            data = os.read(self._stdout, _PIPE_BYTES)
            if not data:
                raise _Silent
            self._received += data

    def _await(self, poll: select.poll, end: float | None) -> None:
        while end is None or monotonic_s() < end:
            if poll.poll(_LOOK_MS):
                return
            if self._popen.poll() is not None and not poll.poll(0):
                raise _Silent
        raise _Late

    def _lateness(self, asked: str, deadline_s: float | None) -> str:
        self._bury()
        text = f"the store's process did not answer {asked} within {deadline_s:g} s"
        return self.told(text + self._half_line())

    def _half_line(self) -> str:
        if not self._received:
            return ""
        return f"; its line begins {ascii(bytes(self._received[:200]))[1:]}"

    def _last_words(self) -> None:
        ended = self._waited(_LAST_WORDS_S)
        self._bury()
        if not ended:
            self.end = f"it closed its pipe and lived on; {self.end} from the harness"

    def _waited(self, seconds: float) -> bool:
        try:
            self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _signal(self, number: signal.Signals) -> None:
        # A group outlives its leader. The number of a reaped leader could be given to another
        # group, so after the burial nobody signals it.
        if self.end is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def _bury(self) -> None:
        """Kill what is left of the group, reap the leader, close every descriptor; idempotent."""
        if self.end is not None:
            return
        self._signal(signal.SIGKILL)
        self.end = _ending(self._popen.wait())
        self._close(self._popen.stdin)
        self._tail.stop()
        self._close(self._popen.stdout)
        self._close(self._popen.stderr)

    def _close(self, stream: IO[bytes] | None) -> None:
        if stream is not None:
            stream.close()


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
