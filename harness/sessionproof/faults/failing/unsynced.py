"""What a disk has not got after a sync that failed: the pages that only the page cache has.

A kernel that could not write pages takes them for written all the same: the next sync succeeds, and
they are still not on the disk. Only writing to them again brings them there.
"""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PAGE = 4096
File = tuple[int, int]
"""A file by device and inode: names change while a store works."""


@dataclass
class Unsynced:
    """Pages by file: ``written`` since its last sync, ``lost`` by a sync that failed."""

    written: dict[File, set[int]] = field(default_factory=lambda: defaultdict(set))
    lost: dict[File, set[int]] = field(default_factory=lambda: defaultdict(set))

    def write(self, file: File, offset: int, length: int) -> None:
        """Bytes were written; their pages go to the disk as a whole with the next sync."""
        pages = set(range(offset // PAGE, (offset + length - 1) // PAGE + 1)) if length else set()
        self.written[file] |= pages
        self.lost[file] -= pages

    def sync(self, file: File, *, failed: bool) -> None:
        """A sync of the file succeeded, or failed."""
        pages = self.written.pop(file, set())
        if failed:
            self.lost[file] |= pages


def contents(root: Path) -> dict[File, bytes]:
    """The bytes of every file below the folder: what its disk has before anything is lost."""
    found = {}
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            about = path.stat()
            found[about.st_dev, about.st_ino] = path.read_bytes()
    return found


def without_lost(
    root: Path, lost: Mapping[File, set[int]], before: Mapping[File, bytes], to: Path
) -> int:
    """Copy the folder as it is after a loss of power; answers how many pages are not as they were.

    A lost page has the bytes of ``before``, zeros where the file was shorter. SQLite's shared
    memory (``-shm``) is no file of the disk's.
    """
    changed = 0
    shutil.copytree(root, to, ignore=shutil.ignore_patterns("*-shm"), dirs_exist_ok=True)
    for path in root.rglob("*"):
        copy = to / path.relative_to(root)
        if not copy.is_file() or path.is_symlink():
            continue
        about = path.stat()
        file = about.st_dev, about.st_ino
        new, old = bytearray(copy.read_bytes()), before.get(file, b"")
        for page in lost.get(file, ()):
            begin, end = page * PAGE, min((page + 1) * PAGE, len(new))
            if begin < end:
                new[begin:end] = old[begin:end].ljust(end - begin, b"\0")
                changed += 1
        with copy.open("r+b") as out:
            out.write(new)
            out.flush()
            os.truncate(out.fileno(), len(new))
    return changed
