"""A process that another one forked for us, and that tells through a pipe how it goes."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import struct
import subprocess
from collections.abc import Sequence
from typing import IO

NUMBER = struct.Struct("i")
"""What is told: the process's number once it is there, and its exit code when it has ended."""

_START_S = 60.0  # for a process to be forked, on a machine however busy


class Forked:
    """The process, as ``subprocess.Popen`` would show it."""

    def __init__(self, told: int, streams: Sequence[IO[bytes] | None] = (None, None, None)) -> None:
        """``told`` is read until the process has ended, and closed then.

        ``streams`` are our ends of its stdin, stdout and stderr, where we have them. Raises
        ChildProcessError where the one that forks is gone or does not tell in time; then everything
        is closed.
        """
        self.stdin, self.stdout, self.stderr = streams
        self._told = select.poll()
        self._told.register(told, select.POLLIN)
        self._descriptor = told
        self._code: int | None = None
        try:
            pid = self._number(_START_S)
            reason = "the one that forks is gone"
        except subprocess.TimeoutExpired:
            pid, reason = None, f"the one that forks told nothing within {_START_S:g} s"
        if pid is None:
            os.close(told)
            for stream in filter(None, streams):
                stream.close()
            raise ChildProcessError(reason)
        self.pid = pid

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        """The exit code when it has ended; raises subprocess.TimeoutExpired."""
        if self._code is None:
            number = self._number(timeout)
            os.close(self._descriptor)
            self._code = -signal.SIGKILL if number is None else number
        return self._code

    def _number(self, timeout: float | None) -> int | None:
        """What is told next; None when the one that forks is gone."""
        if not self._told.poll(None if timeout is None else timeout * 1000):
            raise subprocess.TimeoutExpired("a fork", timeout or 0)
        data = os.read(self._descriptor, NUMBER.size)
        return int(NUMBER.unpack(data)[0]) if len(data) == NUMBER.size else None
