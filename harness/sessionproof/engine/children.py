"""Processes that this one starts, waits for, and ends with all that they started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sessionproof.contract.clock import monotonic_s

LIFELINE = "SESSIONPROOF_LIFELINE"
_LOOK_S = 0.1


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


def end_with_the_supervisor() -> None:
    """End this process with the one that supervises it, even when that one is killed."""
    number = os.environ.pop(LIFELINE, None)
    if number is None:
        return

    def wait() -> None:
        os.read(int(number), 1)
        os._exit(3)

    threading.Thread(target=wait, daemon=True).start()


def _runs(process: subprocess.Popen[bytes], wait_s: float) -> bool:
    """Whether it still runs after so many seconds."""
    try:
        process.wait(wait_s)
    except subprocess.TimeoutExpired:
        return True
    return False
