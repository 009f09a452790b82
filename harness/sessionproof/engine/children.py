"""Processes that this one starts, waits for, and ends with all that they started."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sessionproof.contract.clock import monotonic_s

_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER
_BURIAL_S = 5.0
LIFELINE = "SESSIONPROOF_LIFELINE"
_LOOK_S = 0.1
OUTPUT_BYTES = 64 * 1024
"""Of what a command printed so much is usually read: its end says how it ended."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a process ended: ``code`` is its own; ``why`` says why it was ended, empty if it was not.

    A process that was asked to end and did has both.
    """

    code: int
    why: str = ""


def run_child(
    command: Sequence[str],
    *,
    output: IO[bytes],
    environment: Mapping[str, str],
    folder: Path | None,
    until_s: float,
    stop: threading.Event,
    grace_s: float,
) -> Ended:
    """Run a command in a session of its own, and leave nothing of its process group behind.

    At ``until_s`` of the monotonic clock, or by ``stop``, it is asked to end, and ended after
    ``grace_s`` seconds. What it prints goes to ``output``.
    """
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment,
        cwd=folder, start_new_session=True,
    )  # fmt: skip
    why = ""
    try:
        while _runs(process, _LOOK_S):
            if stop.is_set():
                why = "interrupted"
            elif monotonic_s() > until_s:
                why = "its time was over"
            if why:
                process.send_signal(signal.SIGTERM)
                _runs(process, grace_s)
                break
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
    return Ended(code=code, why=why)


def run_and_read(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path | None,
    until_s: float,
    stop: threading.Event,
    grace_s: float,
    directory: Path | None = None,
    most_bytes: int | None = OUTPUT_BYTES,
) -> tuple[Ended, str]:
    """``run_child``, and the last ``most_bytes`` of what it printed, None for all of it.

    ``directory`` takes what is printed until it has been read; the temporary folder if None.
    """
    with tempfile.TemporaryFile(dir=directory) as output:
        ended = run_child(
            command, output=output, environment=environment, folder=folder, until_s=until_s,
            stop=stop, grace_s=grace_s,
        )  # fmt: skip
        size = output.seek(0, os.SEEK_END)
        output.seek(0 if most_bytes is None else max(0, size - most_bytes))
        return ended, output.read().decode("utf-8", "replace")


def end_with_the_supervisor() -> None:
    """End this process with the one that supervises it, even when that one is killed."""
    number = os.environ.pop(LIFELINE, None)
    if number is None:
        return

    def wait() -> None:
        os.read(int(number), 1)
        os._exit(3)

    threading.Thread(target=wait, daemon=True).start()


@contextmanager
def nothing_left() -> Iterator[None]:
    """End what the processes started within leave behind, whatever group or session it went into.

    So that a daemon of a store does not outlive its run. Linux alone: elsewhere it does.
    """
    if sys.platform != "linux":
        yield
        return
    prctl = ctypes.CDLL(None).prctl
    before = _children()
    prctl(_SUBREAPER, 1, 0, 0, 0)  # orphans below this process become its children
    try:
        yield
    finally:
        until_s = monotonic_s() + _BURIAL_S
        while (left := _children() - before) and monotonic_s() < until_s:
            for process in left:
                with contextlib.suppress(OSError):
                    os.kill(process, signal.SIGKILL)
                    os.waitpid(process, 0)
        prctl(_SUBREAPER, 0, 0, 0, 0)


def _children() -> set[int]:
    own, found = os.getpid(), set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended
            state = path.read_text("utf-8", "replace").rpartition(")")[2].split()
            if int(state[1]) == own:
                found.add(int(path.parent.name))
    return found


def _runs(process: subprocess.Popen[bytes], wait_s: float) -> bool:
    """Whether it still runs after so many seconds."""
    try:
        process.wait(wait_s)
    except subprocess.TimeoutExpired:
        return True
    return False
