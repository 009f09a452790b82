"""A store whose system calls can be made to fail, one or many, and healed again.

It runs in processes of its own, whose changes of files wait for a listener (``syscalls.trap``): a
Python store in forks of one that has imported it, one behind ``cmd:`` in the command's process.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from sessionproof.contract.errors import Refused
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import StoreSpec
from sessionproof.faults.failing.listening import Listener, Met, Rule
from sessionproof.faults.failing.syscalls import numbers
from sessionproof.host.client import HostedStore
from sessionproof.host.forked import Forked
from sessionproof.workload.pool import here_for

_MAIN = "sessionproof.faults.failing.trapped_main"
_GRACE_S = 5.0
_START_S = 60.0  # for a process to start and import, on a machine however busy


class CannotInject(Exception):
    """System calls cannot be made to fail here; the text is the reason and the remedy."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How processes are started: where, with what in their environment, with the rights of root.

    Without ``rights``, permissions of files bind them, whoever they are.
    """

    folder: Path | None = None
    environment: Mapping[str, str] | None = None
    rights: bool = True

    def to_json(self) -> dict[str, Any]:
        """As the started process reads it."""
        out: dict[str, Any] = {"rights": self.rights, "environment": dict(self.environment or {})}
        return out if self.folder is None else {**out, "folder": os.fspath(self.folder)}


@functools.cache
def why_not() -> str | None:
    """Why calls cannot be made to fail here, and what to do about it; None when they can."""
    try:
        process, control, listener = _started(["--", "true"])
    except CannotInject as error:
        return str(error)
    control.close()
    os.close(listener)
    process.kill()
    process.wait()
    return None


class Injector:
    """The store in processes whose calls it can make to fail. To be used in a ``with`` block.

    ``spec`` opens it. Starting raises CannotInject.
    """

    def __init__(self, spec: StoreSpec) -> None:
        self.setting = Setting()
        hosted = spec.name.startswith("cmd:")
        reason = why_not() if hosted else None  # else starting the forks tells
        if reason is not None:
            raise CannotInject(reason)
        self._forks: _Forks | None = None
        if hosted:
            self._listener = Listener()
        else:
            self._forks = _taken(spec.name)
            self._listener = self._forks.listener
        self._argv = (
            shlex.split(spec.name.partition(":")[2]) if self._forks is None else [spec.name]
        )
        self.spec = replace(spec, open=self._open)

    def __enter__(self) -> Injector:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if self._forks is None:
            self._listener.close()
        else:
            _give_back(self._forks)

    def watch(self, root: Path, rule: Rule | None = None) -> None:
        """From now on note all changes of files below the folder, and let the rule hold."""
        self._listener.watch(root, rule)

    def heal(self) -> None:
        """Take the rule back; changes are still noted."""
        self._listener.heal()

    def met(self) -> Met:
        """What was seen since ``watch``."""
        return self._listener.met()

    def _open(self, location: Location) -> HostedStore:
        if self._forks is not None:
            return HostedStore(self._argv, location, started=self._forks.fork(self.setting))
        prepared = ["--prepared", json.dumps(self.setting.to_json())]
        process, control, listener = _started([*prepared, "--", *self._argv], pipes=subprocess.PIPE)
        control.close()
        self._listener.add(listener)
        return HostedStore(self._argv, location, started=process)


class _Forks:
    """A process that has imported a Python store, and forks hosts of it; with its listener."""

    def __init__(self, name: str) -> None:
        self.made_for = here_for(name)
        self.listener = Listener()
        self._made: list[Forked] = []
        try:
            self._start(name)
        except BaseException:
            self.listener.close()
            raise

    def _start(self, name: str) -> None:
        paths = [f"--path={Path(entry).absolute()}" for entry in sys.path]
        self._process, self._control, descriptor = _started([*paths, "--store", name])
        self.listener.add(descriptor)
        try:
            ready = self._control.recv(16)
        except OSError as error:
            ready = b""
            reason = f": {error}"
        else:
            reason = f" (exit code {self._process.wait()})" if not ready else ""
        if not ready:
            self._end()
            raise CannotInject(f"the process that imports {name} ended before it was ready{reason}")

    @property
    def idle(self) -> bool:
        """Whether it is there, and none of its hosts is left."""
        self._made = [host for host in self._made if host.poll() is None]
        return not self._made and self._process.poll() is None

    def fork(self, setting: Setting) -> Forked:
        """One more host, in a process of its own."""
        pipes = [os.pipe() for _ in range(4)]
        (stdin, to_stdin), (from_stdout, stdout), (from_stderr, stderr), (told, tell) = pipes
        theirs = [stdin, stdout, stderr, tell]
        try:
            line = json.dumps(setting.to_json()).encode()
            socket.send_fds(self._control, [line], theirs)
        except OSError as error:
            for end in (to_stdin, from_stdout, from_stderr, told):
                os.close(end)
            raise Refused(f"no process could be forked for the store: {error}") from None
        finally:
            for end in theirs:
                os.close(end)
        streams = (
            os.fdopen(end, mode, 0)
            for end, mode in ((to_stdin, "wb"), (from_stdout, "rb"), (from_stderr, "rb"))
        )
        try:
            host = Forked(told, tuple(streams))
        except ChildProcessError as error:
            raise Refused(f"no process could be forked for the store: {error}") from None
        self._made.append(host)
        return host

    def close(self) -> None:
        """End it; its children end with it."""
        self._end()
        self.listener.close()

    def _end(self) -> None:
        self._control.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE_S)
        if self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


_kept: list[_Forks] = []
"""At most one, idle, for the next who asks: a store may take seconds to be imported."""


def _taken(name: str) -> _Forks:
    """The process that is kept if it suits, else a new one; raises CannotInject."""
    while _kept:
        forks = _kept.pop()
        if forks.made_for == here_for(name) and forks.idle:
            return forks
        _ended(forks)
    return _Forks(name)


def _give_back(forks: _Forks) -> None:
    """Keep it if nothing of a location is left in it, in the place of another."""
    forks.listener.met()  # and no rule holds any more
    if not forks.idle:
        _ended(forks)
        return
    _end_kept()
    _kept.append(forks)


def _end_kept() -> None:
    while _kept:
        _ended(_kept.pop())


def _ended(forks: _Forks) -> None:
    if forks.made_for[-1] == os.getpid():  # a fork does not end the processes of its parent
        forks.close()


atexit.register(_end_kept)


def _started(
    arguments: Sequence[str], *, pipes: int = subprocess.DEVNULL
) -> tuple[subprocess.Popen[bytes], socket.socket, int]:
    """A process of ``trapped_main``, the socket to it, and its listener; raises CannotInject."""
    if sys.platform != "linux":
        raise CannotInject(f"calls can be made to fail on Linux alone, not on {sys.platform}")
    if not numbers():
        machine = os.uname().machine
        raise CannotInject(f"the system calls of {machine} are not known: use x86_64 or aarch64")
    ours, theirs = socket.socketpair()
    argv = [sys.executable, "-m", _MAIN, f"--socket={theirs.fileno()}", *arguments]
    try:
        process = subprocess.Popen(
            argv,
            stdin=pipes,
            stdout=pipes,
            stderr=pipes,
            bufsize=0,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
    except OSError as error:
        ours.close()
        raise CannotInject(f"no process could be started: {error}") from None
    finally:
        theirs.close()
    ours.settimeout(_START_S)
    try:
        line, listeners, _, _ = socket.recv_fds(ours, 4096, 1)
    except OSError as error:
        line, listeners, told = b"", [], str(error)
    else:
        told = json.loads(line)["refused"] if line and not listeners else "it ended at once"
    if listeners:
        return process, ours, listeners[0]
    ours.close()
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    raise CannotInject(
        f"the kernel lets no process listen to the system calls of another ({told}): "
        "allow seccomp filters with listeners, as a container's default profile does"
    )
