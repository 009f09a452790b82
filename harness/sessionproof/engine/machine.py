"""What a run takes from the machine: cores, and folders that can be used."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from sessionproof.contract.folders import folder_in_memory
from sessionproof.contract.machine import physical_bytes, usable_cores
from sessionproof.engine.plan import BadUsage

_ROOM_BYTES = 512 * 1024 * 1024
_CORES_MOST = 8
_CPU = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
_THREADSAFE = {0: "single thread", 1: "serialized", 2: "multi-thread"}


def cores() -> int:
    """How many workers a run has when nobody says."""
    return min(_CORES_MOST, len(usable_cores()))


def facts(location: Path) -> dict[str, str]:
    """Facts of the machine that explain times: by name, in words; what is not known is left out.

    ``location`` is a folder on the file system that the store's data lies on.
    """
    asked: dict[str, Callable[[], str | None]] = {
        "python": lambda: f"{platform.python_implementation()} {platform.python_version()}",
        "platform": platform.platform,
        "cpu": _cpu,
        "cores": lambda: str(len(usable_cores())),
        "governor": lambda: _CPU.read_text("ascii").strip(),
        "memory": _memory,
        "load": lambda: ", ".join(f"{load:.2f}" for load in os.getloadavg()),
        "sqlite": _sqlite,
        "file system": lambda: _file_system(location),
        "device": lambda: _device(location),
    }
    found = {}
    for name, ask in asked.items():
        with contextlib.suppress(OSError, ValueError, AttributeError, sqlite3.Error):
            if answer := ask():
                found[name] = answer
    return found


def fast_folder() -> Path | None:
    """A file system in memory where there is room: what is judged here does not need a disk."""
    return folder_in_memory(_ROOM_BYTES)


def check_location(location: Path) -> None:
    """Raise BadUsage unless data can be put below this folder."""
    if not location.is_dir():
        what = "is a file" if location.exists() else "does not exist"
        raise BadUsage(f"--location {location} {what}: name an existing folder")
    if not os.access(location, os.W_OK | os.X_OK):
        raise BadUsage(f"--location {location} is not writable")


def make_report_folder(report: Path, option: str = "--report") -> None:
    """Make the folder that the option names; raises BadUsage when nothing can be written there."""
    try:
        report.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadUsage(f"{option} {report} cannot be made: {error.strerror}") from None
    if not os.access(report, os.W_OK | os.X_OK):
        raise BadUsage(f"{option} {report} is not writable")


def _cpu() -> str | None:
    listed = Path("/proc/cpuinfo")  # which macOS has not
    text = listed.read_text("utf-8", "replace") if listed.exists() else ""
    found = re.search(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", text, re.MULTILINE)
    return " ".join(found[1].split()) if found else platform.processor() or None


def _memory() -> str:
    return f"{physical_bytes() / 1024**3:.1f} GiB"


def _sqlite() -> str:
    """The version, whether threads may share it, and the size of its pages."""
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        options = [row[0] for row in connection.execute("PRAGMA compile_options")]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    level = next((one[-1] for one in options if one.startswith("THREADSAFE=")), "")
    words = _THREADSAFE.get(int(level), level) if level.isdecimal() else "threads not known"
    return f"{sqlite3.sqlite_version} ({words}, pages of {size:,} bytes)"


def _file_system(location: Path) -> str | None:
    """The type of the nearest mount above the location."""
    return next((kind for _, kind in _mounts(location)), None)


def _device(location: Path) -> str | None:
    """What lies below the file system: a disk that turns, one that does not, or none."""
    number = location.stat().st_dev
    folder = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve(strict=True)
    for place in (folder, folder.parent):  # a partition has its queue in the disk above it
        queue = place / "queue" / "rotational"
        if queue.exists():
            kind = "rotating" if queue.read_text("ascii").strip() == "1" else "not rotating"
            return f"{place.name} ({kind})"
    return None


def _mounts(location: Path) -> Iterator[tuple[str, str]]:
    """Mount points above the location with their types, the nearest first."""
    real = location.resolve()
    found = []
    for line in Path("/proc/self/mounts").read_text("utf-8", "replace").splitlines():
        point, kind = line.split(" ")[1:3]
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), point)
        if real.is_relative_to(point):
            found.append((point, kind))
    found.reverse()  # of two mounts on one point the later one is seen
    return iter(sorted(found, key=lambda pair: -len(pair[0])))
