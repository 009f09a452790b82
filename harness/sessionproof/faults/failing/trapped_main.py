"""A process whose changes of files wait for a listener: ``python -m …faults.failing.trapped_main``.

It sends the listener's descriptor over the socket that it inherited. Then it becomes the command
(``-- ARGV``), or it imports a Python store once and forks a host for each location: a child is
there within milliseconds, however long the imports took.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import struct
import sys
from typing import Any, NoReturn

from sessionproof.faults.failing.syscalls import trap
from sessionproof.host.fork_hosts import be_host, import_store
from sessionproof.host.forked import NUMBER

_CAPABILITY_VERSION = 0x20080522
_PARENT_DEATH, _BOUND_DROP = 1, 24
_OVERRIDE, _READ_SEARCH = 1, 2  # the rights that let root pass permissions
_REQUEST_BYTES = 1 << 20
_LOOK_MS = 1_000  # how often it is seen whether the harness is still there


def drop_rights() -> None:
    """Let permissions of files bind this process and all that it starts, also as root."""
    if os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    for right in (_OVERRIDE, _READ_SEARCH):
        libc.prctl(_BOUND_DROP, right, 0, 0, 0)  # else a program that is started has them again
    head = ctypes.create_string_buffer(struct.pack("II", _CAPABILITY_VERSION, 0))
    data = ctypes.create_string_buffer(24)
    libc.capget(head, data)
    words = list(struct.unpack("6I", data.raw[:24]))
    for place in range(3):  # effective, permitted, inheritable
        words[place] &= ~(1 << _OVERRIDE | 1 << _READ_SEARCH)
    if libc.capset(head, ctypes.create_string_buffer(struct.pack("6I", *words))) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"rights of root cannot be dropped: {os.strerror(number)}")


class _Forks:
    """Forks hosts of one store on request, and tells how each ended."""

    def __init__(self, name: str, control: socket.socket, parent: int) -> None:
        self._name = name
        self._parent = parent
        self._control = control
        self._told: dict[int, int] = {}  # children by the pipe that tells of their end
        self._ended: set[int] = set()  # those pipes that have told it
        self._poll = select.poll()
        self._woken, self._wake = os.pipe()
        for end in (self._woken, self._wake):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)

    def serve(self) -> None:
        """Until the harness has gone.

        Then its end of the socket is closed; a copy of it that was forked may have that open, too.
        """
        self._poll.register(self._control, select.POLLIN)
        self._poll.register(self._woken, select.POLLIN)
        while os.getppid() == self._parent:
            for descriptor, _ in self._poll.poll(_LOOK_MS):
                if descriptor == self._woken:
                    os.read(self._woken, 4096)
                    self._tell()
                elif descriptor != self._control.fileno():
                    self._bury(descriptor)
                else:
                    line, pipes, _, _ = socket.recv_fds(self._control, _REQUEST_BYTES, 4)
                    if not line:
                        return
                    self._fork(json.loads(line), pipes)

    def bury(self) -> None:
        """End all children; nothing is written for it, as nobody may be there who lets it pass."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for told in [*self._told]:
            self._bury(told)

    def _fork(self, request: dict[str, Any], pipes: list[int]) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            self._host(request, pipes)
        *ends, told = pipes
        for end in ends:
            os.close(end)
        self._told[told] = pid
        self._poll.register(told, 0)  # that nobody reads any more is told all the same
        with contextlib.suppress(BrokenPipeError):
            os.write(told, NUMBER.pack(pid))

    def _tell(self) -> None:
        """Say how children ended. Their numbers stay theirs as long as somebody may use them."""
        for told, pid in self._told.items():
            how = os.WEXITED | os.WNOHANG | os.WNOWAIT
            ended = None if told in self._ended else os.waitid(os.P_PID, pid, how)
            if ended is not None:
                self._ended.add(told)
                exited = ended.si_code == os.CLD_EXITED
                with contextlib.suppress(BrokenPipeError):
                    os.write(told, NUMBER.pack(ended.si_status * (1 if exited else -1)))

    def _bury(self, told: int) -> None:
        """Nobody asks for this child any more."""
        self._poll.unregister(told)
        os.close(told)
        self._ended.discard(told)
        pid = self._told.pop(told)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

    def _host(self, request: dict[str, Any], pipes: list[int]) -> NoReturn:
        """In the child: be the host; never returns."""

        def prepared() -> None:
            ctypes.CDLL(None).prctl(_PARENT_DEATH, signal.SIGKILL, 0, 0, 0)
            _prepared(request)

        others = [self._control.detach(), *self._told, self._woken, self._wake]
        be_host(self._name, pipes, others=others, prepared=prepared)


def _prepared(request: dict[str, Any]) -> None:
    """Take on the folder, the environment and the rights that are asked for."""
    if request.get("rights") is False:
        drop_rights()
    os.environ.update(request.get("environment", {}))
    if "folder" in request:
        os.chdir(request["folder"])


def main() -> None:
    """Take the command line; hand the listener over; be the command, or fork hosts."""
    parser = argparse.ArgumentParser(prog="python -m sessionproof.faults.failing.trapped_main")
    parser.add_argument("--socket", type=int, required=True, metavar="FD")
    parser.add_argument("--path", action="append", metavar="ENTRY")
    parser.add_argument("--store", metavar="NAME")
    parser.add_argument("--prepared", type=json.loads, default={}, metavar="JSON")
    parser.add_argument("command", nargs="*", metavar="ARGV")
    arguments = parser.parse_args()
    parent = os.getppid()
    control = socket.socket(fileno=arguments.socket)
    try:
        listener = trap()
    except OSError as error:
        control.send(json.dumps({"refused": str(error)}).encode())
        return
    socket.send_fds(control, [b"{}"], [listener])
    os.close(listener)
    if arguments.command:
        control.close()
        _prepared(arguments.prepared)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores, and programs keep
            signal.signal(number, signal.SIG_DFL)
        os.execvp(arguments.command[0], arguments.command)  # noqa: S606 - a program is started
    import_store(arguments.store, arguments.path)
    control.send(b"ready")
    forks = _Forks(arguments.store, control, parent)
    forks.serve()
    forks.bury()
    os._exit(0)  # nothing of the store is open here: its modules need not be taken down


if __name__ == "__main__":
    main()
