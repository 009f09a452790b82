"""Who has a database open, reads or writes it: process ids, as Linux shows them."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from sessionproof.reference.vitals.report import Number, Vital

_TABLE = Path("/proc/locks")
_LINE = re.compile(
    r"\d+: (?:POSIX|OFDLCK) +ADVISORY +(READ|WRITE) +(-?\d+) "
    r"([0-9a-f]+):([0-9a-f]+):(\d+) (\d+) (\d+|EOF)"
)
# Bytes that SQLite locks: in the database while it is open; in -shm by what is done.
_OPEN = range(0x40000000, 0x40000000 + 512)
_WRITES = range(120, 121)
_CHECKPOINTS = range(121, 122)
_READS = range(123, 128)


@dataclass(frozen=True, slots=True)
class Holders:
    """Process ids, each set in order."""

    opened: tuple[int, ...]
    writing: tuple[int, ...]
    checkpointing: tuple[int, ...]
    reading: tuple[int, ...]


def holders(file: Path) -> Holders | None:
    """Who holds which lock of the database; None where this system does not show it.

    A process that looks at the file holds a lock itself, and is among them.
    """
    if sys.platform != "linux" or not _TABLE.exists():
        return None
    try:
        lines = _LINE.findall(_TABLE.read_text("ascii", "replace"))
    except OSError:
        return None
    shared = file.with_name(f"{file.name}-shm")
    return Holders(
        opened=_of(file, _OPEN, lines),
        writing=_of(shared, _WRITES, lines, only="WRITE"),
        checkpointing=_of(shared, _CHECKPOINTS, lines, only="WRITE"),
        reading=_of(shared, _READS, lines),
    )


def _of(
    file: Path, place: range, lines: list[tuple[str, ...]], only: str | None = None
) -> tuple[int, ...]:
    try:
        about = file.stat()
    except OSError:
        return ()
    this = (os.major(about.st_dev), os.minor(about.st_dev), about.st_ino)
    found = set()
    for kind, pid, major, minor, inode, first, last in lines:
        end = place.stop if last == "EOF" else int(last)
        meets = int(first) < place.stop and end >= place.start
        if (int(major, 16), int(minor, 16), int(inode)) == this and meets and only in (None, kind):
            found.add(int(pid))
    return tuple(sorted(found))


def locks(file: Path, *, open_here: bool) -> Vital:
    """Who holds what; unknown where that cannot be seen, as behind some file systems."""
    found = holders(file)
    if found is None or (open_here and os.getpid() not in found.opened):
        return Vital("locks", "unknown", "who holds a lock is not shown on this system")
    looker = () if open_here else (os.getpid(),)  # whoever only looks from outside is nobody's work
    named = {"writes": found.writing, "checkpoints": found.checkpointing, "reads": found.reading}
    others = {what: _without(ids, looker) for what, ids in named.items()}
    opened = _without(found.opened, looker)
    parts = [f"{what} by {_ids(ids)}" for what, ids in others.items() if ids]
    return Vital(
        "locks",
        "ok",
        f"open in processes {_ids(opened)}; {', '.join(parts) or 'nobody is at work'}"
        if opened
        else "no process has it open",
        (Number("processes_with_it_open", len(opened)),),
    )


def _without(pids: tuple[int, ...], some: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(one for one in pids if one not in some)


def _ids(pids: tuple[int, ...]) -> str:
    return ", ".join(map(str, pids))
