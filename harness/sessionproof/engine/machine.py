"""What a run takes from the machine: cores, and folders that can be used."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from sessionproof.engine.plan import BadUsage

_ROOM_BYTES = 512 * 1024 * 1024
_CORES_MOST = 8


def cores() -> int:
    """How many workers a run has when nobody says."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
    return max(1, min(_CORES_MOST, usable))


def fast_folder() -> Path | None:
    """A file system in memory where there is room: what is judged here does not need a disk."""
    memory = Path("/dev/shm")  # noqa: S108 - the run's own folder in it is private
    if not memory.is_dir() or not os.access(memory, os.W_OK | os.X_OK):
        return None
    return memory if shutil.disk_usage(memory).free >= _ROOM_BYTES else None


def check_location(location: Path) -> None:
    """Raise BadUsage unless data can be put below this folder."""
    if not location.is_dir():
        what = "is a file" if location.exists() else "does not exist"
        raise BadUsage(f"--location {location} {what}: name an existing folder")
    if not os.access(location, os.W_OK | os.X_OK):
        raise BadUsage(f"--location {location} is not writable")


def make_report_folder(report: Path) -> None:
    """Make the report's folder; raises BadUsage when nothing can be written there."""
    try:
        report.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadUsage(f"--report {report} cannot be made: {error.strerror}") from None
    if not os.access(report, os.W_OK | os.X_OK):
        raise BadUsage(f"--report {report} is not writable")
