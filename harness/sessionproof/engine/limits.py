"""How much of the machine a process may take in which a store runs: memory, and the size of a file.

A store that never stops to take memory, or to write, would end more than its own run. With a limit
its call fails instead, as it does on a machine that has no more: that is a finding, and the run
goes on. Both hold for each process by itself, and for those that it starts.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sessionproof.contract.machine import physical_bytes

MIB = 1024 * 1024
_MEMORY_LEAST = 2048 * MIB  # our own share of a large test is some hundred
_RESERVE = 256 * MIB  # of memory, for what is to be said of a store that took all else
_MEMORY_PARTS = 8  # so many processes may reach their limit before the machine has no more
_FILE_PARTS, _ALL_PARTS = 8, 2  # of what may be written in all: one file, all files of a run
_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - what is written there is taken from the memory
_CONTAINER = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """In bytes, 0 for none: ``memory`` of a process, ``file`` the size of one that it writes."""

    memory: int = 0
    file: int = 0


NO_LIMITS = Limits()


def limits_of(directory: Path, memory: int | None = None) -> Limits:
    """Those of a run whose data lies below ``directory``; ``memory`` where the user says it."""
    if memory is None:
        memory = max(_MEMORY_LEAST, _memory() // _MEMORY_PARTS)
    return Limits(memory=memory, file=_writable(directory) // _FILE_PARTS)


def hold(limits: Limits, process: int = 0) -> None:
    """Set the limits of this process, or of another that was just started.

    A little more memory is kept back for threads of ours (``machine.begin``). What the system does
    not have is left out: memory is limited on Linux alone, and without ``prlimit`` another process
    is not.
    """
    try:
        import resource
    except ImportError:  # not POSIX
        return
    memory = limits.memory, limits.memory + _RESERVE
    file = limits.file, limits.file
    for kind, most in ((resource.RLIMIT_DATA, memory), (resource.RLIMIT_FSIZE, file)):
        if not most[0]:
            continue
        if process == 0:
            resource.setrlimit(kind, _lower(resource.getrlimit(kind), most))
        elif hasattr(resource, "prlimit"):
            try:
                before = resource.prlimit(process, kind)
                resource.prlimit(process, kind, _lower(before, most))
            except ProcessLookupError:  # it has ended already
                return


class Room:
    """The room on the file system of a run, watched while a store writes: half of it is others'."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._least = _free(directory) - _writable(directory) // _ALL_PARTS

    def is_used_up(self) -> bool:
        """Whether more was written than a run may leave there."""
        return _free(self._directory) < self._least


def _lower(limits: Sequence[int], most: Sequence[int]) -> tuple[int, int]:
    """The soft and the hard limit, never above what holds already; -1 is none."""
    soft, hard = (top if one < 0 else min(one, top) for one, top in zip(limits, most, strict=True))
    return soft, hard


def _memory() -> int:
    """That of the machine, or of the container that this process lives in."""
    physical = physical_bytes()
    try:
        return min(physical, int(_CONTAINER.read_text("ascii")))
    except (OSError, ValueError):  # none, or "max"
        return physical


def _writable(directory: Path) -> int:
    """What is free on the file system of the folder, and no more than there is memory behind it."""
    free = _free(directory)
    return min(free, _memory()) if directory.is_relative_to(_IN_MEMORY) else free


def _free(directory: Path) -> int:
    try:
        return shutil.disk_usage(directory).free
    except OSError:  # the folder is gone, which is told elsewhere
        return 1 << 62
