"""This side of an arm: the process of one version, started, asked and ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from sessionproof.bench.arms.steady import steady_addresses
from sessionproof.bench.tracking.compared import Side
from sessionproof.contract.errors import Indefinite, Refused
from sessionproof.host.process import Process, ProtocolError, Started

ARM = "sessionproof.bench.arms.arm_main"

Start: TypeAlias = Callable[[Sequence[str], Mapping[str, str]], Started]
"""Starts a command in an environment; raises OSError."""

_GRACE_S = 5.0  # for a process to close its store
_LINE_BYTES = 16 * 1024 * 1024
_SHOWN = 500


class ArmFailed(Exception):
    """What an arm could not do, in one line; with ``gone`` its process has ended."""

    def __init__(self, text: str, *, gone: bool) -> None:
        super().__init__(text)
        self.gone = gone


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What an arm is told of its store, but for the folder.

    ``claims`` are JSON values; ``pool`` is the text that its messages are cut from. ``open_s`` and
    ``operation_s`` are deadlines of opening it and of a few calls.
    """

    claims: Mapping[str, Any]
    capabilities: tuple[str, ...]
    pool: str = field(repr=False)
    url: str | None = None
    namespace: str | None = None
    open_s: float = 30.0
    operation_s: float = 20.0


class RemoteArm:
    """A store of one version in a process of its own; Python's hashes are drawn from ``hashes``.

    Two arms with the same number, and the same code, do the very same.
    """

    def __init__(
        self,
        side: Side,
        wanted: Wanted,
        *,
        environment: Mapping[str, str],
        hashes: int = 0,
        program: str = ARM,
        start: Start | None = None,
    ) -> None:
        """Start the process; raises ArmFailed when there can be none.

        ``program`` is a module that answers as ``arm_main`` does; ``start`` another way to start.
        """
        self.side = side
        self._wanted = wanted
        given = environment_of(side, environment) | {"PYTHONHASHSEED": str(hashes)}
        # -P: the folder that it is started in comes where the path says, not before all else.
        command = (sys.executable, "-P", "-m", program)
        try:
            started = (start or _steadily)(command, given)
        except OSError as error:
            raise ArmFailed(f"no process could be started: {error}", gone=True) from None
        self._process = Process(command, started=started, line_bytes=_LINE_BYTES)

    @property
    def answers(self) -> int:
        """How many lines it has answered."""
        return self._process.answers

    def open(self, root: Path, **more: Any) -> dict[str, Any]:
        """Open the store below a folder that is its own; what the arm says of itself.

        ``more`` is for programs that want to be told more than an arm.
        """
        wanted = self._wanted
        request = {
            "store": self.side.store,
            "root": os.fspath(root),
            "url": wanted.url,
            "namespace": wanted.namespace,
            "claims": wanted.claims,
            "capabilities": wanted.capabilities,
            "pool": wanted.pool,
            **more,
        }
        return dict(self._asked(request, "the opening of the store", wanted.open_s))

    def call(self, name: str, *given: Any, within_s: float = 0.0) -> Any:
        """Call a method of ``arm.Arm``; ``within_s`` is added to the deadline of an operation.

        Raises ArmFailed for what the store raises, for its end, and for a hang, which ends it.
        """
        words = " ".join([name, *(str(one) for one in given[:2])])
        deadline_s = self._wanted.operation_s + within_s
        return self._asked({"call": name, "given": given}, words, deadline_s)

    def stay_on(self, core: int) -> None:
        """Let the thread that calls the store stay on one core; elsewhere than on Linux, nothing.

        The store's own threads, where it has some by now, stay where they are.
        """
        if hasattr(os, "sched_setaffinity"):
            with suppress(OSError):  # it has ended, or the system does not allow it
                os.sched_setaffinity(self._process.pid, {core})

    def end(self) -> None:
        """Let the process close its store and end; one that does not is killed."""
        self._process.finish(_GRACE_S)

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()

    def _asked(self, request: Mapping[str, Any], words: str, deadline_s: float) -> Any:
        line = json.dumps(request).encode() + b"\n"
        try:
            answer = json.loads(self._process.exchange(line, words, deadline_s=deadline_s))
            if "error" not in answer:
                return answer["answer"]
        except (Indefinite, Refused) as error:
            raise ArmFailed(self._last_words(error), gone=True) from None
        except (ValueError, TypeError, KeyError):
            self.kill()
            raise ArmFailed(f"{words} was answered by what is no answer", gone=True) from None
        raise ArmFailed(str(answer["error"])[:_SHOWN], gone=False)

    def _last_words(self, error: Exception) -> str:
        """How it ended or what it did not answer, with the last line that it wrote to stderr."""
        said = str(error).partition(" [")[0]
        if isinstance(error, ProtocolError):
            return said
        last = self._process.stderr_tail().strip().splitlines()[-1:]
        return said + (f"; its last line: {last[0][:300]}" if last else "")


def _steadily(command: Sequence[str], environment: Mapping[str, str]) -> Started:
    with steady_addresses():
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            bufsize=0, start_new_session=True, env=environment,
        )  # fmt: skip


def environment_of(side: Side, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process of this side: its folders come first on the import path.

    The folder that a process is started in comes where that path has it, not before all else.
    """
    paths = [*side.path, *filter(None, [environment.get("PYTHONPATH")])]
    return {**environment, "PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"}
