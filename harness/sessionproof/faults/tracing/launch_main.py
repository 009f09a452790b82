"""The first process under the tracer: it starts the others when it is told to, and ends them.

``launch_main.py REQUEST``, on the standard library alone. The request is JSON: ``argv``, and for
each process the descriptors ``[stdin, stdout, stderr, status]``. Each byte on its own stdin starts
the next process; when that ends, the groups of all processes are killed. Into ``status`` go two
lines: the process's number, and how it ended; or only one, ``!`` and an errno, when it could not be
started.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys

_STDIN = 0


def _started(argv: list[str], pipes: list[int]) -> int:
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


def _ending(pid: int) -> int:
    """The exit code, negative for a signal; the process is not reaped, so its number stays its."""
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    if ended is None:
        raise AssertionError("it waited")
    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status


def _tell(status: int, text: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(status, f"{text}\n".encode())


def main() -> None:
    """Start, wait, and leave nothing behind."""
    request = json.loads(sys.argv[1])
    waiting: list[list[int]] = request["processes"]
    for descriptor in (one for pipes in waiting for one in pipes):
        os.set_inheritable(descriptor, False)
    groups: list[int] = []
    running: dict[int, tuple[int, int]] = {}  # by descriptor: the process and its status
    while True:
        ready, _, _ = select.select([_STDIN, *running], [], [])
        for descriptor in (one for one in ready if one != _STDIN):
            pid, status = running.pop(descriptor)
            os.close(descriptor)
            _tell(status, str(_ending(pid)))
        if _STDIN in ready:
            if not os.read(_STDIN, 1):
                break
            pipes = waiting.pop(0)
            try:
                pid = _started(request["argv"], pipes)
            except OSError as error:
                _tell(pipes[3], f"!{error.errno}")
            else:
                _tell(pipes[3], str(pid))
                groups.append(pid)
                running[os.pidfd_open(pid)] = (pid, pipes[3])
            for descriptor in pipes[:3]:
                os.close(descriptor)
    for pid in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    for pid in groups:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
