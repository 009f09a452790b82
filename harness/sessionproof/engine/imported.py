"""Scripts in forks of a process that has imported the store: packages take seconds to import."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from sessionproof.engine.limits import NO_LIMITS, Limits, hold
from sessionproof.host.forked import Forked

_MAIN = "sessionproof.engine.imported_main"
_START_S = 60.0  # for a process to start and import, on a machine however busy
_END_S = 5.0


class CannotFork(Exception):
    """No script can be run that way here; an interpreter of its own can run it."""


class Imported:
    """The process that imports and forks. To be used in a ``with`` block, by one thread or more."""

    def __init__(
        self,
        store: str,
        paths: Sequence[str],
        environment: Mapping[str, str],
        limits: Limits = NO_LIMITS,
    ) -> None:
        """``paths`` are put before the import path. Raises CannotFork."""
        if sys.platform != "linux":
            raise CannotFork("forks of what was imported are safe on Linux alone")
        self._control, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                [
                    sys.executable, "-m", _MAIN, f"--socket={theirs.fileno()}",
                    *(f"--path={entry}" for entry in paths), "--", store,
                ],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                env=environment, pass_fds=[theirs.fileno()], start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            self._control.close()
            raise CannotFork(str(error)) from None
        finally:
            theirs.close()
        hold(limits, self._process.pid)  # also for what it forks
        self._control.settimeout(_START_S)
        try:
            ready = self._control.recv(16)
        except OSError:
            ready = b""
        except KeyboardInterrupt:
            self.close()
            raise
        if not ready:
            self.close()
            raise CannotFork("the store did not let the process that imports it go on")

    def __enter__(self) -> Imported:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, script: Path, environment: Mapping[str, str], output: int) -> Forked:
        """Run the script, with what it prints into this descriptor; raises CannotFork."""
        told, tell = os.pipe()
        request = {"script": os.fspath(script.absolute()), "environment": dict(environment)}
        try:
            socket.send_fds(self._control, [json.dumps(request).encode()], [output, tell])
        except OSError as error:
            os.close(told)
            raise CannotFork(str(error)) from None
        finally:
            os.close(tell)
        try:
            return Forked(told)
        except ChildProcessError as error:
            raise CannotFork(str(error)) from None

    def close(self) -> None:
        """End it; scripts that run go on."""
        self._control.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        if self._process.returncode is None:
            self._process.kill()
            self._process.wait()
