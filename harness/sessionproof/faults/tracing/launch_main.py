"""The first process under the tracer: it starts the others when it is told to, and ends them.

``launch_main.py REQUEST``, on the standard library alone but for imported stores. The request is
JSON: ``socket``, over which it is told what to do, and ``argv``; or ``store`` and ``paths``, of a
store that is imported at once, so that the processes are forks of this one. It says its own number.
Then each message with descriptors ``[stdin, stdout, stderr, status]`` starts a process; one without
them ends all that runs, and is answered when nothing does. When the socket is closed, all ends.

Into ``status`` go two lines: the process's number, and how it ended; or only one, ``!`` and an
errno, when it could not be started.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
import threading
from typing import Any

THREADS = b"threads"
"""What is said instead of the own number where a store cannot be forked."""

_MESSAGE_BYTES = 16


def _executed(argv: list[str], pipes: list[int]) -> int:
    """The number of a new process in a group of its own; raises OSError."""
    failed, fail = os.pipe()  # closed by a program that was started, as all that is not inherited
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            for target, source in enumerate(pipes[:3]):
                os.dup2(source, target)  # the copy is inheritable
            os.execvp(argv[0], argv)  # noqa: S606 - the user's own command
        except OSError as error:
            os.write(fail, str(error.errno).encode())
        finally:
            os._exit(127)
    os.close(fail)
    number = os.read(failed, 20)
    os.close(failed)
    if number:
        os.waitpid(pid, 0)
        raise OSError(int(number), os.strerror(int(number)))
    return pid


def _forked(store: str, pipes: list[int], others: list[int]) -> int:
    """The number of a new process that has imported the store; raises OSError."""
    from sessionproof.host.fork_hosts import be_host  # a command needs no such thing

    pid = os.fork()
    if pid == 0:
        be_host(store, pipes, others=others)
    return pid


def _imported(store: str, paths: list[str]) -> bool:
    """Import it; False where that started threads, which forks would not have.

    What it prints goes nowhere: the tracer's own words are on these descriptors.
    """
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    os.close(nothing)
    from sessionproof.host.fork_hosts import import_store

    import_store(store, paths)
    return threading.active_count() == 1


def _ending(pid: int) -> int:
    """The exit code, negative for a signal; the process is not reaped, so its number stays its."""
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    if ended is None:
        raise AssertionError("it waited")
    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status


def _tell(status: int, text: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(status, f"{text}\n".encode())


class _Launcher:
    """``groups`` are all processes that were started; ``running`` those whose end is not told."""

    def __init__(self, request: dict[str, Any], control: socket.socket) -> None:
        self._argv: list[str] = request.get("argv", [])
        self._store: str | None = request.get("store")
        self._control = control
        self._groups: list[int] = []
        self._running: dict[int, tuple[int, int]] = {}  # by descriptor: the process and its status

    def work(self) -> None:
        """Do what is told until nobody is there who could tell."""
        while True:
            told = self._control.fileno()
            ready, _, _ = select.select([told, *self._running], [], [])
            for descriptor in (one for one in ready if one != told):
                self._ended(descriptor)
            if told in ready:
                message, pipes, _, _ = socket.recv_fds(self._control, _MESSAGE_BYTES, 4)
                if pipes:
                    self._start(list(pipes))
                elif message:
                    self.end_all()
                    self._control.send(b"ended")
                else:
                    return

    def end_all(self) -> None:
        """Leave no process behind."""
        for pid in self._groups:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):  # it may not lead a group yet
                os.kill(pid, signal.SIGKILL)
        for descriptor in [*self._running]:
            self._ended(descriptor)
        for pid in self._groups:
            os.waitpid(pid, 0)
        self._groups.clear()

    def _start(self, pipes: list[int]) -> None:
        status = pipes[3]
        for descriptor in pipes:
            os.set_inheritable(descriptor, False)
        try:
            if self._store is None:
                pid = _executed(self._argv, pipes)
            else:
                theirs = [status for _, status in self._running.values()]
                pid = _forked(self._store, pipes, [self._control.fileno(), *self._running, *theirs])
        except OSError as error:
            _tell(status, f"!{error.errno}")
            os.close(status)
        else:
            _tell(status, str(pid))
            self._groups.append(pid)
            self._running[os.pidfd_open(pid)] = (pid, status)
        for descriptor in pipes[:3]:
            os.close(descriptor)

    def _ended(self, descriptor: int) -> None:
        pid, status = self._running.pop(descriptor)
        os.close(descriptor)
        _tell(status, str(_ending(pid)))
        os.close(status)


def main() -> None:
    """Start, wait, and leave nothing behind."""
    request = json.loads(sys.argv[1])
    control = socket.socket(fileno=request["socket"])
    control.set_inheritable(False)
    if "store" in request and not _imported(request["store"], request["paths"]):
        control.send(THREADS)
        os._exit(0)  # without waiting for them
    launcher = _Launcher(request, control)
    with contextlib.suppress(ConnectionError):
        control.send(str(os.getpid()).encode())
        launcher.work()
    launcher.end_all()
    os._exit(0)  # nothing of the store is open here: its modules need not be taken down


if __name__ == "__main__":
    main()
