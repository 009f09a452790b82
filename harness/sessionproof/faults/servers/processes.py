"""The processes of a server, which all work in its data folder, and the memory that they share."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from sessionproof.contract.clock import monotonic_s

_END_S = 20.0
_LOOK_S = 0.01
_IPC_RMID = 0
_SEGMENT_LINE = 6  # of postmaster.pid: key and id of the segment


def processes_in(folder: Path) -> list[int]:
    """The ids of all living processes whose working directory is this one."""
    wanted = str(folder)
    return [pid for pid in _all() if _directory(pid) == wanted]


def end_all_in(folder: Path) -> None:
    """Kill every process that works in the folder; raises TimeoutError when one does not end."""
    until = monotonic_s() + _END_S
    while left := processes_in(folder):
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if monotonic_s() > until:
            raise TimeoutError(f"processes {left} in {folder} do not end")
        time.sleep(_LOOK_S)


def forget_segment(data: Path) -> None:
    """Give the shared segment back that a killed server left; a server that stopped left none."""
    segment = segment_of(data)
    if segment is not None:
        ctypes.CDLL(None).shmctl(segment, _IPC_RMID, None)


def segment_of(data: Path) -> int | None:
    """The id of the shared segment of a server that runs or was killed; None after a stop."""
    try:
        lines = (data / "postmaster.pid").read_text("utf-8").splitlines()
        return int(lines[_SEGMENT_LINE].split()[1])
    except (OSError, IndexError, ValueError):
        return None


def _all() -> list[int]:
    proc = Path("/proc")
    if not proc.is_dir():  # elsewhere a server's processes end by themselves after the first
        return []
    return [int(one.name) for one in proc.iterdir() if one.name.isdecimal()]


def _directory(pid: int) -> str | None:
    """Where a process works; None when it has ended, also while nobody has asked how."""
    try:
        return str(Path(f"/proc/{pid}/cwd").readlink())
    except OSError:
        return None
